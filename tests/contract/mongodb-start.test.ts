/** How MongoDB's store opens: formats, several nodes at once, odd servers, and what it remembers of versions and indexes. */
import { MongoClient } from "mongodb";
import t, { type Test } from "tap";
import { pooledRandom } from "../../server/random-bytes.ts";
import type { Migration } from "../../server/stores/mongodb/meta.ts";
import { type MongoOptions, openMongoStore } from "../../server/stores/mongodb/store.ts";
import { newDatabase, useMongod, withDatabase } from "../support/mongod.ts";
import { until } from "../support/until.ts";
import { built, fill, find, findIds, idOf, indexStates, put, refused, remove } from "./document-store/fixture.ts";

const mongod = await useMongod(t);
if (mongod) {
  const random = pooledRandom();
  const newUrl = () => withDatabase(mongod.url, newDatabase());

  const open = async (t: Test, url: string, options: Partial<MongoOptions> = {}) => {
    const warn = (message: string) => t.comment(message);
    const store = await openMongoStore({ url, clock: Date.now, random, warn, ...options });
    t.teardown(() => store.close());
    return store;
  };

  const database = (t: Test, url: string) => {
    const client = new MongoClient(url);
    t.teardown(() => client.close());
    return client.db();
  };

  const step = (format: number, done: number[], delay = 0): Migration => ({
    format,
    async apply() {
      await new Promise((resolve) => setTimeout(resolve, delay));
      done.push(format);
    },
  });

  t.test("an older database is migrated step by step, each once, and a newer one is refused", async (t) => {
    const url = newUrl();
    const done: number[] = [];
    const first = await open(t, url, { migrations: [step(1, done)] });
    await first.ensureCollection({ name: "notes", indexes: [] });
    await first.commit([put(first, "kept")]);
    await first.close();
    const migrations = [step(1, done), step(2, done), step(3, done)];
    const second = await open(t, url, { migrations });
    t.strictSame(done, [1, 2, 3]);
    t.strictSame(await findIds(second), ["kept"]);
    await second.close();
    await (await open(t, url, { migrations })).close();
    t.strictSame(done, [1, 2, 3]);
    const name = new URL(url).pathname.slice(1);
    await t.rejects(open(t, url, { migrations: [step(1, done)] }), {
      code: "failed_precondition",
      message: new RegExp(`^the database ${name} has format 3, and this Galley knows formats up to 1: `),
    });
  });

  t.test("nodes that start at once on an empty database agree on everything", async (t) => {
    const url = newUrl();
    const done: number[] = [];
    const stores = await Promise.all(
      Array.from({ length: 3 }, () => open(t, url, { migrations: [step(1, done, 20), step(2, done, 20)] })),
    );
    const definition = { name: "notes", indexes: [{ paths: ["n"] }, { paths: ["k"], unique: true }] };
    await Promise.all(stores.map((store) => store.ensureCollection(definition)));
    for (const store of stores) {
      await built(store);
      t.strictSame(await indexStates(store), ["ready", "ready"]);
    }
    const histories = new Set(stores.map((store) => store.position().split(".")[0]));
    t.equal(histories.size, 1);
    await Promise.all(stores.map((store, n) => store.commit([put(store, idOf(n), { n, k: n })])));
    for (const store of stores) t.strictSame(await findIds(store), [idOf(0), idOf(1), idOf(2)]);
    const formats = await database(t, url)
      .collection<{ _id: string; format?: number }>("_meta")
      .findOne({ _id: "format" });
    t.equal(formats?.format, 2);
  });

  t.test("a migration that fails leaves the format before it, and is done at the next start", async (t) => {
    const url = newUrl();
    const done: number[] = [];
    const broken: Migration = { format: 2, apply: () => Promise.reject(new Error("broken")) };
    const waiting = await openMongoStore({
      url,
      clock: Date.now,
      random,
      warn: () => {},
      migrations: [step(1, done), broken],
    });
    await refused(t, waiting.get("notes", ["a"]), "unavailable");
    await waiting.close();
    const store = await open(t, url, { migrations: [step(1, done), step(2, done)] });
    t.strictSame(done, [1, 2]);
    await store.ping();
  });

  t.test(
    "a user or password that MongoDB refuses, and a URL that is none, are told in one line without them",
    async (t) => {
      const told: string[] = [];
      const warn = (message: string, error?: unknown) => told.push(message, String(error));
      const wrong = mongod.url.replace("mongodb://", "mongodb://someone:hunter2@");
      for (const url of [wrong, `${mongod.url}&nonsense=hunter2`, "mongodb://a:hunter2@b:c/d"]) {
        const error = await openMongoStore({ url, clock: Date.now, random, warn }).then(
          () => undefined,
          (error: unknown) => error as Error & { code?: string },
        );
        t.equal(error?.code, "failed_precondition");
        t.match(error?.message, /GALLEY_MONGODB_URL/);
        t.notMatch(`${error?.message}${error?.stack}${error?.cause}`, /hunter2/);
      }
      t.notMatch(told.join(), /hunter2/);
    },
  );

  t.test("a document that is made anew by a node with a slow clock has a higher version than before", async (t) => {
    const url = newUrl();
    const store = await open(t, url);
    const slow = await open(t, url, { clock: () => Date.now() - 3_600_000 });
    await store.ensureCollection({ name: "notes", indexes: [] });
    for (let round = 0; round < 10; round++) {
      const before = put(store, "a", { round });
      await store.commit([before]);
      await slow.passed(await store.commit([remove("a", before.version)]));
      const after = put(slow, "a", { round });
      await slow.commit([after]);
      t.ok(after.version > before.version, `${after.version} after ${before.version}`);
      await store.passed(await slow.commit([remove("a", after.version)]));
    }
    t.ok(slow.nextVersion(0) > (Date.now() - 60_000) * 1024, "the cluster's time is the least of any clock");
  });

  t.test("an index that one node has built serves the others, and its end is known to all", async (t) => {
    const url = newUrl();
    const [one, other] = [await open(t, url), await open(t, url)];
    await one.ensureCollection({ name: "notes", indexes: [] });
    await fill(one, 500, (n) => ({ n, k: n === 400 ? 7 : n }));
    await one.ensureCollection({ name: "notes", indexes: [{ paths: ["n"] }, { paths: ["k"], unique: true }] });
    await until(async () => (await indexStates(other)).join() === "ready,failed");
    await until(async () => (await find(other, { filter: { n: 300 } })).examined === 1);
    const [, failed] = (await other.stats("notes"))?.indexes ?? [];
    t.match(failed, { state: "failed", duplicates: [[idOf(7), idOf(400)]] });
    await one.ensureCollection({ name: "notes", indexes: [] });
    await until(async () => (await indexStates(other)).length === 0);
    await until(async () => (await find(other, { filter: { n: 300 } })).examined === 500);
  });

  t.test("a node finishes what a killed one was building", async (t) => {
    const url = newUrl();
    const first = await open(t, url);
    await first.ensureCollection({ name: "notes", indexes: [] });
    await fill(first, 100, (n) => ({ n }));
    await first.close();
    // As it is left by a node that ended between its record and MongoDB's answer.
    const db = database(t, url);
    const [info] = await db.listCollections({ name: "notes" }).toArray();
    const uuid = (info as { info?: { uuid?: { buffer: Uint8Array } } }).info?.uuid?.buffer ?? new Uint8Array();
    await db.collection<{ _id: string }>("_catalog").replaceOne(
      { _id: "notes" },
      {
        _v: 9,
        uuid: Buffer.from(uuid).toString("hex"),
        builder: "gone",
        indexes: [{ paths: ["n"], state: "building" }],
      },
    );
    const second = await open(t, url);
    await built(second);
    t.strictSame(await indexStates(second), ["ready"]);
    t.equal((await find(second, { filter: { n: 7 } })).examined, 1);
  });

  t.test("an index over keys that are too long fails, though MongoDB would hold them", async (t) => {
    const store = await open(t, newUrl());
    await store.ensureCollection({ name: "notes", indexes: [] });
    await store.commit([put(store, "long", { a: { b: "x".repeat(3000) } }), put(store, "short", { a: { b: "x" } })]);
    await store.ensureCollection({ name: "notes", indexes: [{ paths: ["a.b"] }] });
    await built(store);
    const [failed] = (await store.stats("notes"))?.indexes ?? [];
    t.match(failed, { state: "failed", reason: 'the document "long" cannot be indexed: index_key_too_long' });
  });

  t.test("an index of another program under another name is told as what stands in the way", async (t) => {
    const url = newUrl();
    const store = await open(t, url);
    await store.ensureCollection({ name: "notes", indexes: [] });
    await database(t, url).collection("notes").createIndex({ n: 1, _id: 1 }, { name: "theirs" });
    await store.ensureCollection({ name: "notes", indexes: [{ paths: ["n"] }] });
    await built(store);
    t.match((await store.stats("notes"))?.indexes, [{ state: "failed", reason: /another program/ }]);
  });
}
