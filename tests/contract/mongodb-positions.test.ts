/** Reads at a position through what may stand against them (live-queries.md 4), and history that is really gone (F15). */
import { randomBytes } from "node:crypto";
import { MongoClient } from "mongodb";
import t, { type Test } from "tap";
import type { Position } from "../../server/stores/document-store.ts";
import { type MongoStore, openMongoStore } from "../../server/stores/mongodb/store.ts";
import { failCommand, setFailPoint } from "../support/fail-points.ts";
import { newDatabase, type OwnMongod, useOwnMongod, withDatabase } from "../support/mongod.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";
import { find, idOf, PLENTY, put, refused } from "./document-store/fixture.ts";

/** What is written beyond a megabyte soon pushes older history out. */
const mongod = await useOwnMongod(t, { oplogSize: 1, syncDelay: 1 });
if (mongod) testPositions(mongod);

function testPositions(mongod: OwnMongod): void {
  const { host } = mongod.process;

  t.test("what passes is waited for, and what does not is told", async (t) => {
    const { store, notes: namespace } = await open(t, mongod.url);
    const at = await store.commit([put(store, "a")]);
    const ids = async (budget = PLENTY) => (await find(store, { at, budget })).rows.map(({ id }) => id);
    const failures = [
      { errorCode: 10107 },
      { errorCode: 11600 },
      { errorCode: 43 },
      { errorCode: 175 },
      { closeConnection: true },
    ];
    for (const failure of failures) {
      await failCommand(t, host, { failCommands: ["find"], namespace, ...failure }, 3);
      t.strictSame(await ids(), ["a"], JSON.stringify(failure));
    }
    const always = await failCommand(t, host, { failCommands: ["find"], namespace, errorCode: 10107 }, "always");
    await refused(t, ids({ ...PLENTY, milliseconds: 100 }), "unavailable");
    await always.off();
    await failCommand(t, host, { failCommands: ["find"], namespace, errorCode: 239 });
    await refused(t, ids(), "failed_precondition", { reason: "history_lost" });
    t.strictSame(await ids(), ["a"]);
  });

  t.test("a collection that is younger than the position is read a little later", async (t) => {
    const { store, notes: namespace } = await open(t, mongod.url);
    const at = await store.commit([put(store, "a")]);
    t.equal((await find(store, { at })).position, at, "which is not so of others");
    await failCommand(t, host, { failCommands: ["find"], namespace, errorCode: 246 }, 3);
    const { position, rows } = await find(store, { at });
    t.ok(position > at);
    t.equal(rows.length, 1);
    await store.passed(position);
    const always = await failCommand(t, host, { failCommands: ["find"], namespace, errorCode: 246 }, "always");
    await refused(t, find(store, { at }), "unavailable");
    await always.off();
  });

  t.test("what another node makes and drops is there or not, as it was at the position that is named", async (t) => {
    const { store: a, url } = await open(t, mongod.url);
    const b = await openStore(t, url);
    const faults: string[] = [];
    let early = 0;
    for (let n = 0; n < 8; n++) {
      const collection = `made${n}`;
      const before = b.position();
      await a.ensureCollection({ name: collection, indexes: [] });
      const made = await a.commit([put(a, "a", {}, 0, collection)]);
      const reads = [find(b, { collection, at: before }), find(b, { collection, at: made })];
      const dropping = a.dropCollection(collection);
      for (let i = 0; i < 6; i++) reads.push(find(b, { collection, at: i % 2 ? made : b.position() }));
      const dropped = await dropping;
      reads.push(find(b, { collection, at: dropped }));
      for (const { position, rows } of await Promise.all(reads)) {
        const expected = position >= made && position < dropped ? 1 : 0;
        if (rows.length !== expected)
          faults.push(`${rows.length} rows at ${position}: made ${made}, dropped ${dropped}`);
        early += expected;
      }
    }
    t.strictSame(faults, []);
    t.ok(early > 0, "some were read before the drop");
  });

  t.test("a page beyond one reply is of one state, whatever is written meanwhile", async (t) => {
    const { store, notes: namespace } = await open(t, mongod.url);
    const text = "x".repeat(900_000);
    const writes = Array.from({ length: 20 }, (_, n) => put(store, idOf(n), { text }));
    for (const write of writes) await store.commit([write]);
    const at = store.position();
    const more = await setFailPoint(t, host, "failCommand", {
      failCommands: ["getMore"],
      blockConnection: true,
      blockTimeMS: 200,
      namespace,
    });
    const reading = find(store, { at });
    await more.met(1);
    await store.commit(writes.map(({ id, version }) => put(store, id, { n: 1 }, version)));
    const { position, rows } = await reading;
    t.equal(position, at);
    t.strictSame(
      rows.map(({ version }) => version),
      writes.map(({ version }) => version),
    );
  });

  t.test("they have connections of their own", async (t) => {
    const { store, database } = await open(t, `${mongod.url}&maxPoolSize=2`);
    await store.ensureCollection({ name: "slow", indexes: [] });
    const at = await store.commit([put(store, "a"), put(store, "s", {}, 0, "slow")]);
    const block = { failCommands: ["find"], blockConnection: true, blockTimeMS: 500, namespace: `${database}.slow` };
    await failCommand(t, host, block, 2);
    const ends: string[] = [];
    const slow = [1, 2].map(() => find(store, { collection: "slow" }).then(() => ends.push("slow")));
    const others = [
      find(store).then(() => ends.push("now")),
      find(store, { at }).then(() => ends.push("at a position")),
    ];
    await Promise.all([...slow, ...others]);
    t.equal(ends[0], "at a position");
    t.ok(ends.indexOf("now") > ends.indexOf("slow"), "where others wait for one");
  });

  t.test("a server that is killed and comes back is waited for", async (t) => {
    const { store } = await open(t, mongod.url);
    const at = await store.commit([put(store, "a")]);
    await find(store, { at });
    await mongod.process.kill();
    const reading = find(store, { at });
    await mongod.process.start();
    const { position, rows } = await reading;
    t.strictSame([position >= at, rows.length], [true, 1]);
    await store.passed(position);
  });

  t.test("F15 history that has really gone is told, and reads before it are refused", async (t) => {
    const proxy = await startTcpProxy(host);
    t.teardown(() => proxy.close());
    const through = mongod.url.replace(host, proxy.host).replace(/\?.*/, "?directConnection=true");
    const { store, foreign } = await open(t, through);
    const told: Position[] = [];
    let lost = 0;
    const tail = store.tail(
      undefined,
      ({ position }) => told.push(position),
      () => {
        lost += 1;
      },
    );
    t.teardown(() => tail.close());
    const before = await store.commit([put(store, "a")]);
    await store.passed(before);
    t.equal((await find(store, { at: before })).rows.length, 1);
    await proxy.refuse();
    proxy.cut();
    await Promise.all([pushOut(foreign, before), until(() => !store.nodes.inTouch)]);
    t.ok(store.nodes.lag >= 4000, "who follows is told how late it is");
    const waiting = find(store, { at: before });
    await proxy.heal();
    await until(() => lost === 1);
    await refused(t, waiting, "failed_precondition", { reason: "history_lost" });
    await until(() => store.nodes.inTouch);
    await refused(t, find(store, { at: before }), "failed_precondition", { reason: "history_lost" });
    t.throws(() => store.tail(before, () => undefined), {
      code: "failed_precondition",
      details: { reason: "history_lost" },
    });
    const { position, rows } = await find(store, { at: tail.position });
    t.strictSame([position >= before, rows.length], [true, 1]);
    const after = await store.commit([put(store, "b")]);
    await store.passed(after);
    t.strictSame(told, [before, after]);
    t.equal((await find(store, { at: after })).rows.length, 2);
  });
}

/** Writes until the server's history begins after a position. */
async function pushOut(client: MongoClient, position: Position): Promise<void> {
  const seconds = Number.parseInt(position.split(".")[1]?.slice(0, 8) ?? "", 16);
  const oplog = client.db("local").collection("oplog.rs");
  await until(async () => {
    const bulk = Array.from({ length: 8 }, () => ({ text: "x".repeat(1_000_000) }));
    await client.db("elsewhere").collection("bulk").insertMany(bulk);
    const [oldest] = await oplog
      .find({}, { projection: { ts: 1 } })
      .sort({ $natural: 1 })
      .limit(1)
      .toArray();
    return oldest?.ts.t > seconds + 1;
  });
}

interface Opened {
  readonly store: MongoStore;
  readonly url: string;
  /** A client of another program, on the same database. */
  readonly foreign: MongoClient;
  readonly database: string;
  /** The namespace of the collection `notes`. */
  readonly notes: string;
}

async function openStore(t: Test, url: string): Promise<MongoStore> {
  const random = (bytes: number) => randomBytes(bytes);
  const store = await openMongoStore({ url, clock: Date.now, random, warn: (message) => t.comment(message) });
  t.teardown(() => store.close());
  return store;
}

async function open(t: Test, server: string): Promise<Opened> {
  const name = newDatabase();
  const url = withDatabase(server, name);
  const store = await openStore(t, url);
  await store.ensureCollection({ name: "notes", indexes: [] });
  const foreign = new MongoClient(withDatabase(mongod?.url ?? "", name));
  t.teardown(() => foreign.close());
  return { store, url, foreign, database: name, notes: `${name}.notes` };
}
