/** What only MongoDB's store does: merging, retries, outcomes, and writes that meet other programs. */
import { Long, MongoClient } from "mongodb";
import type { Test } from "tap";
import { pooledRandom } from "../../server/random-bytes.ts";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { openMongoStore } from "../../server/stores/mongodb/store.ts";
import { type CommandFailure, failCommand, onServer } from "../support/fail-points.ts";
import { newDatabase, type OwnMongod, withDatabase } from "../support/mongod.ts";
import { until } from "../support/until.ts";
import { check, findIds, idOf, put, refused, remove, textsOf } from "./document-store/fixture.ts";

const NOT_PRIMARY = 10_107;
const NO_SPACE = 14_031;
const WRITE_CONFLICT = 112;

function answers(store: DocumentStore): Promise<boolean> {
  return store.ping().then(
    () => true,
    () => false,
  );
}

export function testWrites(t: Test, mongod: OwnMongod): void {
  const { host } = mongod.process;
  const random = pooledRandom();

  const open = async (t: Test, url = withDatabase(mongod.url, newDatabase())) => {
    const store = await openMongoStore({ url, clock: Date.now, random, warn: (message) => t.comment(message) });
    t.teardown(() => store.close());
    return { url, store };
  };

  /** A store with an empty collection `notes`, and a client of another program. */
  const fresh = async (t: Test, indexes: { paths: string[]; unique?: boolean }[] = []) => {
    const { url, store } = await open(t);
    await store.ensureCollection({ name: "notes", indexes });
    const client = new MongoClient(url);
    t.teardown(() => client.close());
    return {
      url,
      store,
      db: client.db(),
      notes: client.db().collection<{ _id: string; [key: string]: unknown }>("notes"),
    };
  };

  const fail = (t: Test, failure: CommandFailure, times: number | "always" = 1) => failCommand(t, host, failure, times);

  /** How many commands of a kind the server was sent so far, by anybody. */
  const sent = async (command: string): Promise<number> => {
    const { metrics } = (await onServer(host, { serverStatus: 1 })) as {
      metrics: { commands: Record<string, { total: unknown }> };
    };
    return Number(metrics.commands[command]?.total);
  };

  t.test("creates of one turn are few commands, and each has an end of its own", async (t) => {
    const { store } = await fresh(t, [{ paths: ["email"], unique: true }, { paths: ["a", "b"] }]);
    const taken = put(store, "taken", { email: "x" });
    await store.commit([taken]);
    const before = await sent("insert");
    const good = Array.from({ length: 200 }, (_, n) => put(store, idOf(n), { email: n }));
    const ends = await Promise.allSettled([
      ...good.map((write) => store.commit([write])),
      store.commit([put(store, "taken", { email: "other" })]),
      store.commit([put(store, "clash", { email: "x" })]),
      store.commit([put(store, "unfit", { a: [1], b: [2] })]),
    ]);
    const commands = (await sent("insert")) - before;
    t.ok(commands <= 3, `${commands} commands`);
    const rejected = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
    t.match(rejected, [
      { code: "version_conflict", details: { operation: 0, outcome: "not_applied" } },
      { code: "unique_violation", details: { operation: 0, outcome: "not_applied", index: { paths: ["email"] } } },
      { code: "schema_violation", details: { operation: 0, outcome: "not_applied", reason: "parallel_arrays" } },
    ]);
    t.strictSame(
      await textsOf(
        store,
        good.map(({ id }) => id),
      ),
      good.map(({ text }) => text),
    );
    t.strictSame(await textsOf(store, ["taken", "clash", "unfit"]), [taken.text, undefined, undefined]);
  });

  t.test("reads of one turn are few commands, and nobody gets another's document", async (t) => {
    const { store } = await fresh(t);
    await store.commit(Array.from({ length: 300 }, (_, n) => put(store, idOf(n), { n })));
    const before = await sent("find");
    const ids = Array.from({ length: 400 }, (_, n) => [idOf(n), idOf((n * 7) % 300), idOf(n)]);
    const rows = await Promise.all(ids.map((three) => store.get("notes", three)));
    const commands = (await sent("find")) - before;
    t.ok(commands <= 6, `${commands} commands`);
    for (const [i, three] of ids.entries()) {
      const wanted = three.map((id) => (id < idOf(300) ? id : undefined));
      t.strictSame(
        rows[i]?.map((row) => row?.id),
        wanted,
      );
    }
  });

  t.test("documents that do not fit into one reply are all read", async (t) => {
    const { store } = await fresh(t);
    const writes = Array.from({ length: 24 }, (_, n) => put(store, idOf(n), { text: String(n).repeat(450_000) }));
    for (const write of writes) await store.commit([write]);
    t.strictSame(
      await textsOf(
        store,
        writes.map(({ id }) => id),
      ),
      writes.map(({ text }) => text),
    );
  });

  t.test("a command that is refused once harms none of the creates in it", async (t) => {
    const { store } = await fresh(t);
    await fail(t, { failCommands: ["insert"], errorCode: NO_SPACE });
    await Promise.all(Array.from({ length: 20 }, (_, n) => store.commit([put(store, idOf(n))])));
    t.equal((await findIds(store)).length, 20);
  });

  t.test("without space every create says so, and none is there", async (t) => {
    const { store } = await fresh(t);
    const point = await fail(t, { failCommands: ["insert", "update"], errorCode: NO_SPACE }, "always");
    const ends = await Promise.allSettled(Array.from({ length: 5 }, (_, n) => store.commit([put(store, idOf(n))])));
    const batch = store.commit([put(store, "a"), put(store, "b")]);
    await refused(t, batch, "storage_full", { outcome: "not_applied" });
    await point.off();
    for (const end of ends) {
      t.match(end, { reason: { code: "storage_full", details: { outcome: "not_applied" } } });
    }
    t.strictSame(await findIds(store), []);
  });

  t.test("a slow command holds up neither other collections nor what comes after it", async (t) => {
    const { url, store } = await fresh(t);
    await store.ensureCollection({ name: "others", indexes: [] });
    const namespace = `${new URL(url).pathname.slice(1)}.notes`;
    const point = await fail(t, { failCommands: ["insert"], blockConnection: true, blockTimeMS: 3000, namespace }, 2);
    const ended: string[] = [];
    const create = (id: string, collection?: string) =>
      store.commit([put(store, id, {}, 0, collection)]).then(() => void ended.push(id));
    const first = create("first");
    await point.met(1);
    const second = create("second");
    await point.met(2);
    await Promise.all([create("other", "others"), create("third")]);
    t.strictSame(ended.sort(), ["other", "third"]);
    await Promise.all([first, second]);
  });

  t.test("no write makes a collection, whoever drops it meanwhile", async (t) => {
    const { store, db, notes } = await fresh(t);
    await notes.drop();
    const ends = await Promise.allSettled([
      store.commit([put(store, "a")]),
      store.commit([put(store, "b"), put(store, "c")]),
      store.commit([put(store, "d", {}, 7)]),
      store.commit([check("e", 0), remove("f", 0)]),
    ]);
    t.match(ends, [
      {
        reason: { code: "not_found", details: { operation: 0, outcome: "not_applied", reason: "unknown_collection" } },
      },
      { reason: { code: "not_found", details: { operation: 0, outcome: "not_applied" } } },
      { reason: { code: "version_conflict" } },
      { status: "fulfilled" },
    ]);
    t.strictSame(await db.listCollections({ name: "notes" }).toArray(), []);
    await db.createCollection("notes");
    await Promise.all([store.commit([put(store, "a")]), store.commit([put(store, "b"), put(store, "c")])]);
    t.strictSame(await findIds(store), ["a", "b", "c"]);
  });

  const TRANSIENT = { errorCode: WRITE_CONFLICT, errorLabels: ["TransientTransactionError"] };
  const commands = { failCommands: ["insert", "update", "delete", "commitTransaction"] };
  const faults: Record<string, [failure: CommandFailure, times: number]> = {
    "the connection is cut": [{ ...commands, closeConnection: true }, 1],
    "the primary has just gone": [{ ...commands, errorCode: NOT_PRIMARY, errorLabels: ["RetryableWriteError"] }, 1],
    "others stand in the way four times": [{ failCommands: ["commitTransaction"], ...TRANSIENT }, 4],
    "the answer is that the majority waits for a new primary": [
      { ...commands, writeConcernError: { code: 189, errmsg: "stepped down" } },
      1,
    ],
  };
  for (const [name, [failure, times]] of Object.entries(faults)) {
    t.test(`when ${name}, writes are done once all the same`, async (t) => {
      const { store } = await fresh(t);
      const old = put(store, "old", { n: 1 });
      const gone = put(store, "gone");
      await store.commit([old, gone]);
      const next = put(store, "old", { n: 2 }, old.version);
      for (const writes of [
        [put(store, "single")],
        [next],
        [remove("gone", gone.version)],
        [put(store, "a"), put(store, "b"), check("old", next.version)],
      ]) {
        const point = await fail(t, failure, times);
        await store.commit(writes);
        await point.off();
      }
      t.strictSame(await findIds(store), ["a", "b", "old", "single"]);
      t.strictSame(await textsOf(store, ["old"]), [next.text]);
    });
  }

  t.test("what only may have been done is unknown, whatever the last error says", async (t) => {
    const { store } = await fresh(t);
    const insert = { failCommands: ["insert"] };
    for (const failure of [
      { ...insert, closeConnection: true },
      { ...insert, errorCode: NOT_PRIMARY },
      { ...insert, writeConcernError: { code: 64, errmsg: "waiting for replication timed out" } },
    ]) {
      const point = await fail(t, failure, "always");
      const ends = await Promise.allSettled([store.commit([put(store, "x")]), store.commit([put(store, "y")])]);
      await point.off();
      for (const end of ends) t.match(end, { reason: { code: "unavailable", details: { outcome: "unknown" } } });
    }
    // Those that were merely not confirmed.
    await until(async () => (await findIds(store)).join() === "x,y");
  });

  t.test("a transaction that cannot be committed is aborted, says so, and holds up nobody", async (t) => {
    const { store } = await fresh(t);
    const writes = [put(store, "a"), put(store, "b")];
    const point = await fail(t, { failCommands: ["commitTransaction"], closeConnection: true }, "always");
    // `not_applied` if the server could be asked; nobody asks for a transaction that it has ended by itself meanwhile.
    await refused(t, store.commit(writes), "unavailable", { outcome: /not_applied|unknown/ });
    await point.off();
    t.strictSame(await findIds(store), []);
    await store.commit(writes);
    t.strictSame(await findIds(store), ["a", "b"]);
  });

  t.test("writes that wait for a transaction leave it the connections by which it ends", async (t) => {
    const url = new URL(withDatabase(mongod.url, newDatabase()));
    url.searchParams.set("maxPoolSize", "6");
    const { store } = await open(t, url.href);
    await store.ensureCollection({ name: "notes", indexes: [] });
    await store.commit([put(store, "a")]);
    const client = new MongoClient(url.href);
    t.teardown(() => client.close());
    const [version] = (await client.db().collection("notes").find().toArray()).map(({ _v }) => Number(_v));
    const session = client.startSession();
    session.startTransaction();
    await client
      .db()
      .collection("notes")
      .updateOne({}, { $set: { held: true } }, { session });
    // MongoDB lets each of them wait for that transaction.
    const waiting = Array.from({ length: 20 }, () => store.commit([put(store, "a", {}, version)]));
    waiting.push(...Array.from({ length: 20 }, () => store.commit([remove("a", version ?? 0)])));
    const ends = Promise.allSettled(waiting);
    await until(async () => {
      const { inprog } = await onServer(host, { currentOp: 1, ns: `${client.db().databaseName}.notes` });
      return (inprog as { active: boolean }[]).filter(({ active }) => active).length >= 3;
    });
    const started = performance.now();
    await store.commit([put(store, "b"), put(store, "c")]);
    t.ok(performance.now() - started < 3000, "others go on");
    await session.abortTransaction();
    await session.endSession();
    const applied = (await ends).filter(({ status }) => status === "fulfilled");
    t.equal(applied.length, 1);
  });

  t.test("a transaction whose connection is cut leaves nothing open that holds up its repetition", async (t) => {
    const { store } = await fresh(t);
    const writes = [put(store, "a"), put(store, "b"), check("c", 0)];
    const point = await fail(t, { failCommands: ["delete"], closeConnection: true }, "always");
    await refused(t, store.commit(writes), "unavailable", { outcome: "not_applied" });
    await point.off();
    await until(() => answers(store));
    await store.commit(writes);
    t.strictSame(await findIds(store), ["a", "b"]);
  });

  t.test("a server that is gone refuses at once, with the outcome, and is used again by itself", async (t) => {
    const { store } = await fresh(t);
    await store.commit([put(store, "before")]);
    await mongod.process.kill();
    const began = performance.now();
    await store.commit([put(store, "first")]).catch(() => {});
    const second = performance.now();
    await refused(t, store.commit([put(store, "second")]), "unavailable", { outcome: "not_applied" });
    await refused(t, store.get("notes", ["before"]), "unavailable");
    t.ok(second - began < 5000 && performance.now() - second < 3000, "at once");
    await mongod.process.start();
    await until(() => answers(store));
    await store.commit([put(store, "after")]);
    t.strictSame(
      (await findIds(store)).filter((id) => id !== "first"),
      ["after", "before"],
    );
  });

  t.test("two commits that each check what the other writes cannot both be done", async (t) => {
    const { store } = await fresh(t);
    for (let round = 0; round < 20; round++) {
      const [a, b] = [put(store, `a${round}`, { on: true }), put(store, `b${round}`, { on: true })];
      await store.commit([a, b]);
      const other = { ...store };
      const ends = await Promise.allSettled([
        store.commit([check(a.id, a.version), put(store, b.id, { on: false }, b.version)]),
        other.commit([check(b.id, b.version), put(store, a.id, { on: false }, a.version)]),
      ]);
      const done = ends.filter(({ status }) => status === "fulfilled").length;
      t.ok(done <= 1, `${done} done`);
    }
  });

  t.test("a document of another program is at version 1, and the next write repairs it", async (t) => {
    const { store, notes } = await fresh(t);
    const odd = [undefined, "7", 0, -3, 2.5, null, [5], { a: 1 }, 2 ** 60];
    for (const [n, _v] of odd.entries()) {
      const dates = { _createdAt: new Date(), _updatedAt: new Date() };
      await notes.insertOne({ _id: idOf(n), n, ...dates, ...(_v !== undefined && { _v }) });
      await refused(t, store.commit([put(store, idOf(n), {}, 2)]), "version_conflict");
      const write = put(store, idOf(n), { n }, 1);
      await store.commit([write]);
      t.strictSame(await textsOf(store, [idOf(n)]), [write.text], JSON.stringify(_v));
      await refused(t, store.commit([put(store, idOf(n), {}, 1)]), "version_conflict");
    }
    await notes.insertOne({ _id: "x" });
    await store.commit([check("x", 1), put(store, "y")]);
    await store.commit([remove("x", 1)]);
  });

  t.test("another program may keep versions as int64", async (t) => {
    const { store, notes } = await fresh(t);
    for (const [n, version] of [1, 6, 2 ** 40].entries()) {
      const dates = { _createdAt: new Date(), _updatedAt: new Date() };
      await notes.insertOne({ _id: idOf(n), n, ...dates, _v: Long.fromNumber(version) });
      const [row] = await store.get("notes", [idOf(n)]);
      t.equal(row?.version, version);
      await refused(t, store.commit([put(store, idOf(n), {}, version + 1)]), "version_conflict");
      const write = put(store, idOf(n), { n }, version);
      await store.commit([write]);
      t.strictSame(await textsOf(store, [idOf(n)]), [write.text]);
    }
  });
}
