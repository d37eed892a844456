/** Indexes that are dropped late, or by somebody else: what is told to be ready is there (query-language.md 8). */
import { MongoClient } from "mongodb";
import type { Test } from "tap";
import { pooledRandom } from "../../server/random-bytes.ts";
import { type MongoStore, openMongoStore } from "../../server/stores/mongodb/store.ts";
import { failCommand } from "../support/fail-points.ts";
import { newDatabase, type OwnMongod, withDatabase } from "../support/mongod.ts";
import { until } from "../support/until.ts";
import { built, fill, find, idOf, indexStates, put, refused, remove } from "./document-store/fixture.ts";

const UNIQUE = { name: "notes", indexes: [{ paths: ["email"], unique: true }] };
const PLAIN = { name: "notes", indexes: [{ paths: ["n"] }] };
const LATE = { failCommands: ["dropIndexes"], blockConnection: true, blockTimeMS: 700 };

export function testBuilds(t: Test, mongod: OwnMongod): void {
  const { host } = mongod.process;
  const client = new MongoClient(mongod.url);
  t.teardown(() => client.close());

  async function open(t: Test, url: string): Promise<MongoStore> {
    const store = await openMongoStore({
      url,
      clock: Date.now,
      random: pooledRandom(),
      warn: (text) => t.comment(text),
    });
    t.teardown(() => store.close());
    return store;
  }

  /** A new database, and its collection as another program sees it. */
  function place() {
    const name = newDatabase();
    return { url: withDatabase(mongod.url, name), notes: client.db(name).collection<{ _id: string }>("notes") };
  }

  /** Waits until MongoDB has an index, or not. */
  function untilListed(notes: ReturnType<typeof place>["notes"], name: string, wanted: boolean): Promise<void> {
    return until(async () => (await notes.listIndexes().toArray()).some((index) => index.name === name) === wanted);
  }

  t.test("an index that failed, mended and wanted again, is not dropped once it is built", async (t) => {
    const { url } = place();
    const store = await open(t, url);
    await store.ensureCollection({ name: "notes", indexes: [] });
    await fill(store, 20, (n) => ({ email: n === 9 ? "e7" : `e${n}` }));
    await store.ensureCollection(UNIQUE);
    await built(store);
    t.strictSame(await indexStates(store), ["failed"]);
    await store.commit([remove(idOf(9), (await store.get("notes", [idOf(9)]))[0]?.version ?? 0)]);
    await failCommand(t, host, LATE, "always");
    await store.ensureCollection(UNIQUE);
    await built(store);
    t.strictSame(await indexStates(store), ["ready"]);
    await refused(t, store.commit([put(store, "x", { email: "e7" })]), "unique_violation");
  });

  t.test("an index that one node drops late, when another has made it again, is built again", async (t) => {
    const { url, notes } = place();
    const [a, b] = await Promise.all([open(t, url), open(t, url)]);
    await a.ensureCollection(UNIQUE);
    await built(a);
    await a.commit([put(a, "one", { email: "e1" })]);
    const late = await failCommand(t, host, LATE);
    const dropping = a.ensureCollection({ name: "notes", indexes: [] });
    await late.met(1);
    await b.ensureCollection(UNIQUE);
    await built(b);
    t.strictSame(await indexStates(b), ["ready"]);
    await dropping;
    await untilListed(notes, "galley:unique:email", true);
    await until(async () => (await indexStates(a))[0] === "ready");
    for (const store of [a, b]) {
      await refused(t, store.commit([put(store, "two", { email: "e1" })]), "unique_violation");
    }
  });

  t.test("an index that another program drops is built again; what cannot be is told", async (t) => {
    const { url, notes } = place();
    const store = await open(t, url);
    await store.ensureCollection(UNIQUE);
    await store.ensureCollection({ name: "notes", indexes: [...UNIQUE.indexes, ...PLAIN.indexes] });
    await fill(store, 50, (n) => ({ email: `e${n}`, n }));
    await built(store);
    await notes.dropIndexes();
    t.equal((await find(store, { filter: { n: 7 } })).rows.length, 1, "it is read without");
    await untilListed(notes, "galley:unique:email", true);
    await untilListed(notes, "galley:n", true);
    await built(store);
    t.strictSame(await indexStates(store), ["ready", "ready"]);
    await refused(t, store.commit([put(store, "x", { email: "e7" })]), "unique_violation");
    t.equal((await find(store, { filter: { n: 7 } })).examined, 1);

    await failCommand(t, host, { failCommands: ["createIndexes"], errorCode: 189 }, 1);
    await notes.dropIndex("galley:unique:email");
    await notes.insertOne({
      _id: "clash",
      _v: 1,
      _createdAt: new Date(),
      _updatedAt: new Date(),
      email: "e7",
    } as never);
    await until(async () => (await indexStates(store))[0] === "failed");
    t.match((await store.stats("notes"))?.indexes[0], { duplicates: [[idOf(7), "clash"]] });
  });

  t.test("an index that was dropped while no Galley ran is built again at the start", async (t) => {
    const { url, notes } = place();
    const before = await openMongoStore({ url, clock: Date.now, random: pooledRandom(), warn: () => {} });
    await before.ensureCollection(UNIQUE);
    await before.commit([put(before, "one", { email: "e1" })]);
    await built(before);
    await before.close();
    await notes.dropIndexes();
    const store = await open(t, url);
    await built(store);
    t.strictSame(await indexStates(store), ["ready"]);
    await refused(t, store.commit([put(store, "two", { email: "e1" })]), "unique_violation");
  });
}
