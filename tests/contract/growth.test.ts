/** The growth laws of documents: what an operation costs is counted, and may not rise with what is stored. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { normalise } from "#protocol/normalise";
import { parseSort, sortKeyOf } from "#protocol/sort";
import type { DocumentStore, FindQuery, Write } from "../../server/stores/document-store.ts";
import { openSqliteStore, type SqliteStore } from "../../server/stores/sqlite/store.ts";
import { startServices } from "../support/services.ts";
import { fill } from "./document-store/fixture.ts";

const AT = '{"$date":"2026-01-01T00:00:00.000Z"}';

async function storeOf(t: Test, count: number): Promise<SqliteStore> {
  const folder = mkdtempSync(join(tmpdir(), "galley-growth-"));
  const store = await openSqliteStore({ folder, clock: Date.now });
  t.teardown(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  await store.ensureCollection({ name: "posts", indexes: [{ paths: ["author", "-at"] }] });
  for (let n = 0; n < count; n += 500) {
    const writes: Write[] = [];
    for (let i = n; i < Math.min(count, n + 500); i++) {
      const id = `p${String(i).padStart(6, "0")}`;
      const version = store.nextVersion(0);
      const text = `{"_id":"${id}","_v":${version},"_createdAt":${AT},"_updatedAt":${AT},"author":"a${i % 2}","at":${i},"status":"s${i % 3}"}`;
      writes.push({ kind: "put", collection: "posts", id, expect: 0, version, text });
    }
    await store.commit(writes);
  }
  return store;
}

function question(filter: object, sort: string[], limit: number): FindQuery {
  const faults = new Faults();
  const query = {
    collection: "posts",
    filter: normalise(parseFilter(filter, "filter", faults)),
    sort: parseSort(sort, "sort", faults),
    limit,
    budget: { candidates: 100_000, milliseconds: 5000 },
  };
  faults.throwIfAny();
  return query;
}

/** Documents parsed and examined by one call. */
async function cost(store: SqliteStore, call: () => Promise<unknown>): Promise<{ parsed: number; examined: number }> {
  const before = store.meter.parsed;
  const { examined = 0 } = ((await call()) ?? {}) as { examined?: number };
  return { parsed: store.meter.parsed - before, examined };
}

t.test("what an operation costs does not rise with what is stored", async (t) => {
  const costs: object[] = [];
  for (const count of [400, 20_000]) {
    const store = await storeOf(t, count);
    const newest = question({ author: "a1" }, ["-at"], 20);
    const first = await store.find(newest);
    let deep = first;
    for (let page = 0; page < 4; page++) {
      const last = deep.rows.at(-1);
      if (!last) throw new Error("the pages ended early");
      const after = sortKeyOf(newest.sort, last.value);
      if (!after) throw new Error("a row without a sort key");
      deep = await store.find({ ...newest, after });
    }
    const lastOfDeep = deep.rows[0];
    const after = lastOfDeep && sortKeyOf(newest.sort, lastOfDeep.value);
    costs.push({
      get: await cost(store, () => store.get("posts", ["p000017"])),
      absent: await cost(store, () => store.get("posts", ["none"])),
      firstPage: await cost(store, () => store.find(newest)),
      fifthPage: await cost(store, () => store.find(after ? { ...newest, after } : newest)),
      byId: await cost(store, () => store.find(question({}, ["_id"], 20))),
      residual: await cost(store, () => store.find(question({ author: "a1", status: { $ne: "s9" } }, ["-at"], 20))),
    });
  }
  t.same(costs[1], costs[0]);
  t.match(costs[0], {
    get: { parsed: 0 },
    absent: { parsed: 0 },
    firstPage: { parsed: 0 },
    byId: { parsed: 0 },
  });
  const { firstPage, residual } = costs[0] as { firstPage: { examined: number }; residual: { parsed: number } };
  t.ok(firstPage.examined <= 21, "a page examines itself and one row more");
  t.ok(residual.parsed <= 21, "and parses only what it has to evaluate");
});

t.test("a count that an index decides parses nothing", async (t) => {
  const store = await storeOf(t, 2000);
  const { filter, budget } = question({ author: "a1" }, [], 1);
  const { parsed } = await cost(store, async () => {
    const { count } = await store.count({ collection: "posts", filter, budget, cap: 10_000 });
    t.equal(count, 1000);
  });
  t.equal(parsed, 0);
});

/** Counts what is asked of a store of any engine, and the documents that come back. */
function counted(store: DocumentStore): { store: DocumentStore; calls: Record<string, number>; rows: () => number } {
  const calls: Record<string, number> = {};
  let rows = 0;
  const note = (name: string) => {
    calls[name] = (calls[name] ?? 0) + 1;
  };
  const asked: Partial<DocumentStore> = {
    async get(collection, ids) {
      const found = await store.get(collection, ids);
      rows += found.filter((row) => row !== undefined).length;
      return found;
    },
    async find(query) {
      const found = await store.find(query);
      rows += found.examined;
      return found;
    },
  };
  const counting = new Proxy(store, {
    get(target, name: keyof DocumentStore) {
      const member = asked[name] ?? target[name];
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        note(name);
        return (member as (...args: unknown[]) => unknown)(...args);
      };
    },
  });
  return { store: counting, calls, rows: () => rows };
}

t.test("a start reads one definition a collection, and nothing of what the collections hold", async (t) => {
  const costs: { calls: object; rows: number; parsed: number }[] = [];
  const sizes = [
    { collections: 3, documents: 1 },
    { collections: 3, documents: 2000 },
    { collections: 303, documents: 1 },
  ];
  for (const { collections, documents } of sizes) {
    const folder = mkdtempSync(join(tmpdir(), "galley-growth-"));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const before = await startServices({ folder });
    const names = Array.from({ length: collections }, (_, n) => `c${n}`);
    await Promise.all(names.map((name) => before.definitions.declare(name)));
    await Promise.all(names.map((name) => fill(before.store, documents, (n) => ({ n }), name)));
    await before.close();

    let count: ReturnType<typeof counted> | undefined;
    const between = (store: DocumentStore) => {
      count = counted(store);
      return count.store;
    };
    const after = await startServices({ folder, between });
    t.equal(after.definitions.all().length, collections);
    costs.push({ calls: { ...count?.calls }, rows: count?.rows() ?? 0, parsed: after.embedded.meter.parsed });
    await after.close();
  }
  const [few, full, many] = costs;
  t.same(full, few, "whatever they hold");
  t.same(many?.calls, few?.calls, "however many there are, the store is asked as often");
  t.strictSame([few?.rows, many?.rows], [3, 303], "and tells one definition of each");
  t.strictSame([few?.parsed, many?.parsed], [3, 303]);
});
