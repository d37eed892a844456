import t from "tap";
import type { SortKey } from "#protocol/ast";
import { EMPTY, type Key, RANK } from "#protocol/compare";
import { compareKeys } from "#protocol/sort";
import { encodeValue, type Value } from "#protocol/values";
import type { IndexDefinition } from "../../server/stores/document-store.ts";
import { encodeTuple } from "../../server/stores/key-encoding.ts";
import { planQuery } from "../../server/stores/plan.ts";
import {
  half,
  type Interval,
  intersect,
  point,
  points,
  startingWith,
  wholeClass,
} from "../../server/stores/plan-intervals.ts";
import { indexScan } from "../../server/stores/sqlite/ranges.ts";
import { randomDocument, randomFilter } from "../support/filter-generator.ts";
import { answer, type IndexTable, idsOf, indexTable, matching, placeOf, type Stored } from "../support/index-tables.ts";
import { filterOf, sortOf } from "../support/plan-scenario.ts";
import { Random } from "../support/trap-pool.ts";

const ROUNDS = 150;
const QUERIES = 40;
const PATHS = ["a", "b", "c", "a.b", "a.c", "a.b.c", "b.a"];
const SCALARS: readonly Value[] = [
  null,
  0,
  1,
  1n,
  2,
  2n ** 53n + 1n,
  2 ** 53,
  "",
  "a",
  "ab",
  "a\0",
  "😀",
  "\uffff",
].concat([true as never, new Date(0) as never]);

/** Documents as applications have them: mostly scalars, one array or two, few distinct values. */
function plainDocument(random: Random): Record<string, Value> {
  const scalar = () => random.pick(SCALARS);
  const value = (arrays: number): Value => {
    if (random.chance(arrays)) return Array.from({ length: random.below(3) }, scalar);
    return random.chance(90) ? scalar() : { b: scalar(), c: scalar() };
  };
  const document: Record<string, Value> = { a: value(10), b: value(30) };
  if (random.chance(70)) document.c = value(0);
  if (random.chance(20)) document.a = Array.from({ length: random.below(3) }, () => ({ b: scalar(), c: scalar() }));
  return document;
}

function plainFilter(random: Random, paths: readonly string[]): Record<string, unknown> {
  const literal = () => JSON.parse(encodeValue(random.pick(SCALARS))) as unknown;
  const bound = () => JSON.parse(encodeValue(random.pick(SCALARS.filter((value) => value !== null)))) as unknown;
  const test = (): unknown => {
    switch (random.below(8)) {
      case 0:
        return { $in: Array.from({ length: 1 + random.below(3) }, literal) };
      case 1:
        return { [random.pick(["$gt", "$gte", "$lt", "$lte"])]: bound() };
      case 2:
        return { [random.pick(["$gt", "$gte"])]: bound(), [random.pick(["$lt", "$lte"])]: bound() };
      case 3:
        return { $startsWith: "a" };
      case 4:
        return random.pick([
          ...[{ $exists: true }, { $exists: false }, { $type: ["number", "string"] }, { $type: "int64" }, { $size: 0 }],
          ...[{ $type: "null" }, { $eq: [literal()] }, { $in: [[literal(), literal()], literal()] }],
        ]);
      case 5:
        return {
          $elemMatch: random.pick([
            { b: literal(), c: literal() },
            { $gte: bound(), $lt: bound() },
          ]),
        };
      default:
        return literal();
    }
  };
  const fields = () =>
    Object.fromEntries(
      random
        .some([...paths, random.pick(PATHS), "_id"], 1 + random.below(3))
        .map((path) => [path, idTest(path) ?? test()]),
    );
  const idTest = (path: string) =>
    path === "_id"
      ? random.pick(["d3", { $gte: "d2" }, { $startsWith: "d1" }, { $in: ["d1", "d2", "dx", 5] }])
      : undefined;
  if (random.chance(20)) return { ...fields(), $or: [fields(), { ...fields(), [random.pick(paths)]: test() }] };
  return fields();
}

function randomDefinition(random: Random): IndexDefinition {
  const paths = random.some(PATHS, 1 + random.below(3)).map((path) => (random.chance(40) ? `-${path}` : path));
  return random.chance(15) ? { paths, unique: true } : { paths };
}

/** Sorts that an index may serve come often; the rest is by chance. */
function randomSort(random: Random, indexes: readonly IndexTable[]): SortKey[] {
  const index = random.chance(80) && indexes.length > 0 ? random.pick(indexes) : undefined;
  const flip = random.chance(40);
  const keys = index?.keys.slice(random.below(index.keys.length)) ?? [];
  const names = keys.map(({ path, descending }) => (descending !== flip ? "-" : "") + path.join("."));
  if (random.chance(10)) names.push(random.pick(["_id", "-_id"]));
  return sortOf(names);
}

interface Round {
  readonly documents: readonly Stored[];
  readonly indexes: readonly IndexTable[];
}

function randomRound(random: Random): Round {
  const make = random.chance(40) ? randomDocument : plainDocument;
  const definitions = Array.from({ length: 4 }, () => randomDefinition(random));
  const all = Array.from({ length: 40 }, (_, i) => ({ ...make(random), _id: `d${(i * 7) % 40}` }));
  // What an index refuses is not stored.
  const documents = all.filter((document) => definitions.every((definition) => indexTable(definition, [document])));
  const tables = definitions.flatMap((definition) => indexTable(definition, documents) ?? []);
  // Flags that say too much cost time, never an answer.
  const indexes = tables.map((table) =>
    random.chance(80) ? table : { ...table, multikey: table.multikey.map((is) => is || random.chance(50)) },
  );
  return { documents, indexes };
}

t.test(
  `narrowed reads answer like the evaluator, in order and by pages, over ${ROUNDS * QUERIES} queries`,
  async (t) => {
    const seen = { narrowed: 0, exact: 0, ordered: 0, repeating: 0, unions: 0, primary: 0, backward: 0, pages: 0 };
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const random = new Random(seed);
      const { documents, indexes } = randomRound(random);
      const paths = [...new Set(indexes.flatMap(({ keys }) => keys.map(({ path }) => path.join("."))))];
      for (let n = 0; n < QUERIES; n++) {
        const input = random.chance(60) ? plainFilter(random, paths) : randomFilter(random, 3);
        const filter = filterOf(input);
        const sort = randomSort(random, indexes);
        const plan = planQuery(filter, random.chance(80) ? sort : undefined, indexes);
        const label = `seed ${seed}, query ${n}: ${JSON.stringify(input)} sort ${JSON.stringify(sort)}`;
        const expected = matching(filter, documents);
        const ids = expected.map(({ _id }) => _id);
        const found = answer(plan, documents);
        if ([...found].sort().join() !== [...ids].sort().join())
          throw new Error(`${label}: found ${found}, expected ${ids}`);
        const candidates = idsOf(plan.access, documents);
        if (!plan.repeats && new Set(candidates).size !== candidates.length) throw new Error(`${label}: repeats`);
        count(seen, plan);
        if (!plan.ordered) continue;
        const places = expected.map((document) => ({ id: document._id, key: placeOf(sort, document) }));
        places.sort((a, b) => compareKeys(sort, a.key, b.key));
        const order = places.map(({ id }) => id);
        if (found.join() !== order.join()) throw new Error(`${label}: order ${found}, expected ${order}`);
        const other = documents[random.below(documents.length)] as Stored;
        const after = [
          ...placeOf(sort, random.chance(70) ? (random.pick(expected) ?? other) : other).slice(0, -1),
          `d${random.below(40)}`,
        ];
        const later = places.filter(({ key }) => compareKeys(sort, key, after) > 0).map(({ id }) => id);
        let page = answer(plan, documents, { sort, after });
        if (plan.repeats) page = page.filter((id) => later.includes(id));
        if (page.join() !== later.join()) {
          throw new Error(`${label} after ${JSON.stringify(after, text)}: ${page}, expected ${later}`);
        }
        seen.pages += Number(later.length > 0);
      }
    }
    t.comment(JSON.stringify(seen));
    for (const [what, cases] of Object.entries(seen)) t.ok(cases > 50, `${what}: ${cases} cases`);
  },
);

function text(_: string, part: unknown): unknown {
  return typeof part === "bigint" ? `${part}n` : typeof part === "symbol" ? "EMPTY" : part;
}

function count(seen: Record<string, number>, plan: ReturnType<typeof planQuery<IndexTable>>): void {
  const add = (name: string, is: boolean) => {
    seen[name] = (seen[name] ?? 0) + Number(is);
  };
  const { access, residual, ordered, repeats } = plan;
  add("narrowed", access.kind === "index" && access.bounds.length > 0);
  add("exact", access.kind === "index" && access.bounds.length > 0 && residual.kind === "true");
  add("ordered", ordered && access.kind === "index");
  add("repeating", ordered && repeats);
  add("unions", access.kind === "union");
  add("primary", access.kind === "primary");
  add("backward", ordered && "backward" in access && access.backward);
}

t.test("two sets of keys share exactly the keys that are in both, ascending and descending", async (t) => {
  const keys: Key[] = [
    EMPTY,
    null,
    -1,
    0,
    1,
    2n ** 53n + 1n,
    2 ** 53,
    "",
    "a",
    "a\0",
    "ab",
    "abc",
    "b",
    "\uffff",
    "😀",
  ];
  keys.push({ a: 1 }, [], [1], new Uint8Array([1]), false, true, new Date(-1), new Date(0));
  const sets: (readonly Interval[])[] = [
    points(keys),
    points([1, "ab", null]),
    [wholeClass(RANK.string)],
    [point("a")],
  ];
  for (const prefix of ["a", "ab", "a\0", "😀"]) sets.push([startingWith(prefix)]);
  for (const key of keys.slice(2)) for (const op of ["gt", "gte", "lt", "lte"] as const) sets.push([half(op, key)]);
  sets.push([wholeClass(RANK.number), wholeClass(RANK.bool)], [half("gt", "a"), wholeClass(RANK.date)]);
  /** The keys inside the intervals, told by the encoded ranges alone. */
  const membersOf = (intervals: readonly Interval[], table: IndexTable, encoded: readonly Buffer[]): Key[] => {
    if (intervals.length === 0) return [];
    const { steps } = indexScan({ kind: "index", index: table, bounds: [intervals], backward: false });
    const ends = steps.flatMap((step) => (step.kind === "range" ? [step.from, step.to] : []));
    if (ends.some((end, i) => i > 0 && end.compare(ends[i - 1] as Buffer) < 0)) throw new Error("steps do not ascend");
    const inside = (bytes: Buffer) => ends.filter((end) => end.compare(bytes) <= 0).length % 2 === 1;
    return keys.filter((_, i) => inside(encoded[i] as Buffer));
  };
  for (const path of ["p", "-p"]) {
    const table = indexTable({ paths: [path] }, []) as IndexTable;
    const encoded = keys.map((key) => encodeTuple([key], [path === "-p"]));
    const members = sets.map((set) => membersOf(set, table, encoded));
    for (const [i, a] of sets.entries()) {
      for (const [j, b] of sets.entries()) {
        const shared = membersOf(intersect(a, b), table, encoded);
        const expected = members[i]?.filter((key) => members[j]?.includes(key)) ?? [];
        if (shared.length !== expected.length || shared.some((key, n) => key !== expected[n])) {
          throw new Error(`${path} ${JSON.stringify([a, b], text)}`);
        }
      }
    }
    t.same(members[4], ["a", "a\0", "ab", "abc"], path);
  }
});

t.test("a cursor beside what the filter holds at one key has all rows before it or none", async (t) => {
  const documents = [1, 2, 3].map((at) => ({ _id: `d${at}`, by: "m", at }));
  const table = indexTable({ paths: ["by", "-at"] }, documents) as IndexTable;
  const read = (names: readonly string[], after: readonly Key[]) => {
    const sort = sortOf(names);
    const plan = planQuery(filterOf({ by: "m" }), sort, [table]);
    return plan.ordered ? answer(plan, documents, { sort, after }).join() : "unordered";
  };
  t.equal(read(["by", "-at"], ["m", 2, "d2"]), "d1");
  t.equal(read(["by", "-at"], ["a", 2, "d2"]), "d3,d2,d1");
  t.equal(read(["by", "-at"], ["z", 2, "d2"]), "");
  t.equal(read(["-by", "at", "_id"], ["z", 2, "d2"]), "d1,d2,d3");
  t.equal(read(["-by", "at", "_id"], ["a", 2, "d2"]), "");
  t.equal(read(["-at", "-by"], [2, "m", "d3"]), "d2,d1");
  t.equal(read(["-at", "-by"], [2, "z", "d2"]), "d2,d1");
  t.equal(read(["-at", "-by"], [2, "a", "d2"]), "d1");
  t.equal(read(["at", "by"], [2, "a", "d2"]), "d2,d3");
  t.equal(read(["at", "by"], [2, "z", "d2"]), "d3");
});

t.test("a cursor beside two sort paths that are held at one key stands where the first of them puts it", async (t) => {
  const documents = [1, 2, 3].map((at) => ({ _id: `d${at}`, by: "m", kind: "n", at }));
  const filter = filterOf({ by: "m", kind: "n" });
  const beside = (held: string) => ["a", held, "z"];
  let ordered = 0;
  for (const paths of [
    ["by", "kind", "-at"],
    ["-by", "kind", "at"],
    ["by", "at", "kind"],
  ]) {
    const table = indexTable({ paths }, documents) as IndexTable;
    const flipped = paths.map((path) => (path.startsWith("-") ? path.slice(1) : `-${path}`));
    for (const names of [paths, flipped, ["kind", "-by", "at"], ["-at", "kind", "by"], ["kind", "at", "-by"]]) {
      const sort = sortOf(names);
      const plan = planQuery(filter, sort, [table]);
      if (!plan.ordered) continue; // ids of one key lie the other way round
      ordered += 1;
      const rows = documents.map((document) => ({ id: document._id, key: placeOf(sort, document) }));
      rows.sort((a, b) => compareKeys(sort, a.key, b.key));
      for (const by of beside("m")) {
        for (const kind of beside("n")) {
          for (const id of ["d1", "d2", "d3"]) {
            const after = placeOf(sort, { _id: id, by, kind, at: 2 });
            const expected = rows.filter(({ key }) => compareKeys(sort, key, after) > 0).map((row) => row.id);
            const found = answer(plan, documents, { sort, after });
            t.strictSame(found, expected, `${paths} by ${names} after ${by}, ${kind}, 2, ${id}`);
          }
        }
      }
    }
  }
  t.ok(ordered > 7, `${ordered} of 15 sorts`);
});
