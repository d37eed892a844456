/** What reads on MongoDB owe beyond the laws of the port: documents of other programs, costs, and a server with a life of its own. */
import { type Collection, Decimal128, type Document, Double, Long, MongoClient, ObjectId } from "mongodb";
import type { Test } from "tap";
import { parseAggregate } from "#protocol/aggregate";
import { Faults, GalleyError } from "#protocol/errors";
import { sortKeyOf } from "#protocol/sort";
import { pooledRandom } from "../../server/random-bytes.ts";
import type { DocumentStore, IndexDefinition } from "../../server/stores/document-store.ts";
import { type MongoStore, openMongoStore } from "../../server/stores/mongodb/store.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";
import type { OwnMongod } from "../support/mongod.ts";
import { sendRaw } from "../support/raw-mongodb.ts";
import { until } from "../support/until.ts";
import {
  type Ask,
  built,
  count,
  fill,
  filterOf,
  find,
  findIds,
  idOf,
  PLENTY,
  put,
  refused,
  sortOf,
} from "./document-store/fixture.ts";

export async function testReads(t: Test, { url }: OwnMongod): Promise<void> {
  const client = await new MongoClient(url).connect();
  const store = await openMongoStore({ url, clock: Date.now, random: pooledRandom(), warn: (line) => t.comment(line) });
  await store.opened;
  t.teardown(async () => {
    await store.close();
    await client.close();
  });
  const notes = client.db().collection<Document>("notes");

  async function fresh(indexes: readonly IndexDefinition[] = []): Promise<MongoStore> {
    await store.dropCollection("notes");
    await store.ensureCollection({ name: "notes", indexes });
    await built(store);
    return store;
  }

  const ours = [
    { _id: "o1", _v: 1, a: 1, tags: ["x"] },
    { _id: "o2", _v: 1, a: 2, tags: ["y"] },
    { _id: "o3", a: 3, tags: [] },
  ];
  const FOREIGN: Document[] = [
    { _id: new ObjectId(), a: 1, tags: ["x"] },
    { _id: 7, a: 1, tags: ["x"] },
    { _id: "f with space", a: 1, tags: ["x"] },
    { _id: "f1", a: 1, ref: new ObjectId(), tags: ["x"] },
    { _id: "f2", a: 1, deep: [{ down: [Decimal128.fromString("1")] }], tags: ["x"] },
    { _id: "f3", a: 1, nan: new Double(Number.NaN), tags: ["x"] },
    { _id: "f4", a: 1, "with.dot": 1, tags: ["x"] },
    { _id: "f5", a: 1, _secret: 1, tags: ["x"] },
    { _id: "f6", a: 1, large: "x".repeat(1024 * 1024), tags: ["x"] },
    { _id: "f7", a: new ObjectId(), tags: ["x", new ObjectId()] },
    { _id: "f8", a: 1, tags: [Long.fromNumber(1), /x/] },
    { _id: "f9", a: [1, 2], tags: ["x", "z"], bad: new Date(8.64e15) },
  ];

  for (const [how, indexes] of Object.entries({
    "without an index": [],
    "by an index": [{ paths: ["a"] }, { paths: ["tags"] }],
  })) {
    t.test(`documents of other programs that the language cannot hold are at no door, ${how}`, async (t) => {
      await fresh(indexes);
      await notes.insertMany([...FOREIGN, ...ours] as Document[]);
      await sendRaw(url, insertOf({ _id: "f10", a: 1, text: "AAAA", tags: ["x"] }), (bytes) => {
        bytes.write("\xff", bytes.indexOf("AAAA"), "latin1");
      });
      const before = store.meter.foreign;
      for (const sort of [["_id"], ["-_id"], ["a"], ["-a", "tags"], ["tags"]]) {
        t.strictSame((await findIds(store, { sort })).sort(), ["o1", "o2", "o3"], `sorted by ${sort}`);
      }
      t.strictSame(await findIds(store, { filter: { a: 1 } }), ["o1"]);
      t.strictSame(await findIds(store, { filter: { tags: "x" }, sort: ["-a"] }), ["o1"]);
      t.ok(store.meter.foreign > before, "and are counted");
      for (const filter of [{}, { a: 1 }, { tags: { $in: ["x", "z"] } }, { nan: { $exists: true } }]) {
        const { length } = await findIds(store, { filter });
        t.match(await count(store, filter), { count: length, more: false });
        t.match(await count(store, filter, 1), { count: Math.min(length, 1), more: length > 1 });
      }
      const query = { collection: "notes", filter: filterOf({}), budget: PLENTY };
      t.strictSame((await store.distinct({ ...query, path: ["a"] })).values, [1, 2, 3]);
      t.strictSame((await store.distinct({ ...query, path: ["tags"] })).values, ["x", "y"]);
      const aggregate = aggregateOf({ group: ["a"], out: { n: { count: true }, tags: { max: "tags" } } });
      t.match((await store.aggregate({ ...query, aggregate })).groups, [
        { key: [1], out: { n: 1, tags: ["x"] } },
        { key: [2], out: { n: 1, tags: ["y"] } },
        { key: [3], out: { n: 1, tags: [] } },
      ]);
      const ids = ["f1", "o1", "f6", "f10", "f with space"];
      t.strictSame(
        (await store.get("notes", ids)).map((row) => row?.id),
        [undefined, "o1", undefined, undefined, undefined],
      );
    });
  }

  t.test("pages go on behind any number of documents of other programs", async (t) => {
    await fresh([{ paths: ["a"] }]);
    await notes.insertMany(
      Array.from({ length: 500 }, (_, n) => ({ _id: `f${n}`, a: 5, b: 5, ref: new ObjectId() }) as Document),
    );
    await fill(store, 10, (n) => ({ a: n, b: n }));
    for (const sort of [["a"], ["b"], ["-_id"]]) {
      const page = await find(store, { sort, limit: 8 });
      t.strictSame([page.rows.length, page.more], [8, true]);
      const last = page.rows.at(-1);
      const after = last && sortKeyOf(sortOf(sort), last.value);
      const rest = await find(store, { sort, limit: 8, ...(after && { after }) });
      t.strictSame([rest.rows.length, rest.more], [2, false]);
    }
  });

  t.test("a row that MongoDB finds and the evaluator does not is dropped and counted", async (t) => {
    await fresh();
    // Of two equal keys MongoDB looks at the first one, and whoever reads the document has the last.
    await sendRaw(url, insertOf({ _id: "twice", a: 1, b: 2 }), (bytes) => {
      bytes.write("a", bytes.lastIndexOf("\x10b\0") + 1, "latin1");
    });
    const before = store.meter.parity;
    t.strictSame(await findIds(store, { filter: { a: 1 } }), []);
    t.match(await count(store, { a: 1 }), { count: 0 });
    t.equal(store.meter.parity, before + 2);
  });

  t.test("a page costs the same wherever it stands, and however much is stored", async (t) => {
    const costs: object[] = [];
    for (const documents of [600, 6000]) {
      await fresh([{ paths: ["author", "-at"] }]);
      await fillPosts(notes, documents);
      await settled(store);
      costs.push({
        first: await keysOf(client, () => find(store, { ...BY_AUTHOR, limit: 20 })),
        deep: await keysOf(client, () =>
          find(store, { ...BY_AUTHOR, limit: 20, after: [documents / 4, idOf(documents / 2)] }),
        ),
        residual: await keysOf(client, () =>
          find(store, {
            ...BY_AUTHOR,
            filter: { author: "a0", status: { $ne: "none" } },
            limit: 20,
            after: [100, idOf(200)],
          }),
        ),
        backward: await keysOf(client, () =>
          find(store, { ...BY_AUTHOR, sort: ["at"], limit: 20, after: [100, idOf(200)] }),
        ),
        within: await keysOf(client, () =>
          find(store, { ...BY_AUTHOR, filter: { author: "a0", at: { $gte: 90 } }, limit: 20, after: [100, idOf(200)] }),
        ),
        byId: await keysOf(client, () => find(store, { limit: 20, after: [idOf(300)] })),
        byIdBackward: await keysOf(client, () => find(store, { sort: ["-_id"], limit: 20, after: [idOf(300)] })),
      });
    }
    t.strictSame(costs[1], costs[0]);
    for (const [name, { keys, documents }] of Object.entries(costs[0] ?? {})) {
      t.ok(keys <= 23 && documents <= 23, `${name}: ${keys} keys, ${documents} documents`);
    }
  });

  t.test("budgets are judged as on SQLite, and name the same index", async (t) => {
    await fresh(INDEXES);
    const sqlite = await openSqlite(t);
    await sqlite.ensureCollection({ name: "notes", indexes: INDEXES });
    for (const each of [store, sqlite]) await fill(each, 300, fieldsOf);
    for (const candidates of [5, 40, 60, 149, 150, 299, 300, 1000]) {
      const budget = { candidates, milliseconds: 60_000 };
      const asked = ASKS.map(async (ask) => {
        const question = { ...ask, budget };
        const text = `${JSON.stringify(ask)} within ${candidates}`;
        t.strictSame(
          await verdict(() => findIds(store, question)),
          await verdict(() => findIds(sqlite, question)),
          text,
        );
      });
      const counted = [{ k: 3 }, { n: 7 }, { n: { $gte: 100 }, k: 3 }, {}].map(async (filter) => {
        const query = { collection: "notes", filter: filterOf(filter), budget };
        const text = `${JSON.stringify(filter)} within ${candidates}`;
        const ofCount = async (each: DocumentStore) => (await each.count({ ...query, cap: 1000 })).count;
        const ofDistinct = async (each: DocumentStore) => (await each.distinct({ ...query, path: ["k"] })).values;
        t.strictSame(await verdict(() => ofCount(store)), await verdict(() => ofCount(sqlite)), `count ${text}`);
        t.strictSame(
          await verdict(() => ofDistinct(store)),
          await verdict(() => ofDistinct(sqlite)),
          `distinct ${text}`,
        );
      });
      await Promise.all([...asked, ...counted]);
    }
  });

  t.test("a large collection is searched to the budget and no further", async (t) => {
    await fresh([{ paths: ["author", "-at"] }]);
    await fillPosts(notes, 12_000);
    await settled(store);
    const budget = { candidates: 10_000, milliseconds: 60_000 };
    await refused(t, find(store, { filter: { text: "none" }, budget }), "index_required", {
      index: { paths: ["text"] },
    });
    await refused(
      t,
      find(store, { filter: { status: { $ne: "s0" }, text: { $ne: "t" } }, sort: ["-at"], budget }),
      "index_required",
    );
    t.equal((await findIds(store, { filter: { status: "s1" }, limit: 20, budget })).length, 20);
    t.strictSame(await findIds(store, { ...BY_AUTHOR, filter: { author: "a1", text: "none" }, budget }), []);
    const filter = filterOf({ status: "s1" });
    t.match(await store.count({ collection: "notes", filter, cap: 100, budget }), { count: 100, more: true });
    await refused(t, store.count({ collection: "notes", filter, cap: 100_000, budget }), "index_required");
  });

  t.test("a page of large documents comes whole, and one that is too large leaves nothing open", async (t) => {
    await fresh();
    const text = "x".repeat(900_000);
    for (let n = 0; n < 24; n++) await store.commit([put(store, idOf(n), { n, text })]);
    t.equal((await find(store, { limit: 30 })).rows.length, 24);
    t.equal((await find(store, { sort: ["-n"], limit: 30 })).rows.length, 24);
    await refused(t, find(store, { limit: 30, budget: { ...PLENTY, characters: 5_000_000 } }), "payload_too_large");
    await refused(
      t,
      find(store, { sort: ["n"], limit: 30, budget: { ...PLENTY, characters: 5_000_000 } }),
      "payload_too_large",
    );
    const open = async () => (await client.db("admin").command({ serverStatus: 1 })).metrics.cursor.open.total;
    const own = 3; // change streams of this store
    for (let tries = 0; (await open()) > own && tries < 200; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    t.ok((await open()) <= own);
  });

  t.test("a sort of more than MongoDB holds in memory goes on disk", async (t) => {
    await fresh();
    await fill(store, 400, (n) => ({ n: (n * 7919) % 400, text: "x".repeat(2000) }));
    const limit = (bytes: number) =>
      client.db("admin").command({ setParameter: 1, internalQueryMaxBlockingSortMemoryUsageBytes: bytes });
    await limit(100_000);
    try {
      const { rows } = await find(store, { sort: ["-n"], limit: 300 });
      t.strictSame(
        rows.map(({ value }) => value.n),
        Array.from({ length: 300 }, (_, n) => 399 - n),
      );
    } finally {
      await limit(100 * 1024 * 1024);
    }
  });

  t.test("an index that another program drops is missed by nobody", async (t) => {
    await fresh([{ paths: ["n"] }]);
    await fill(store, 50, (n) => ({ n }));
    await notes.dropIndexes();
    t.strictSame(await findIds(store, { filter: { n: { $gte: 48 } }, sort: ["-n"] }), [idOf(49), idOf(48)]);
    t.match(await count(store, { n: { $lt: 5 } }), { count: 5 });
  });

  t.test("every read is at the position of a state that was stored", async (t) => {
    await fresh();
    const query = { collection: "notes", filter: filterOf({}), budget: PLENTY };
    const aggregate = aggregateOf({ group: [], out: { n: { count: true } } });
    for (let n = 0; n < 20; n++) {
      const commit = await store.commit([put(store, idOf(n), { n })]);
      const reads = [
        find(store),
        store.count({ ...query, cap: 100 }),
        store.distinct({ ...query, path: ["n"] }),
        store.aggregate({ ...query, aggregate }),
        find(store, { filter: { n: { $in: [] } } }),
        find(store, { collection: "nowhere" }),
      ];
      for (const { position } of await Promise.all(reads)) t.ok(position >= commit, `${position} >= ${commit}`);
      t.equal((await find(store)).rows.length, n + 1);
    }
  });
}

const BY_AUTHOR = { filter: { author: "a0" }, sort: ["-at"] };

/** Waits until the store has heard of all that was written past it: falling far behind, it would refuse requests. */
async function settled(store: DocumentStore): Promise<void> {
  await until(() =>
    store.ping().then(
      () => true,
      () => false,
    ),
  );
  const { position } = await find(store, { limit: 1 });
  await store.passed(position);
}

/** Some at a time, since the store in this process hears of each. */
async function fillPosts(notes: Collection<Document>, count: number): Promise<void> {
  for (let from = 0; from < count; from += 1000) {
    const numbers = Array.from({ length: Math.min(1000, count - from) }, (_, i) => from + i);
    await notes.insertMany(
      numbers.map((n) => ({
        _id: idOf(n) as never,
        _v: 1,
        author: `a${n % 2}`,
        at: n / 2,
        status: `s${n % 3}`,
        text: "t",
      })),
    );
  }
}

/** What MongoDB looked at during a read of ours: it tells in its profile. */
async function keysOf(client: MongoClient, read: () => Promise<unknown>): Promise<{ keys: number; documents: number }> {
  const db = client.db();
  await db.command({ profile: 2 });
  try {
    await read();
  } finally {
    await db.command({ profile: 0 });
  }
  const ops = await db
    .collection("system.profile")
    .find({ ns: `${db.databaseName}.notes` })
    .toArray();
  await db.collection("system.profile").drop();
  const sum = (name: string) => ops.reduce((total, op) => total + Number(op[name] ?? 0), 0);
  return { keys: sum("keysExamined"), documents: sum("docsExamined") };
}

const INDEXES: IndexDefinition[] = [{ paths: ["n"] }, { paths: ["group", "-n"] }];

function fieldsOf(n: number): object {
  return { n, k: n % 10, group: `g${n % 2}`, half: n % 2 === 0, text: `t${n % 7}` };
}

const ASKS: Ask[] = [
  {},
  { limit: 10 },
  { filter: { k: 3 } },
  { filter: { k: 3 }, limit: 2 },
  { filter: { k: 3 }, sort: ["-k"] },
  { filter: { k: { $ne: 3 } }, limit: 30 },
  { filter: { n: { $gte: 150 } }, sort: ["n"], limit: 20 },
  { filter: { n: { $gte: 250 }, k: 3 } },
  { filter: { n: { $gte: 250 }, k: 3 }, sort: ["-n"], limit: 2 },
  { filter: { n: { $gte: 150, $lt: 180 } }, sort: ["text"], limit: 5 },
  { filter: { n: { $in: [1, 5, 200] }, k: 5 } },
  { filter: { group: "g1" }, sort: ["-n"], limit: 20 },
  { filter: { group: "g1", text: "t3" }, sort: ["-n"], limit: 5 },
  { filter: { group: "g1", text: "t3" }, sort: ["-n"], limit: 5, after: [100, idOf(100)] },
  { filter: { group: "g1", text: "none" }, sort: ["-n"] },
  { filter: { group: "g1" }, sort: ["k"], limit: 5 },
  { filter: { $or: [{ n: 3 }, { group: "g0", k: 4 }] } },
  { filter: { $or: [{ n: 3 }, { k: 4 }] } },
  { filter: { half: true }, sort: ["-_id"], limit: 10, after: [idOf(50)] },
  { filter: { _id: { $gte: idOf(280) }, k: 3 } },
  { sort: ["k", "n"], limit: 3 },
];

async function openSqlite(t: Test) {
  const folder = t.testdir();
  const sqlite = await openSqliteStore({ folder, clock: Date.now });
  t.teardown(() => sqlite.close());
  return sqlite;
}

/** What a read finds, or how it is refused. */
async function verdict(read: () => Promise<unknown>): Promise<unknown> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof GalleyError)) throw error;
    return { code: error.code, index: error.details.index };
  }
}

function insertOf(document: Document): Document {
  return { insert: "notes", documents: [document] };
}

function aggregateOf(input: object) {
  const faults = new Faults();
  const aggregate = parseAggregate(input, "aggregate", faults);
  faults.throwIfAny();
  return aggregate;
}
