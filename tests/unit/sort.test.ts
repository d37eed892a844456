import t from "tap";
import type { SortKey } from "#protocol/ast";
import type { Key } from "#protocol/compare";
import { compare, EMPTY } from "#protocol/compare";
import { decodeCursor, encodeCursor } from "#protocol/cursor";
import { Faults, GalleyError } from "#protocol/errors";
import { memberReader } from "#protocol/members-of-text";
import { compareKeys, parseSort, sortKeyOf } from "#protocol/sort";
import { tuplesOf } from "#protocol/tuples";
import type { ObjectValue, Value } from "#protocol/values";
import { encodeValue, isObjectValue } from "#protocol/values";
import { makeDocument, makePool } from "../fuzz/pool.ts";
import { Random, TRAP_SCALARS, trapKey, trapValue } from "../support/trap-pool.ts";

const SEED = 20_261_104;
const PATHS = ["a", "b", "a.b", "a.b.c", "a.c", "b.a", "c", "_id"];

function sortOf(input: unknown): SortKey[] {
  const faults = new Faults();
  const sort = parseSort(input, "sort", faults);
  faults.throwIfAny();
  return sort;
}

function faultsOf(input: unknown): string[] {
  const faults = new Faults();
  parseSort(input, "sort", faults);
  return faults.list.map(({ path, code }) => `${path} ${code}`);
}

function tuples(paths: readonly string[], value: ObjectValue): Key[][] | undefined {
  return tuplesOf(
    paths.map((path) => path.split(".")),
    value,
  );
}

function cursorText(...items: unknown[]): string {
  return Buffer.from(JSON.stringify(items)).toString("base64url");
}

/** The pseudo code of query-language.md 4, word by word. */
function literalTuples(paths: { rest: string[]; key?: Key }[], value: ObjectValue): Key[][] | "parallel" {
  let met: { array: readonly Value[]; place: string } | undefined;
  const walked: { rest: string[]; key?: Key; at?: true }[] = [];
  for (const { rest, ...path } of paths) {
    let found: Value = value;
    let n = 0;
    while (!("key" in path) && n < rest.length && isObjectValue(found)) found = found[rest[n++] as string] ?? null;
    if ("key" in path) walked.push({ rest, ...path });
    else if (!Array.isArray(found)) walked.push({ rest: [], key: n < rest.length ? null : found });
    else {
      const place = rest.slice(0, n).join(".");
      if (met && met.place !== place) return "parallel";
      met = { array: found, place };
      walked.push({ rest: rest.slice(n), at: true });
    }
  }
  if (!met) return [walked.map(({ key }) => key as Key)];
  const all: Key[][] = [];
  for (const element of met.array.length === 0 ? [EMPTY] : met.array) {
    const next = walked.map(({ at, rest, ...path }) =>
      at && rest.length === 0 ? { rest, key: element } : { rest, ...path },
    );
    const below = literalTuples(next as { rest: string[] }[], isObjectValue(element) ? element : {});
    if (below === "parallel") return below;
    all.push(...below);
  }
  return all;
}

function trapDocument(random: Random, id: string): ObjectValue & { _id: string } {
  const names = ["a", "b", "c"];
  const inner = (depth: number): Value => {
    if (depth === 0 || random.chance(35)) return random.pick(TRAP_SCALARS);
    if (random.chance(50)) return Array.from({ length: random.below(4) }, () => inner(depth - 1));
    return Object.fromEntries(random.some(names, random.below(4)).map((name) => [name, inner(depth - 1)]));
  };
  return { _id: id, ...Object.fromEntries(random.some(names, random.below(4)).map((name) => [name, inner(3)])) };
}

function trapSort(random: Random): SortKey[] {
  const keys = random.some(PATHS.slice(0, -1), random.below(4)).map((path) => (random.chance(50) ? `-${path}` : path));
  return sortOf(random.chance(30) ? [...keys, random.pick(["_id", "-_id"])] : keys);
}

t.test("a document gives one key tuple for each element of the array on its paths", async (t) => {
  const rows: [string[], ObjectValue, Key[][] | undefined][] = [
    [["a"], { a: 1 }, [[1]]],
    [["a"], {}, [[null]]],
    [["a"], { a: null }, [[null]]],
    [["a.b"], { a: 4 }, [[null]]],
    [["a.b"], { a: { b: { c: 1 } } }, [[{ c: 1 }]]],
    [["a"], { a: [] }, [[EMPTY]]],
    [["a"], { a: [3, 1, 3] }, [[3], [1], [3]]],
    [["a"], { a: [[2, 1], []] }, [[[2, 1]], [[]]]],
    [["a.b"], { a: [] }, [[null]]],
    [["a.b"], { a: [{ b: [] }, { b: [5, [6]] }, 7, [{ b: 8 }], {}] }, [[EMPTY], [5], [[6]], [null], [null], [null]]],
    [
      ["a.b", "a.c"],
      { a: [{ b: 1, c: 9 }, { b: 1 }] },
      [
        [1, 9],
        [1, null],
      ],
    ],
    [
      ["a", "a.b"],
      { a: [1, { b: 2 }] },
      [
        [1, null],
        [{ b: 2 }, 2],
      ],
    ],
    [["a", "a.b"], { a: [] }, [[EMPTY, null]]],
    [
      ["a.b", "c"],
      { a: [{ b: [1, 2] }, { b: 3 }], c: "x" },
      [
        [1, "x"],
        [2, "x"],
        [3, "x"],
      ],
    ],
    [["a", "b"], { a: [1], b: [1] }, undefined],
    [["a", "b"], { a: [], b: [] }, undefined],
    [["a.b", "a.c"], { a: [{}, { b: [1], c: [2] }] }, undefined],
    [["toString"], {}, [[null]]],
    [["a.length"], { a: "xyz" }, [[null]]],
  ];
  for (const [paths, value, expected] of rows)
    t.strictSame(tuples(paths, value), expected, JSON.stringify([paths, value]));
  const shared = [1, 2];
  t.equal(tuples(["a", "b"], { a: shared, b: shared }), undefined, "one array object in two fields is two arrays");
});

t.test("sorts are read strictly, with every fault named", async (t) => {
  const id = { path: ["_id"], descending: false };
  t.strictSame(sortOf(undefined), [id]);
  t.strictSame(sortOf([]), [id]);
  t.strictSame(sortOf("a.b"), [{ path: ["a", "b"], descending: false }, id]);
  t.strictSame(sortOf("a,-_v"), [
    { path: ["a"], descending: false },
    { path: ["_v"], descending: true },
    { path: ["_id"], descending: true },
  ]);
  t.strictSame(sortOf(["-_id"]), [{ path: ["_id"], descending: true }]);
  t.equal(sortOf(["a", "b", "c", "-d"]).length, 5);
  const refused: [unknown, string[]][] = [
    [["a", "b", "c", "d", "e"], ["sort too_many_values"]],
    [Array.from({ length: 50_000 }, (_, i) => `k${i}`), ["sort too_many_values"]],
    ["a,".repeat(50_000), ["sort too_many_values", "sort bad_operand", "sort bad_operand", "sort bad_operand"]],
    [["_id", "a"], ["sort.1 sort_after_id"]],
    [["_id", "-_id"], ["sort.1 sort_after_id"]],
    [["a", "-a"], ["sort.1 bad_operand"]],
    [["--a"], ["sort.0 bad_path"]],
    [["a,b"], ["sort.0 bad_path"]],
    [["a.0.b"], ["sort.0 numeric_segment"]],
    [["_l"], ["sort.0 reserved_field"]],
    [
      ["a.$b", ""],
      ["sort.0 bad_path", "sort.1 bad_path"],
    ],
    ["", ["sort bad_path"]],
    ["-", ["sort bad_path"]],
    [
      [1, null],
      ["sort.0 bad_operand", "sort.1 bad_operand"],
    ],
    [{ a: 1 }, ["sort bad_operand"]],
    [{ 0: "a", length: 1 }, ["sort bad_operand"]],
    [null, ["sort bad_operand"]],
    [7, ["sort bad_operand"]],
  ];
  for (const [input, expected] of refused) t.strictSame(faultsOf(input), expected, JSON.stringify(input)?.slice(0, 60));
});

t.test("the sort key is the least tuple under the sort's directions", async (t) => {
  const wrong: string[] = [];
  const keys = (sort: string[], value: ObjectValue) => sortKeyOf(sortOf(sort), { _id: "x", ...value });
  t.strictSame(keys(["a"], { a: [9, 1, null] }), [null, "x"]);
  t.strictSame(keys(["-a"], { a: [9, 1, "z"] }), ["z", "x"]);
  t.strictSame(keys(["a"], { a: [] }), [EMPTY, "x"]);
  const pairs = [
    { b: 1, c: 9 },
    { b: 1, c: 2 },
    { b: 3, c: 0 },
  ];
  t.strictSame(keys(["p.b", "p.c"], { p: pairs }), [1, 2, "x"]);
  t.strictSame(keys(["p.b", "-p.c"], { p: pairs }), [1, 9, "x"]);
  t.strictSame(keys(["-p.b", "p.c"], { p: pairs }), [3, 0, "x"]);
  t.equal(keys(["a", "b"], { a: [1], b: [2] }), undefined);
  const random = new Random(SEED);
  for (let i = 0; i < 5000; i++) {
    const value = trapDocument(random, "x");
    const sort = trapSort(random);
    const all = literalTuples(
      sort.map(({ path }) => ({ rest: [...path] })),
      value,
    );
    const key = sortKeyOf(sort, value);
    const paths = sort.map(({ path }) => path);
    if (all === "parallel") {
      if (key || tuplesOf(paths, value)) wrong.push(`parallel arrays are not seen, case ${i} of seed ${SEED}`);
      continue;
    }
    const least = all.reduce((a, b) => (compareKeys(sort, b, a) < 0 ? b : a));
    if (!key || compareKeys(sort, key, least) !== 0) wrong.push(`not the least tuple, case ${i} of seed ${SEED}`);
    if (compare(tuplesOf(paths, value) as Value, all as Value) !== 0)
      wrong.push(`other tuples, case ${i} of seed ${SEED}`);
  }
  t.strictSame(wrong, []);
});

t.test("keys order by each part's direction, ties by _id, totally", async (t) => {
  const wrong: string[] = [];
  const sort = sortOf(["a", "-b"]);
  t.ok(compareKeys(sort, [1, 1, "b"], [2, 1, "a"]) < 0);
  t.ok(compareKeys(sort, [1, 2, "b"], [1, 1, "a"]) < 0);
  t.ok(compareKeys(sort, [1, 1, "b"], [1, 1n, "a"]) < 0, "_id follows the last direction");
  t.ok(compareKeys(sort, [EMPTY, 1, "a"], [null, 1, "a"]) < 0);
  const random = new Random(SEED);
  const tuple = (): Key[] => [trapKey(random, 2), trapKey(random, 1), random.pick(["a", "b"])];
  for (let i = 0; i < 20_000; i++) {
    const [a, b, c] = [tuple(), tuple(), tuple()] as const;
    const [ab, ba, bc, ac] = [
      compareKeys(sort, a, b),
      compareKeys(sort, b, a),
      compareKeys(sort, b, c),
      compareKeys(sort, a, c),
    ];
    if (Math.sign(ab) !== -Math.sign(ba)) wrong.push(`not antisymmetric, case ${i} of seed ${SEED}`);
    if (ab <= 0 && bc <= 0 && ac > 0) wrong.push(`not transitive, case ${i} of seed ${SEED}`);
    if (compareKeys(sort, a, a) !== 0) wrong.push(`not reflexive, case ${i} of seed ${SEED}`);
  }
  t.strictSame(wrong, []);
});

t.test("a cursor gives back the keys it was made of", async (t) => {
  const wrong: string[] = [];
  t.equal(encodeCursor([EMPTY, null, "id"], "h"), cursorText({ $empty: true }, null, "id", "h"));
  const random = new Random(SEED);
  const traps: Key[] = [EMPTY, ...TRAP_SCALARS, {}, [], [[]], { a: [] }];
  const keys: Key[][] = traps.map((key) => [key, "id"]);
  for (let i = 0; i < 3000; i++) keys.push([trapKey(random, 3), trapKey(random, 1), random.pick(["a", "~.:@-", "id"])]);
  for (const key of keys) {
    const cursor = decodeCursor(encodeCursor(key, "hash"));
    if (cursor?.hash !== "hash" || compare(cursor.keys as Value, key as Value) !== 0) wrong.push(`lost ${String(key)}`);
    if (cursor?.keys.some((part, i) => typeof part !== typeof key[i])) wrong.push(`another class: ${String(key)}`);
  }
  t.strictSame(wrong, []);
});

t.test("whatever is no cursor's exact text is none", async (t) => {
  const wrong: string[] = [];
  const good = encodeCursor([1, "é", new Date(0), "id"], "h".repeat(64));
  t.ok(decodeCursor(good));
  const bad: unknown[] = [
    ...[
      undefined,
      null,
      7,
      [],
      {},
      "",
      " ",
      "AAAA",
      "....",
      good + good,
      `${good}A`,
      `${good}=`,
      ` ${good}`,
      "x".repeat(1e6),
    ],
    ...[cursorText(), cursorText("h"), cursorText(1, "h"), cursorText("id", 1), cursorText(1, 2, 3, 4, 5, "id", "h")],
    ...[
      cursorText({ $empty: false }, "id", "h"),
      cursorText({ $empty: true, a: 1 }, "id", "h"),
      cursorText([{ $empty: true }], "id", "h"),
    ],
    ...[cursorText({ $oid: "a" }, "id", "h"), cursorText({ "a.b": 1 }, "id", "h"), cursorText({ $date: 5 }, "id", "h")],
    ...[
      cursorText({ $numberLong: 5 }, "id", "h"),
      cursorText("\ud800", "id", "h"),
      cursorText("x".repeat(2040), "id", "h"),
    ],
    ...['[1, "id","h"]', '[1e999,"id","h"]', '[-0,"id","h"]', '[1.0,"id","h"]', '{"0":1}', "null", '["id","h"'].map(
      (text) => Buffer.from(text).toString("base64url"),
    ),
    Buffer.from('[{"__proto__":{"a":1}},"id","h"]').toString("base64url"),
    Buffer.from([0xff, 0xfe]).toString("base64url"),
    Buffer.from(`${"[".repeat(1500)}${"]".repeat(1500)}`)
      .toString("base64url")
      .slice(0, 3000),
  ];
  for (const text of bad) t.equal(decodeCursor(text), undefined, String(text).slice(0, 60));
  for (let i = 0; i < good.length; i++) {
    const other = good[i] === "A" ? "B" : "A";
    const changed = good.slice(0, i) + other + good.slice(i + 1);
    const read = decodeCursor(changed);
    if (read && encodeCursor(read.keys, read.hash) !== changed) wrong.push(`read loosely: ${changed}`);
  }
  t.strictSame(wrong, []);
});

t.test("a key tuple may have 2,048 bytes in a cursor and no more", async (t) => {
  const room = 2048 - '["","id"]'.length;
  t.ok(decodeCursor(encodeCursor(["x".repeat(room), "id"], "h")));
  t.ok(decodeCursor(encodeCursor(["é".repeat(room / 2), "id"], "h".repeat(128))), "bytes, not characters");
  for (const key of ["x".repeat(room + 1), `xx${"é".repeat(room / 2)}`, ["x".repeat(room)]]) {
    const error = t.throws(() => encodeCursor([key, "id"], "h")) as unknown;
    t.ok(error instanceof GalleyError && error.details.faults?.[0]?.code === "sort_key_too_long");
    t.ok(error instanceof GalleyError && error.code === "invalid_argument");
  }
});

t.test("pages put together are the full sort", async (t) => {
  const wrong: string[] = [];
  const random = new Random(SEED);
  for (let round = 0; round < 60; round++) {
    const sort = trapSort(random);
    const rows = Array.from({ length: 60 }, (_, i) => sortKeyOf(sort, trapDocument(random, `d${i % 40}-${i}`)))
      .filter((key) => key !== undefined)
      .filter((key) => JSON.stringify(key, (_, part) => (typeof part === "bigint" ? `${part}` : part)).length < 1000);
    const all = [...rows].sort((a, b) => compareKeys(sort, a, b));
    const paged: Key[][] = [];
    const limit = 1 + random.below(9);
    for (let after: readonly Key[] | undefined; ; ) {
      const page = rows
        .filter((key) => !after || compareKeys(sort, key, after) > 0)
        .sort((a, b) => compareKeys(sort, a, b))
        .slice(0, limit);
      paged.push(...page);
      const last = page.at(-1);
      if (!last || page.length < limit) break;
      after = decodeCursor(encodeCursor(last, "h"))?.keys;
    }
    if (paged.length !== all.length || paged.some((key, i) => key !== all[i]))
      wrong.push(`round ${round} of seed ${SEED}`);
  }
  t.strictSame(wrong, []);
});

t.test("a sort key read from a document's text is that of the document", async (t) => {
  let longer = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    const pool = makePool(random);
    const names = [...PATHS, "more", '"\\,{', "_v", "_createdAt"];
    for (let i = 0; i < 20; i++) {
      const made = makeDocument(pool, new Set(), i + 1);
      const document = { ...made, '"\\,{': trapValue(random, 2), more: [trapValue(random, 3), '\\"', "}"] };
      const sort = [...new Set([random.pick(names), random.pick(names)])].map((text) => ({
        path: text === '"\\,{' ? [text] : text.split("."),
        descending: random.chance(50),
      }));
      const tops = [...new Set(sort.map(({ path }) => path[0] as string))];
      const members = memberReader(sort.map(({ path }) => path))(encodeValue(document));
      const held = tops.filter((name) => name in document);
      if (held.sort().join() !== Object.keys(members).sort().join()) t.strictSame(Object.keys(members), held);
      const [whole, read] = [document, members].map((value) => sortKeyOf(sort, value));
      if (JSON.stringify(shown(whole)) !== JSON.stringify(shown(read))) t.strictSame(read, whole, `seed ${seed}`);
      longer += sort.length - 1;
    }
  }
  t.ok(longer > 1000);
});

function shown(keys: unknown): unknown {
  return JSON.parse(
    JSON.stringify(keys ?? "none", (_, part) =>
      typeof part === "bigint" ? `${part}n` : typeof part === "symbol" ? String(part) : part,
    ),
  );
}
