import { parseAggregate } from "#protocol/aggregate";
import type { Key } from "#protocol/compare";
import { Faults } from "#protocol/errors";
import { compileFilter } from "#protocol/match";
import { compareKeys, sortKeyOf } from "#protocol/sort";
import { type Document, parseText } from "#protocol/values";
import {
  built,
  type ContractTest,
  count,
  fill,
  filterOf,
  find,
  findIds,
  idOf,
  manyOf,
  PLENTY,
  put,
  refused,
  sortOf,
} from "./fixture.ts";

/** Values of every class, that meet in all the ways that matter. */
const POOL = [
  null,
  0,
  -1.5,
  7,
  { $numberLong: "7" },
  "",
  "a",
  "aé",
  { x: 1 },
  [],
  [7, "a"],
  [[7]],
  [{ x: 7 }, { x: [1, null] }],
  true,
  { $date: "2026-01-31T10:00:00.000Z" },
  { $binary: { base64: "AQI=", subType: "00" } },
];

function pooled(n: number): object {
  const [a, b] = [POOL[n % POOL.length], POOL[(n * 7 + Math.floor(n / POOL.length)) % POOL.length]];
  return { ...(n % 11 !== 0 && { a }), ...(n % 5 !== 0 && !(Array.isArray(a) && Array.isArray(b)) && { b }) };
}

export const testPages: ContractTest = async (t, { fresh, capabilities }) => {
  const { parsed } = capabilities;
  const sorts = [["_id"], ["-_id"], ["a"], ["-a"], ["a", "-b"], ["-b", "a"], ["a.x"], ["_v"], ["-_createdAt"]];
  const filters = [
    {},
    { a: 7 },
    { a: { $gte: 0 } },
    { a: { $in: [7, "a", null] } },
    { a: { $exists: false } },
    { b: { $ne: "a" } },
    { a: "a", b: { $gt: -5 } },
    { "a.x": { $lte: 7 } },
    { $or: [{ a: { $startsWith: "a" } }, { b: true }] },
    { _id: { $gt: idOf(40) } },
    { a: { $type: "date" } },
  ];
  const indexings = {
    "without an index": [],
    "with indexes": [{ paths: ["a"] }, { paths: ["a", "-b"] }, { paths: ["b", "-a"] }, { paths: ["-a.x"] }],
  };
  for (const [how, indexes] of Object.entries(indexings)) {
    await t.test(`pages put together are the whole, in order, ${how}`, async (t) => {
      const store = await fresh(indexes);
      await fill(store, 150, pooled);
      const all = (await find(store)).rows.map(({ text }) => parseText(text) as Document);
      t.equal(all.length, 150);
      for (const filter of filters) {
        const differences = sorts.map(async (sort) => {
          const wanted = reference(all, filter, sort);
          const found: string[] = [];
          let after: readonly Key[] | undefined;
          for (const limit of [1, 3, 50, 1000, 1000]) {
            const page = await find(store, { filter, sort, limit, ...(after && { after }) });
            found.push(...page.rows.map(({ id }) => id));
            const last = page.rows.at(-1);
            if (!page.more || !last) break;
            after = sortKeyOf(sortOf(sort), last.value);
          }
          return found.join() === wanted.join() ? [] : [{ filter, sort, found, wanted }];
        });
        t.strictSame((await Promise.all(differences)).flat(), []);
        t.equal((await count(store, filter)).count, reference(all, filter, ["_id"]).length);
      }
    });
  }

  await t.test("tests of one element and a choice beside them are found by whatever index", async (t) => {
    const indexes = [["a.c", "b"], ["-a.c"], ["b", "a.c"], ["a.c", "d", "b"]];
    const choices = [{ b: 1 }, { b: { $ne: 9 } }];
    for (const paths of [[], ...indexes]) {
      const store = await fresh(paths.length > 0 ? [{ paths }] : []);
      await built(store);
      await store.commit([
        put(store, "x", { a: [{}], b: 1, c: 5 }),
        put(store, "y", { a: [{ c: 7 }, { c: null }], b: true }),
        put(store, "z", { a: [{ c: 7 }], b: 1 }),
      ]);
      const elements = { "x,y": [{ c: null }, { c: { $in: [1, null] } }], x: [{ c: { $exists: false } }] };
      for (const [wanted, tests] of Object.entries(elements)) {
        for (const $elemMatch of tests) {
          const found = await findIds(store, { filter: { a: { $elemMatch }, $or: choices } });
          t.equal(found.join(), wanted, `${JSON.stringify($elemMatch)} by ${paths}`);
        }
      }
      for (const [sort, after] of [
        [["_id"], ["x"]],
        [
          ["b", "_id"],
          [1, "x"],
        ],
      ] as const) {
        t.strictSame(await findIds(store, { filter: { a: { $elemMatch: { c: null } } }, sort, after }), ["y"]);
      }
    }
  });

  await t.test("a collection that does not exist is empty", async (t) => {
    const store = await fresh();
    const query = { collection: "nowhere", filter: filterOf({}), budget: PLENTY };
    t.match(await find(store, { collection: "nowhere" }), { rows: [], more: false });
    t.match(await store.count({ ...query, cap: 10 }), { count: 0, more: false });
    t.match(await store.distinct({ ...query, path: ["a"] }), { values: [], more: false });
    const aggregate = aggregateOf({ group: [], out: { n: { count: true } } });
    t.match(await store.aggregate({ ...query, aggregate }), { groups: [{ key: [], out: { n: 0 } }], more: false });
  });

  for (const [path, sorts] of [
    ["n", [["n"], ["-n"], ["_id"], ["stays", "-n"]]],
    ["-n", [["n"], ["-n"]]],
  ] as const) {
    await t.test(`rows that stay are on exactly one page, whatever is written meanwhile, indexed by ${path}`, (t) =>
      readWhileWriting(t, path, sorts),
    );
  }

  async function readWhileWriting(
    t: Parameters<ContractTest>[0],
    path: string,
    sorts: readonly (readonly string[])[],
  ): Promise<void> {
    const store = await fresh([{ paths: [path] }]);
    await fill(store, 300, (n) => ({ n: n % 10, stays: n % 3 !== 0 }));
    for (const sort of sorts) {
      const found: string[] = [];
      let after: readonly Key[] | undefined;
      for (let turn = 0; ; turn++) {
        const page = await find(store, { sort, limit: 20, ...(after && { after }) });
        found.push(...page.rows.filter(({ value }) => value.stays).map(({ id }) => id));
        // The page's last row, where the next one begins, if it may go.
        const going = page.rows.filter(({ value }) => !value.stays).at(-1);
        const moved = going && put(store, going.id, { n: (turn * 3) % 10, stays: false }, going.version);
        await store.commit([
          put(store, `new-${sort}-${turn}`, { n: turn % 10, stays: false }),
          ...(moved ? [moved] : []),
        ]);
        const last = page.rows.at(-1);
        if (!page.more || !last) break;
        after = sortKeyOf(sortOf(sort), last.value);
      }
      t.equal(found.length, 200, `by ${sort}`);
      t.equal(new Set(found).size, 200);
    }
  }

  await t.test("a long read sees one state while others write", async (t) => {
    const COUNT = manyOf(capabilities) / 2;
    const store = await fresh();
    await fill(store, COUNT, () => ({ balance: 100 }));
    let reading = true;
    const transfer = async () => {
      for (let n = 0; reading; n++) {
        const ids = [idOf((n * 7919) % COUNT), idOf((n * 104_729 + 1) % COUNT)];
        if (ids[0] === ids[1]) continue;
        const [from, to] = await store.get("notes", ids);
        const [less, more] = [Number(from?.value.balance) - 1, Number(to?.value.balance) + 1];
        await store.commit([
          put(store, ids[0] ?? "", { balance: less }, from?.version),
          put(store, ids[1] ?? "", { balance: more }, to?.version),
        ]);
      }
    };
    const aggregate = aggregateOf({ group: [], out: { sum: { sum: "balance" }, n: { count: true } } });
    const sums = async () => {
      for (let n = 0; n < 3; n++) {
        const { groups } = await store.aggregate({
          collection: "notes",
          filter: filterOf({}),
          budget: PLENTY,
          aggregate,
        });
        t.strictSame(groups[0]?.out, { sum: 100 * COUNT, n: COUNT });
      }
      reading = false;
    };
    await Promise.all([transfer(), sums()]);
  });

  await t.test("counts to the cap, with an index and without", async (t) => {
    const store = await fresh([{ paths: ["indexed"] }, { paths: ["tags"] }]);
    await fill(store, 100, (n) => ({ indexed: n % 2, plain: n % 2, tags: [n % 3, n % 5, "x"] }));
    for (const filter of [
      { indexed: 1 },
      { plain: 1 },
      { indexed: { $in: [1, 5] } },
      { tags: { $in: [1, "x"] }, plain: 1 },
    ]) {
      t.match(await count(store, filter, 50), { count: 50, more: false });
      t.match(await count(store, filter, 49), { count: 49, more: true });
      t.match(await count(store, filter, 1000), { count: 50, more: false });
    }
    t.match(await count(store, { tags: { $in: [0, 1, 2] } }), { count: 100 }, "each document once");
    t.match(await count(store), { count: 100, more: false });
    t.match(await count(store, {}, 99), { count: 99, more: true });
  });

  if (parsed)
    await t.test("parses nothing that bounds decide", async (t) => {
      const store = await fresh([{ paths: ["author", "-n"] }]);
      await fill(store, 100, (n) => ({ author: `a${n % 4}`, n }));
      const before = parsed?.(store);
      t.match(await count(store, { author: "a1" }), { count: 25 });
      t.match(await count(store, { author: { $in: ["a1", "a2"] }, n: { $lt: 50 } }), { count: 25 });
      t.match(await count(store), { count: 100 });
      const page = await find(store, { filter: { author: "a1" }, sort: ["-n"], limit: 10 });
      t.equal(page.rows[0]?.id, idOf(97));
      t.ok(page.examined <= 11);
      t.equal((await find(store, { limit: 10 })).examined <= 11, true);
      await find(store, { filter: { _id: { $in: [idOf(1), idOf(2)] } } });
      t.equal(parsed?.(store), before);
    });

  await t.test("distinct and aggregate are what the evaluator makes of all matches", async (t) => {
    const store = await fresh([{ paths: ["n"] }]);
    await fill(store, 60, (n) => ({ n, k: n % 3, tags: [n % 4, null], big: { $numberLong: "5" } }));
    const query = { collection: "notes", filter: filterOf({ n: { $gte: 30 } }), budget: PLENTY };
    t.match(await store.distinct({ ...query, path: ["tags"] }), { values: [null, 0, 1, 2, 3], more: false });
    t.match(await store.distinct({ ...query, path: ["big"] }), { values: [5] });
    const aggregate = aggregateOf({
      group: ["k"],
      out: { n: { count: true }, top: { max: "n" } },
      sort: ["-top"],
      limit: 2,
    });
    t.match(await store.aggregate({ ...query, aggregate }), {
      groups: [
        { key: [2], out: { n: 10, top: 59 } },
        { key: [1], out: { n: 10, top: 58 } },
      ],
      more: true,
    });
  });

  await t.test("a matching document with two arrays on the sort's paths fails the query", async (t) => {
    const store = await fresh();
    await store.commit([put(store, "x", { a: [1], b: [2], ok: false }), put(store, "y", { a: 1, b: [2], ok: true })]);
    const details = { faults: [{ path: "sort", code: "sort_parallel_arrays" }] };
    await refused(t, find(store, { sort: ["a", "b"] }), "invalid_argument", details);
    t.strictSame(await findIds(store, { sort: ["a", "b"], filter: { ok: true } }), ["y"]);
  });
};

function aggregateOf(input: object) {
  const faults = new Faults();
  const aggregate = parseAggregate(input, "aggregate", faults);
  faults.throwIfAny();
  return aggregate;
}

/** What the evaluator finds among all documents, in order. */
function reference(all: readonly Document[], filter: object, names: readonly string[]): string[] {
  const sort = sortOf(names);
  const matches = compileFilter(filterOf(filter));
  const keyed = all.filter(matches).map((document) => ({ id: document._id, key: sortKeyOf(sort, document) ?? [] }));
  return keyed.sort((a, b) => compareKeys(sort, a.key, b.key)).map(({ id }) => id);
}
