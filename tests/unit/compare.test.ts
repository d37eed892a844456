import t from "tap";
import type { Found, Key } from "#protocol/compare";
import { classOf, compare, compareStrings, EMPTY, equal, MISSING } from "#protocol/compare";
import { someValue } from "#protocol/paths";
import type { Value } from "#protocol/values";
import { Random, TRAP_SCALARS, trapKey, trapValue } from "../support/trap-pool.ts";

const SEED = 20_261_107;
const show = (key: unknown) =>
  JSON.stringify(key, (_, part) => (typeof part === "bigint" ? `${part}n` : part)) ?? "EMPTY";

t.test("values order as the design lists them, each before the next", async (t) => {
  const ascending: readonly Key[] = [
    EMPTY,
    null,
    ...[-(2 ** 64), -(2n ** 63n), -1e18, -1, -0.5, 0, Number.MIN_VALUE, 1n, 1.5, 2],
    ...[2 ** 53, 2n ** 53n + 1n, 2 ** 53 + 2, 2n ** 63n - 1n, 2 ** 63, 1e300],
    ...["", "\0", "\0\0", "\u0001", "A", "a", "a\0", "aa", "é", "\ud7ff", "\ue000", "\uffff", "😀", "\u{10ffff}"],
    // Of a field the class comes first, then the name, then the value; then the shorter object.
    ...[{}, { b: 1 }, { b: 1, a: 1 }, { b: 2 }, { c: 0 }, { a: "" }, { b: {} }, { a: [] }],
    // An array as an element is no longer the empty one.
    ...[[], [null], [1], [1, 1], [2], ["a"], [{}], [[]], [[0]]],
    ...[new Uint8Array(), Uint8Array.of(0), Uint8Array.of(255), Uint8Array.of(0, 0), Uint8Array.of(0, 1)],
    ...[false, true],
    ...[new Date(-62_135_596_800_000), new Date(-1), new Date(0), new Date(1)],
  ];
  for (let i = 0; i < ascending.length; i++) {
    for (let j = 0; j < ascending.length; j++) {
      const order = Math.sign(compare(ascending[i] as Key, ascending[j] as Key));
      if (order !== Math.sign(i - j)) t.fail(`${show(ascending[i])} against ${show(ascending[j])}`, { order });
    }
  }
  t.pass(`${ascending.length} values`);
});

t.test("what compares as equal is equal, and nothing else", async (t) => {
  const pairs: [Found, Found][] = [
    [0, -0],
    [1, 1n],
    [2n ** 53n, 2 ** 53],
    [null, MISSING],
    [{ a: [1n, { b: -0 }] }, { a: [1, { b: 0n }] }],
    [Uint8Array.of(1), Uint8Array.of(1)],
    [new Date(5), new Date(5)],
  ];
  for (const [a, b] of pairs) t.ok(equal(a, b) && equal(b, a), show([a, b]));
  const apart: [Found, Found][] = [
    [1, true],
    [0, null],
    ["", null],
    ["1", 1],
    [new Date(0), 0],
    [new Date(0), "1970-01-01T00:00:00.000Z"],
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    [{ a: null }, {}],
    [{ 0: 1 }, [1]],
    [2n ** 53n + 1n, 2 ** 53],
    ["e\u0301", "é"],
  ];
  for (const [a, b] of apart) t.notOk(equal(a, b) || equal(b, a), show([a, b]));
});

t.test("the order is total: random triples never contradict one another", async (t) => {
  const random = new Random(SEED);
  const sign = (a: Key, b: Key) => Math.sign(compare(a, b));
  for (let i = 0; i < 60_000; i++) {
    const [a, b, c]: [Key, Key, Key] = [trapKey(random, 3), trapKey(random, 3), trapKey(random, 3)];
    const contradiction =
      sign(a, a) !== 0 || sign(a, b) !== -sign(b, a) || (sign(a, b) <= 0 && sign(b, c) <= 0 && sign(a, c) > 0);
    if (contradiction) throw new Error(`seed ${SEED}: ${[a, b, c].map(show).join(" ")}`);
  }
  t.pass("60,000 triples");
});

t.test("strings order by their UTF-8 bytes", async (t) => {
  const random = new Random(SEED);
  const parts = [
    "a",
    "b",
    "\0",
    "\u007f",
    "\u0080",
    "\u07ff",
    "\u0800",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "\u{10000}",
    "😀",
    "\u{10ffff}",
  ];
  for (let i = 0; i < 30_000; i++) {
    const [a, b] = [1, 2].map(() => Array.from({ length: random.below(4) }, () => random.pick(parts)).join("")) as [
      string,
      string,
    ];
    const expected = Buffer.compare(Buffer.from(a), Buffer.from(b));
    if (Math.sign(compareStrings(a, b)) !== expected) throw new Error(`seed ${SEED}: ${show([a, b])}`);
  }
  t.pass("30,000 pairs");
});

t.test("every value has the class that $type names", async (t) => {
  const rows: [Value, string][] = [
    [null, "null"],
    [1, "number"],
    [1n, "int64"],
    ["", "string"],
    [{}, "object"],
    [[], "array"],
    [new Uint8Array(), "binary"],
    [false, "bool"],
    [new Date(0), "date"],
  ];
  for (const [value, name] of rows) t.equal(classOf(value), name);
  t.equal(new Set(TRAP_SCALARS.map(classOf)).size, 7);
});

t.test("a path yields its values in order, and the visit ends at the first that passes", async (t) => {
  const yielded = (value: Value, path: string, open = true) => {
    const found: Found[] = [];
    someValue(value, path.split("."), open, (item) => {
      found.push(item);
      return false;
    });
    return found;
  };
  const rows: [value: Value, path: string, found: Found[]][] = [
    [{ a: 1 }, "a", [1]],
    [{}, "a", [MISSING]],
    [{ a: [1, [2]] }, "a", [1, [2], [1, [2]]]],
    [{ a: 4 }, "a.b", [MISSING]],
    [{ a: null }, "a.b", [MISSING]],
    [{ a: [4] }, "a.b", []],
    [{ a: [] }, "a.b", []],
    [{ a: [{ b: 1 }, { c: 1 }, 5, [{ b: 2 }]] }, "a.b", [1, MISSING]],
    [{ a: [5, [2, 4]] }, "a.1", [[2, 4]]],
    [{ a: [{ 1: 7 }, 8] }, "a.1", [7, 8]],
    [{ a: [{ 0: "key", b: 1 }] }, "a.0", ["key", { 0: "key", b: 1 }]],
    [{ a: [{ b: 1 }] }, "a.0", [MISSING, { b: 1 }]],
    [{ a: [[{ b: 1 }]] }, "a.0.b", [1]],
    [{ a: [[{ b: 1 }]] }, "a.b", []],
    [{ a: [[[3]]] }, "a.0.0", [[3]]],
    [{ a: [1] }, "a.00", []],
    [{ a: { 0: [1] } }, "a.0", [1, [1]]],
  ];
  for (const [value, path, found] of rows) t.strictSame(yielded(value, path), found, `${path} of ${show(value)}`);
  t.strictSame(yielded({ a: [1, [2]] }, "a", false), [[1, [2]]], "a last array is not opened for $size and $elemMatch");
  let visits = 0;
  t.ok(someValue({ a: [1, 2, 3] }, ["a"], true, (found) => ++visits > 0 && found === 2));
  t.equal(visits, 2);
});

t.test("a document of arrays in arrays is not walked by each of the ways through it", async (t) => {
  // Each level is passed by its key, its index or both: 638 ways to the last array that leave segments of the path.
  let document: Value = Array.from({ length: 1000 }, () => ({}));
  for (let level = 0; level < 10; level++) document = [{ 0: document }];
  let visits = 0;
  const found = someValue({ a: document }, ["a", ...Array.from({ length: 15 }, () => "0")], true, () => ++visits < 0);
  t.notOk(found);
  t.ok(visits > 0 && visits < 16 * 1000, `${visits} visits`);
});

t.test("random values keep their order when every int64 that fits becomes a double", async (t) => {
  const random = new Random(SEED);
  for (let i = 0; i < 5000; i++) {
    const [a, b] = [trapValue(random, 2), trapValue(random, 2)];
    const plain = (value: Value): Value =>
      typeof value === "bigint" && BigInt(Number(value)) === value ? Number(value) : value;
    if (Math.sign(compare(plain(a), b)) !== Math.sign(compare(a, b))) throw new Error(`seed ${SEED}: ${show([a, b])}`);
  }
  t.pass("5,000 pairs");
});
