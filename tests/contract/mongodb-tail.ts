/** The one change stream of a node: whole commits, each once, in order, through every fault (fault-cases.md F15-F17, F21). */
import { randomBytes } from "node:crypto";
import { type Document, Long, MongoClient } from "mongodb";
import type { Test } from "tap";
import type { Commit, DocumentStore, Position } from "../../server/stores/document-store.ts";
import { type MongoStore, openMongoStore } from "../../server/stores/mongodb/store.ts";
import { failCommand, onServer } from "../support/fail-points.ts";
import { newDatabase, type OwnMongod, withDatabase } from "../support/mongod.ts";
import { sendRaw } from "../support/raw-mongodb.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";
import { check, find, idOf, put, refused, remove } from "./document-store/fixture.ts";

export function testTail(t: Test, mongod: OwnMongod): void {
  const { host } = mongod.process;

  t.test("values come by the tail as they are read, and what is no UTF-8 holds up nothing", async (t) => {
    const { store, told, notes, url } = await open(t, mongod);
    const fields = { long: { $numberLong: "7" }, bytes: { $binary: { base64: "AQI=", subType: "00" } }, at: 1.5 };
    const mine = put(store, "mine", fields);
    await store.commit([mine]);
    const command = { insert: "notes", documents: [{ _id: "odd", text: "AAAA" }] };
    await sendRaw(url, command, (bytes) => bytes.write("\xff", bytes.indexOf("AAAA"), "latin1"));
    await notes.updateOne({ _id: "odd" }, { $set: { more: 1 } } as Document);
    await notes.updateOne({ _id: "mine" }, { $set: { at: 2.5 } } as Document);
    await until(() => told.at(-1)?.changes[0]?.next?.value.at === 2.5);
    t.strictSame(
      told.map(({ changes }) => changes.map(({ id, next }) => [id, next?.text])),
      [[["mine", mine.text]], [["odd", undefined]], [["odd", undefined]], [["mine", mine.text.replace("1.5", "2.5")]]],
    );
    const [row] = (await find(store, { filter: { _id: "mine" } })).rows;
    t.equal(told.at(-1)?.changes[0]?.next?.text, row?.text);
  });

  t.test("operators, replaces and deletes of other programs are told in order, each as it then was", async (t) => {
    const { store, foreign, told, notes } = await open(t, mongod);
    const mine = put(store, "mine", { n: 1 });
    await store.commit([mine]);
    await notes.insertOne({ _id: "theirs", n: 0 });
    for (let n = 0; n < 50; n++)
      await notes.updateOne({ _id: "theirs" }, { $inc: { n: 1 }, $push: { list: n } } as Document);
    await notes.updateMany({}, { $set: { seen: true }, $unset: { list: "" } });
    await notes.replaceOne({ _id: "mine" }, { n: "odd", _v: "no version" });
    await notes.insertOne({ _id: "outside", pattern: /regular/ });
    await notes.insertOne({ _id: 5 as never });
    await notes.updateOne({ _id: "outside" }, { $set: { pattern: 1 } });
    await notes.deleteOne({ _id: "theirs" });
    await notes.deleteOne({ _id: "theirs" });
    const session = foreign.startSession();
    await session.withTransaction(async () => {
      await notes.updateOne({ _id: "mine" }, { $set: { n: 1 } }, { session });
      await notes.insertOne({ _id: "x" }, { session });
      await notes.updateOne({ _id: "mine" }, { $set: { n: 2 } }, { session });
    });
    await session.endSession();
    await until(() => told.some(({ changes }) => changes.some(({ id }) => id === "x")));
    const texts = told.flatMap(({ changes }) => changes.map(({ id, next }) => [id, next?.text]));
    const theirs = Array.from({ length: 50 }, (_, n) => {
      const list = Array.from({ length: n + 1 }, (_, i) => i);
      return ["theirs", JSON.stringify({ _id: "theirs", n: n + 1, list })];
    });
    const seen = mine.text.replace(/}$/, ',"seen":true}');
    t.strictSame(texts, [
      ["mine", mine.text],
      ["theirs", '{"_id":"theirs","n":0}'],
      ...theirs,
      ["mine", seen],
      ["theirs", '{"_id":"theirs","n":50,"seen":true}'],
      ["mine", '{"_id":"mine","n":"odd","_v":"no version"}'],
      ["outside", undefined],
      ["outside", '{"_id":"outside","pattern":1}'],
      ["theirs", undefined],
      ["mine", '{"_id":"mine","n":2,"_v":"no version"}'],
      ["x", '{"_id":"x"}'],
    ]);
    t.equal(told.at(-1)?.changes.length, 2, "a transaction of another program is one commit");
    t.equal(told.at(-1)?.changes[0]?.next?.version, 1, "a missing or odd _v is 1");
    await notes.insertOne({ _id: "long", _v: Long.fromNumber(5) });
    await notes.updateOne({ _id: "long" }, { $inc: { _v: 1 } });
    const versions = () =>
      told.flatMap(({ changes }) => changes.flatMap(({ id, next }) => (id === "long" ? [next] : [])));
    await until(() => versions().length === 2);
    const named = versions().map((row) => row?.version);
    t.strictSame(named, [5, 6], "an int64 is a version");
  });

  t.test("large transactions are one commit each, whoever makes them", async (t) => {
    const { store, foreign, told, notes } = await open(t, mongod);
    const text = "x".repeat(900_000);
    const large = Array.from({ length: 25 }, (_, n) => put(store, idOf(n), { text }));
    const position = await store.commit(large);
    await store.passed(position);
    t.strictSame(shapes(told), [[position, 25]]);
    const session = foreign.startSession();
    await session.withTransaction(async () => {
      const documents = Array.from({ length: 1500 }, (_, n) => ({
        _id: `t${n}`,
        text: "y".repeat(n % 7 ? 10 : 60_000),
      }));
      await notes.insertMany(documents, { session });
    });
    await session.endSession();
    await until(() => told.length === 2);
    t.equal(told[1]?.changes.length, 1500);
    const many = Array.from({ length: 500 }, (_, n) => remove(`t${n}`, 1));
    await store.passed(await store.commit(many));
    t.equal(told[2]?.changes.length, 500);
    t.equal(told.length, 3);
  });

  t.test("F17 through killed cursors, cut networks and errors: nothing is repeated, nothing missed", async (t) => {
    const proxy = await startTcpProxy(host);
    t.teardown(() => proxy.close());
    const through = mongod.url.replace(host, proxy.host).replace(/\?.*/, "?directConnection=true");
    const { store, told, notes, foreign } = await open(t, mongod, through);
    let writing = true;
    const confirmed: [version: number, position: Position][] = [];
    const writers = Array.from({ length: 4 }, async (_, w) => {
      for (let n = 0; writing; n++) {
        try {
          const rows = await store.get("notes", [`a${w}`, `b${w}`]);
          const [a = 0, b = 0] = rows.map((row) => row?.version ?? 0);
          const writes = n % 3 === 0 ? [put(store, `a${w}`, { n }, a)] : pair(store, w, n, a, b);
          const position = await store.commit(writes);
          for (const { version } of writes) confirmed.push([version, position]);
        } catch {
          // Its end may be unknown; the order of commits is what is looked at here.
        }
        if (n % 5 === 0) await notes.updateOne({ _id: `f${w}` }, { $set: { n } }, { upsert: true });
      }
    });
    for (let round = 0; round < 12; round++) {
      const before = store.counts.restarts;
      if (round % 4 === 0) await failCommand(t, host, { failCommands: ["getMore"], errorCode: 43 });
      else if (round % 4 === 1) await failCommand(t, host, { failCommands: ["getMore"], closeConnection: true });
      // Once may be just between two of its round trips, where the server shows no cursor.
      else if (round % 4 === 2) await until(async () => (await killCursors(foreign)) > 0);
      else proxy.cut({ app: "galley" });
      await until(() => store.counts.restarts > before);
      const { length } = told;
      await until(() => told.length > length + 5);
    }
    writing = false;
    await Promise.all(writers);
    await until(async () => JSON.stringify(fold(told)) === JSON.stringify(await stored(store)));
    const order = told.map(({ position }) => position);
    t.strictSame(order, [...new Set(order)].sort(), "in order, each once");
    const toldAt = new Map(
      told.flatMap(({ position, changes }) => changes.map(({ next }) => [next?.version ?? 0, position])),
    );
    // A write that had to be asked for twice may name a later position: one at which it is visible.
    const wrong = confirmed.filter(([version, position]) => (toldAt.get(version) ?? "none") > position);
    t.strictSame(wrong, [], `and every confirmed one of ${confirmed.length}`);
    t.ok(told.every(({ changes }) => changes.length === 1 || changes.length === 2));
    for (const { changes } of told) {
      const [a, b] = changes.map(({ next }) => next?.value.n);
      if (changes.length === 2) t.equal(a, b, "never half a commit");
    }
    t.equal(store.counts.losses, 0);
  });

  t.test("a stream that falls silent without an error is replaced", async (t) => {
    const { store, told } = await open(t, mongod);
    const { restarts } = store.counts;
    const silence = { failCommands: ["getMore"], blockConnection: true, blockTimeMS: 8000 };
    const point = await failCommand(t, host, silence);
    await point.met(1);
    const position = await store.commit([put(store, "a")]);
    await until(() => store.counts.restarts > restarts, 30);
    await store.passed(position);
    t.strictSame(shapes(told), [[position, 1]]);
    t.equal(store.counts.losses, 0);
  });

  t.test("F15 history that is gone is told, and followed from there on", async (t) => {
    const { store, told, lost } = await open(t, mongod);
    const before = await store.commit([put(store, "a")]);
    await store.passed(before);
    const point = await failCommand(t, host, { failCommands: ["getMore"], errorCode: 286 });
    await point.met(1);
    await until(() => lost.count === 1);
    t.equal(store.counts.losses, 1);
    const after = await store.commit([put(store, "b")]);
    await store.passed(after);
    t.strictSame(shapes(told), [
      [before, 1],
      [after, 1],
    ]);
    t.throws(() => store.tail(before, () => undefined), {
      code: "failed_precondition",
      details: { reason: "history_lost" },
    });
    await store.tail(after, () => undefined).close();
    await refused(t, store.passed(`0.${after.split(".")[1]}` as Position), "unavailable");
  });

  t.test("F15 a stream that cannot be opened again where it was has lost its history", async (t) => {
    const { store, lost } = await open(t, mongod);
    await failCommand(t, host, { failCommands: ["aggregate"], errorCode: 286 });
    await failCommand(t, host, { failCommands: ["getMore"], errorCode: 43 });
    await onServer(host, {
      configureFailPoint: "failCommand",
      mode: { times: 2 },
      data: { failCommands: ["getMore", "aggregate"], errorCode: 286, appName: "galley" },
    });
    await until(() => lost.count >= 1);
    await store.passed(await store.commit([put(store, "a")]));
  });

  t.test("F16 drops and renames are told; a dropped database loses all, and is followed again", async (t) => {
    const { store, foreign, told, lost, notes } = await open(t, mongod);
    await store.ensureCollection({ name: "others", indexes: [] });
    await store.commit([put(store, "a"), put(store, "o", {}, 0, "others")]);
    await notes.rename("renamed");
    await until(() => told.length === 2);
    t.strictSame([told[1]?.dropped, told[1]?.changes], [["notes", "renamed"], []]);
    t.equal((await find(store, { collection: "notes" })).rows.length, 0);
    t.equal((await find(store, { collection: "renamed" })).rows.length, 1, "what came by a rename is found");
    await foreign.db().collection("renamed").drop();
    await until(() => told.length === 3);
    t.strictSame(told[2]?.dropped, ["renamed"]);
    const other = put(store, "p", {}, 0, "others");
    await store.passed(await store.commit([other]));
    t.equal(told.length, 4, "others go on");
    const [history] = store.position().split(".");
    await foreign.db().dropDatabase();
    await until(() => lost.count === 1);
    t.not(store.position().split(".")[0], history, "another history");
    await store.ensureCollection({ name: "notes", indexes: [] });
    const position = await store.commit([put(store, "new")]);
    await store.barrier(position);
    t.equal(told.at(-1)?.position, position);
  });

  t.test("a position moves on though nothing is written", async (t) => {
    const { store, foreign } = await open(t, mongod);
    await foreign.db("elsewhere").collection("x").insertOne({});
    const { operationTime } = await foreign.db().command({ ping: 1 });
    const digits = [operationTime.t, operationTime.i]
      .map((part: number) => part.toString(16).padStart(8, "0"))
      .join("");
    await store.passed(`${store.position().split(".")[0]}.${digits}` as Position);
    t.pass("without a commit of ours");
    await store.passed(await store.commit([put(store, "a")]));
    const before = store.counts.commits;
    const [row] = await store.get("notes", ["a"]);
    await store.passed(await store.commit([check("a", row?.version ?? 0)]));
    t.equal(store.counts.commits, before, "a check tells nobody, and is passed");
  });

  t.test("what nobody follows is not sent: only its drops are told, and its positions are passed", async (t) => {
    const { store, told } = await open(t, mongod, mongod.url, ["_audit"]);
    await store.ensureCollection({ name: "_audit", indexes: [] });
    const line = (n: number) => put(store, `line${n}`, { n }, 0, "_audit");
    await store.passed(await store.commit([put(store, "before")]));
    const before = { ...store.counts };
    for (let n = 0; n < 200; n++) await store.commit([line(n)]);
    const alone = await store.commit(Array.from({ length: 50 }, (_, n) => line(1000 + n)));
    await store.passed(alone);
    await store.barrier(alone);
    t.ok(store.counts.events - before.events < 50, `${store.counts.events - before.events} events of 250 writes`);
    t.equal(store.counts.commits, before.commits);
    const both = await store.commit([line(2000), put(store, "after"), line(2001)]);
    const dropped = await store.dropCollection("_audit");
    await store.passed(dropped);
    const since = told
      .slice(1)
      .map(({ position, changes, dropped = [] }) => [position, changes.map(({ id }) => id), dropped]);
    t.strictSame(since, [
      [both, ["after"], []],
      [dropped, [], ["_audit"]],
    ]);
  });
}

interface Opened {
  readonly store: MongoStore;
  /** A client of another program, on the same database. */
  readonly foreign: MongoClient;
  readonly notes: ReturnType<typeof notesOf>;
  readonly told: Commit[];
  readonly lost: { count: number };
  readonly url: string;
}

async function open(t: Test, mongod: OwnMongod, url = mongod.url, unfollowed: readonly string[] = []): Promise<Opened> {
  const database = newDatabase();
  const store = await openMongoStore({
    url: withDatabase(url, database),
    clock: Date.now,
    random: (bytes) => randomBytes(bytes),
    warn: (message) => t.comment(message),
    unfollowed,
  });
  t.teardown(() => store.close());
  const foreign = new MongoClient(withDatabase(mongod.url, database));
  t.teardown(() => foreign.close());
  await store.ensureCollection({ name: "notes", indexes: [] });
  const told: Commit[] = [];
  const lost = { count: 0 };
  const tail = store.tail(
    undefined,
    (commit) => told.push(commit),
    () => {
      lost.count += 1;
    },
  );
  t.teardown(() => tail.close());
  return { store, foreign, notes: notesOf(foreign), told, lost, url: withDatabase(mongod.url, database) };
}

function notesOf(client: MongoClient) {
  return client.db().collection<{ _id: string } & Document>("notes");
}

function pair(store: DocumentStore, writer: number, n: number, a: number, b: number) {
  return [put(store, `a${writer}`, { n }, a), put(store, `b${writer}`, { n }, b)];
}

function shapes(told: readonly Commit[]): [Position, number][] {
  return told.map(({ position, changes }) => [position, changes.length]);
}

/** What the commits leave, by id. */
function fold(told: readonly Commit[]): [string, string][] {
  const state = new Map<string, string>();
  for (const { changes } of told) {
    for (const { id, next } of changes) {
      if (next) state.set(id, next.text);
      else state.delete(id);
    }
  }
  return [...state].sort();
}

async function stored(store: DocumentStore): Promise<[string, string][]> {
  return (await find(store)).rows.map(({ id, text }): [string, string] => [id, text]).sort();
}

/** Kills every cursor of a change stream, as an operator might. @returns how many the server found */
async function killCursors(client: MongoClient): Promise<number> {
  const admin = client.db("admin");
  const found = await admin
    .aggregate([{ $currentOp: { idleCursors: true, allUsers: true } }, { $match: { "cursor.tailable": true } }])
    .toArray();
  let count = 0;
  for (const { ns, cursor } of found) {
    const database = String(ns).split(".")[0] as string;
    const killed = await client.db(database).command({ killCursors: "$cmd.aggregate", cursors: [cursor.cursorId] });
    count += killed.cursorsKilled.length;
  }
  return count;
}
