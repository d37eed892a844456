import { until } from "../../support/until.ts";
import {
  built,
  type ContractTest,
  count,
  fill,
  find,
  findIds,
  idOf,
  indexStates,
  manyOf,
  put,
  refused,
  remove,
} from "./fixture.ts";

export const testIndexes: ContractTest = async (t, { newPlace, fresh, capabilities }) => {
  await t.test("an index that was declared later serves queries once it is ready", async (t) => {
    const store = await fresh();
    await fill(store, 3000, (n) => ({ n }));
    await store.ensureCollection({ name: "notes", indexes: [{ paths: ["n"] }] });
    await built(store);
    t.match((await store.stats("notes"))?.indexes, [{ paths: ["n"], state: "ready", progress: 1 }]);
    const page = await find(store, { filter: { n: 1234 } });
    t.strictSame([page.rows.map(({ id }) => id), page.examined], [[idOf(1234)], 1]);
  });

  await t.test("repeating a definition does nothing; indexes it does not name are dropped", async (t) => {
    const store = await fresh([{ paths: ["a"] }, { paths: ["b"], unique: true }]);
    await fill(store, 10, (n) => ({ a: n, b: n }));
    await store.ensureCollection({ name: "notes", indexes: [{ paths: ["b"], unique: true }, { paths: ["a"] }] });
    t.strictSame(await indexStates(store), ["ready", "ready"]);
    await store.ensureCollection({ name: "notes", indexes: [{ paths: ["a"] }] });
    t.match((await store.stats("notes"))?.indexes, [{ paths: ["a"] }]);
    await store.commit([put(store, "same", { a: 1, b: 1 })]);
    await store.ensureCollection({ name: "notes", indexes: [] });
    t.strictSame(await findIds(store, { filter: { a: 1 } }), [idOf(1), "same"]);
    t.strictSame((await store.stats("notes"))?.indexes, []);
  });

  await t.test("queries and writes are right while an index is built under load", async (t) => {
    const COUNT = manyOf(capabilities) / 2;
    const store = await fresh();
    await fill(store, COUNT, (n) => ({ n, group: n % 50, tags: [n % 7, n % 11] }));
    const indexes = [{ paths: ["group", "-n"] }, { paths: ["tags"] }];
    await store.ensureCollection({ name: "notes", indexes });
    const expected = new Map<number, Set<string>>();
    for (let group = 0; group < 50; group++) expected.set(group, new Set());
    for (let n = 0; n < COUNT; n++) expected.get(n % 50)?.add(idOf(n));
    let rounds = 0;
    while ((await indexStates(store)).includes("building") || rounds < 20) {
      // Moves a document, makes one and removes one, in places that the build has passed and has not.
      const ids = [idOf((rounds * 397) % (COUNT / 2)), idOf(COUNT - 1 - ((rounds * 211) % (COUNT / 2)))];
      const [moved, gone] = await store.get("notes", ids);
      const group = (rounds * 13) % 50;
      if (moved) {
        expected.get(Number(moved.value.group))?.delete(moved.id);
        expected.get(group)?.add(moved.id);
      }
      if (gone) expected.get(Number(gone.value.group))?.delete(gone.id);
      expected.get(group)?.add(`new${rounds}`);
      await store.commit([
        ...(moved ? [put(store, moved.id, { n: rounds, group, tags: [rounds % 7] }, moved.version)] : []),
        ...(gone ? [remove(gone.id, gone.version)] : []),
        put(store, `new${rounds}`, { n: -rounds, group, tags: [] }),
      ]);
      const found = await findIds(store, { filter: { group }, sort: ["-n"] });
      t.strictSame(found.sort(), [...(expected.get(group) ?? [])].sort(), `round ${rounds}`);
      rounds += 1;
    }
    t.strictSame(await indexStates(store), ["ready", "ready"]);
    for (const [group, ids] of expected) t.equal((await count(store, { group })).count, ids.size);
    t.equal((await find(store, { filter: { group: 7 }, limit: 10, sort: ["-n"] })).examined, 11);
  });

  await t.test("a unique index over documents that clash fails and names some; mended, it is built", async (t) => {
    const store = await fresh();
    await fill(store, 500, (n) => ({ email: n === 400 ? "e7" : `e${n}` }));
    const definition = { name: "notes", indexes: [{ paths: ["email"], unique: true }] };
    await store.ensureCollection(definition);
    await built(store);
    const [failed] = (await store.stats("notes"))?.indexes ?? [];
    t.match(failed, { state: "failed", unique: true, duplicates: [[idOf(7), idOf(400)]], reason: String });
    t.strictSame(await findIds(store, { filter: { email: "e7" } }), [idOf(7), idOf(400)]);
    const twice = put(store, "twice", { email: "e9" });
    await store.commit([twice]);
    const [one] = await store.get("notes", [idOf(400)]);
    await store.commit([remove("twice", twice.version), remove(idOf(400), one?.version ?? 0)]);
    await store.ensureCollection(definition);
    await built(store);
    t.strictSame(await indexStates(store), ["ready"]);
    await refused(t, store.commit([put(store, "x", { email: "e7" })]), "unique_violation");
  });

  await t.test("an index over a document that it cannot hold fails and says which", async (t) => {
    const store = await fresh();
    await fill(store, 50, (n) => (n === 30 ? { a: [1], b: [2] } : { a: n, b: [n] }));
    await store.ensureCollection({ name: "notes", indexes: [{ paths: ["a", "b"] }] });
    await built(store);
    const [failed] = (await store.stats("notes"))?.indexes ?? [];
    t.match(failed, { state: "failed", reason: /parallel_arrays/ });
    t.match(failed?.reason, idOf(30));
    await store.commit([put(store, "x", { a: [1], b: [2] })]);
    t.equal((await count(store)).count, 51);
  });

  await t.test("a collection that was dropped is gone, and may be made anew", async (t) => {
    const store = await fresh([{ paths: ["n"] }]);
    await fill(store, 2000, (n) => ({ n }));
    await store.dropCollection("notes");
    t.equal(await store.stats("notes"), undefined);
    t.strictSame(await findIds(store, { filter: { n: 5 } }), []);
    t.strictSame(await store.get("notes", [idOf(5)]), [undefined]);
    await refused(t, store.commit([put(store, "a")]), "not_found");
    await store.ensureCollection({ name: "notes", indexes: [{ paths: ["-n"] }] });
    t.match(await store.stats("notes"), { documents: 0, bytes: 0 });
    await store.commit([put(store, idOf(5), { n: 5, again: true })]);
    t.strictSame(await findIds(store, { filter: { n: { $gte: 0 } } }), [idOf(5)]);
    const [row] = await store.get("notes", [idOf(5)]);
    t.equal(row?.value.again, true);
  });

  await t.test("reads and writes beside drops see a collection whole, empty or absent", async (t) => {
    const store = await fresh([{ paths: ["n"] }]);
    let dropping = true;
    const drop = async () => {
      for (let round = 0; round < 15; round++) {
        await fill(store, 100, (n) => ({ n, round }));
        await store.dropCollection("notes");
        await store.ensureCollection({ name: "notes", indexes: [{ paths: ["n"] }] });
      }
      dropping = false;
    };
    const read = async () => {
      while (dropping) {
        const { rows } = await find(store, { filter: { n: { $gte: 0 } }, sort: ["n"] });
        const rounds = new Set(rows.map(({ value }) => value.round));
        if (![0, 100].includes(rows.length) || rounds.size > 1) t.fail(`${rows.length} rows of ${rounds.size} rounds`);
        await store.get("notes", [idOf(1)]);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await Promise.all([drop(), read()]);
    t.match(await store.stats("notes"), { documents: 0 });
  });

  await t.test("collections whose names are alike are kept apart", async (t) => {
    const store = await fresh();
    const names = ["a", "a_1", "a-1", "a_1_1", "_a", "_a_1", "x".repeat(63), "select", "sqlite"];
    for (const name of names)
      await store.ensureCollection({ name, indexes: [{ paths: ["own"] }, { paths: ["-own"] }] });
    for (const name of names) await store.commit([put(store, "id", { own: name }, 0, name)]);
    for (const collection of names) {
      t.strictSame(
        (await find(store, { collection })).rows.map(({ value }) => value.own),
        [collection],
      );
      t.equal((await count(store, { own: collection }, 10, collection)).count, 1);
    }
    await store.dropCollection("a");
    t.equal((await count(store, {}, 10, "a_1")).count, 1);
    for (const name of ["", "A", "1a", "a b", 'a"b', "a.b", "__a", "x".repeat(65), "a;drop", "ä"]) {
      await refused(t, store.ensureCollection({ name, indexes: [] }), "invalid_argument");
    }
  });

  await t.test("a build goes on where it stood when the store is opened again", async (t) => {
    const place = await newPlace(t);
    const first = await place.open();
    await first.ensureCollection({ name: "notes", indexes: [] });
    const last = manyOf(capabilities) - 1;
    await fill(first, last + 1, (n) => ({ n }));
    await first.ensureCollection({ name: "notes", indexes: [{ paths: ["n"] }] });
    await first.close();
    const second = await place.open();
    t.teardown(() => second.close());
    t.strictSame(await findIds(second, { filter: { n: last } }), [idOf(last)]);
    await until(async () => (await indexStates(second))[0] === "ready");
    t.equal((await find(second, { filter: { n: last } })).examined, 1, "the very next read uses it");
    t.equal((await count(second, { n: { $gte: 0 } })).count, last + 1);
  });
};
