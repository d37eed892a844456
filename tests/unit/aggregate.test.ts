import t from "tap";
import { aggregateValue } from "#protocol/accumulator";
import { parseAggregate } from "#protocol/aggregate";
import { compare } from "#protocol/compare";
import { Faults, GalleyError } from "#protocol/errors";
import { ExactSum } from "#protocol/exact-sum";
import { Grouping } from "#protocol/grouping";
import { normalNumbers } from "#protocol/normal-numbers";
import type { ObjectValue, Value } from "#protocol/values";
import { encodeValue, INT64_MAX, INT64_MIN } from "#protocol/values";
import { Random, trapValue } from "../support/trap-pool.ts";

const SEED = 20_261_105;

function groupsOf(input: unknown, documents: Iterable<ObjectValue>) {
  const faults = new Faults();
  const grouping = new Grouping(parseAggregate(input, "", faults));
  faults.throwIfAny();
  for (const document of documents) if (!grouping.add(document)) return "too many";
  return grouping.result();
}

/** The outputs of one group of all documents. */
function totals(out: ObjectValue, documents: Iterable<ObjectValue>): ObjectValue {
  const result = groupsOf({ group: [], out }, documents);
  const [group] = result === "too many" ? [] : result.groups;
  return group?.out ?? {};
}

function faultsOf(input: unknown): string[] {
  const faults = new Faults();
  parseAggregate(input, "", faults);
  return faults.list.map(({ path, code }) => `${path} ${code}`);
}

const values = (...numbers: Value[]): ObjectValue[] => numbers.map((x) => ({ x }));

t.test("documents are grouped by the values of paths, in order of the key", async (t) => {
  const documents: ObjectValue[] = [
    { status: "open", owner: { team: "t1" }, amount: 4 },
    { status: "open", owner: { team: "t1" }, amount: 6 },
    { status: "done", owner: { team: "t2" }, amount: 1 },
    { status: "open", amount: "none" },
    { owner: null },
  ];
  const out = { n: { count: true }, s: { sum: "amount" } };
  t.strictSame(groupsOf({ group: ["status", "owner.team"], out }, documents), {
    groups: [
      { key: [null, null], out: { n: 1, s: 0 } },
      { key: ["done", "t2"], out: { n: 1, s: 1 } },
      { key: ["open", null], out: { n: 1, s: 0 } },
      { key: ["open", "t1"], out: { n: 2, s: 10 } },
    ],
    more: false,
  });
  const sorted = groupsOf({ group: ["status"], out, sort: ["-n", "s"], limit: 2 }, documents);
  t.strictSame(sorted, {
    groups: [
      { key: ["open"], out: { n: 3, s: 10 } },
      { key: [null], out: { n: 1, s: 0 } },
    ],
    more: true,
  });
});

t.test("null and missing are one group, and so are equal numbers of any type, at any depth", async (t) => {
  const keys = (documents: ObjectValue[]) => {
    const result = groupsOf({ group: ["a"], out: { n: { count: true } } }, documents);
    return result === "too many" ? [] : result.groups.map(({ key, out }) => [key[0], out.n]);
  };
  t.strictSame(keys([{}, { a: null }, { a: [null] }]), [
    [null, 2],
    [[null], 1],
  ]);
  t.strictSame(keys([{ a: 1 }, { a: 1n }, { a: true }, { a: "1" }]), [
    [1, 2],
    ["1", 1],
    [true, 1],
  ]);
  t.strictSame(keys([{ a: 2n ** 53n + 1n }, { a: 2 ** 53 }, { a: 2n ** 53n }]), [
    [2 ** 53, 2],
    [2n ** 53n + 1n, 1],
  ]);
  t.strictSame(keys([{ a: { b: [1n, { c: 2 }] } }, { a: { b: [1, { c: 2n }] } }]), [[{ b: [1, { c: 2 }] }, 2]]);
  t.strictSame(keys([{ a: { b: 1, c: 2 } }, { a: { c: 2, b: 1 } }]).length, 2, "key order is data");
  t.strictSame(keys([{ a: [1, 2] }, { a: [1, 2] }, { a: 1 }, { a: [] }]), [
    [1, 1],
    [[], 1],
    [[1, 2], 2],
  ]);
});

t.test("a path in an aggregate gives one value: through arrays, the array of what their objects give", async (t) => {
  const rows: [ObjectValue, string, Value | undefined][] = [
    [{ a: { b: 1 } }, "a.b", 1],
    [{ a: 5 }, "a.b", undefined],
    [{ a: null }, "a.b", undefined],
    [{ a: [{ b: 1 }, { c: 2 }, 3, [{ b: 4 }], { b: null }] }, "a.b", [1, null]],
    [{ a: [{ b: [1, 2] }, { b: [] }] }, "a.b", [[1, 2], []]],
    [{ a: [{ b: [{ c: 1 }, {}] }, { b: { c: 2 } }] }, "a.b.c", [[1], 2]],
    [{ a: [] }, "a.b", []],
    [{ a: [1] }, "a", [1]],
    [{}, "constructor", undefined],
  ];
  for (const [document, path, expected] of rows) {
    t.strictSame(aggregateValue(document, path.split(".")), expected, JSON.stringify([document, path]));
  }
});

t.test("no group paths give one row, also over no documents", async (t) => {
  const out = {
    n: { count: true },
    s: { sum: "x" },
    a: { avg: "x" },
    lo: { min: "x" },
    hi: { max: "x" },
  };
  const none = { n: 0, s: 0, a: null, lo: null, hi: null };
  t.strictSame(groupsOf({ group: [], out }, []), { groups: [{ key: [], out: none }], more: false });
  t.strictSame(groupsOf({ out }, []), { groups: [{ key: [], out: none }], more: false });
  t.strictSame(groupsOf({ group: ["x"], out }, []), { groups: [], more: false });
  t.strictSame(totals(out, [{ x: "a" }, { x: [5] }, { x: null }, {}]), { ...none, n: 4, lo: "a", hi: [5] });
});

t.test("min and max skip null and missing, order across classes, and give normal numbers", async (t) => {
  const ends = (...numbers: Value[]) => totals({ lo: { min: "x" }, hi: { max: "x" } }, values(...numbers));
  t.strictSame(ends(null, 3, "a", 2n, new Date(5), true), { lo: 2, hi: new Date(5) });
  t.strictSame(ends(2n ** 53n + 1n, 2 ** 53), { lo: 2 ** 53, hi: 2n ** 53n + 1n });
  t.strictSame(ends([1, 9], [2n], []), { lo: [], hi: [2] });
  t.strictSame(ends("\ue000", "😀"), { lo: "\ue000", hi: "😀" });
});

t.test("sum and avg are exact, rounded once", async (t) => {
  const rows: [Value[], Value, Value][] = [
    [[0.1, 0.2, 0.3], 0.6, 0.6 / 3],
    [Array.from({ length: 10 }, () => 0.1), 1, 0.1],
    [[1e100, 1, -1e100], 1, 1 / 3],
    [[1e16, 1, 1e-16], 1e16 + 2, (1e16 + 2) / 3],
    [[2 ** 53, 1, 2 ** -60], 2 ** 53 + 2, (2 ** 53 + 2) / 3],
    [[1n, 2n], 3n, 1.5],
    [[INT64_MAX, 1n, -1n], INT64_MAX, 2 ** 63 / 3],
    [[INT64_MAX, INT64_MAX], 2 ** 64, 2 ** 63],
    [[INT64_MIN, -1n], -(2 ** 63), -(2 ** 62)],
    [[2n ** 53n + 1n, 0.5], 2 ** 53 + 2, 2 ** 52 + 1],
    [[2n ** 62n + 1n, -(2 ** 62)], 1, 0.5],
    [[5n, 0], 5, 2.5],
    [[1.5, -1.5], 0, 0],
    [[1e308, 1e308, -1e308], 1e308, 1e308 / 3],
    [[Number.MAX_VALUE, Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** -1074], Number.MAX_VALUE, Number.MAX_VALUE / 4],
    [[Number.MAX_VALUE, 2 ** 969], Number.MAX_VALUE, Number.MAX_VALUE / 2],
    [[-Number.MIN_VALUE, 0], -Number.MIN_VALUE, 0],
    [[Number.MIN_VALUE, Number.MIN_VALUE], 2 * Number.MIN_VALUE, Number.MIN_VALUE],
    [["1", null, true, [1], new Date(1), 7], 7, 7],
  ];
  for (const [numbers, s, a] of rows) {
    t.strictSame(totals({ s: { sum: "x" }, a: { avg: "x" } }, values(...numbers)), { s, a }, String(numbers));
  }
});

t.test("a sum beyond the greatest double is refused by name", async (t) => {
  for (const op of ["sum", "avg"]) {
    for (const numbers of [
      [Number.MAX_VALUE, Number.MAX_VALUE],
      [-Number.MAX_VALUE, -(2 ** 970), -0.5],
    ]) {
      const error = t.throws(() => totals({ s: { [op]: "x" } }, values(...numbers))) as unknown;
      t.ok(error instanceof GalleyError && error.code === "invalid_argument");
      t.ok(error instanceof GalleyError && error.details.faults?.[0]?.path === "out.s");
    }
  }
});

/** A double as an integer number of 2^-1074, by scaling it up until it is whole. */
function fixedPoint(number: number | bigint): bigint {
  if (typeof number === "bigint") return number << 1074n;
  let scale = 0n;
  let whole = number;
  for (; !Number.isInteger(whole); scale++) whole *= 2;
  return BigInt(whole) << (1074n - scale);
}

/** Whether no double is nearer to a number of 2^-1074, and on a tie, whether this is the one with an even mantissa. */
function isNearest(double: number, exact: bigint): boolean {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, double);
  const word = bits.getBigInt64(0);
  const neighbours = [1n, -1n].map((step) => {
    if (double === 0) return Number(step) * Number.MIN_VALUE;
    bits.setBigInt64(0, word + step);
    return bits.getFloat64(0);
  });
  const off = (other: number) => {
    const distance = fixedPoint(other) - exact;
    return distance < 0n ? -distance : distance;
  };
  const error = off(double);
  return neighbours
    .filter(Number.isFinite)
    .every((other) => error < off(other) || (error === off(other) && word % 2n === 0n));
}

t.test("sums equal rational arithmetic, whatever the magnitudes and the order", async (t) => {
  const random = new Random(SEED);
  const wrong: string[] = [];
  const number = (spread: number): number | bigint => {
    if (random.chance(20)) return BigInt(random.below(2 ** 31)) * (random.chance(50) ? 2n ** 32n : -(2n ** 31n)) + 1n;
    if (random.chance(10)) return random.below(100) - 50;
    const mantissa = 1 + random.below(2 ** 32) / 2 ** 32 + random.below(2 ** 20) / 2 ** 52;
    const exponent = Math.max(-1074, Math.min(1020, random.below(2 * spread + 1) - spread));
    return (random.chance(50) ? 1 : -1) * mantissa * 2 ** exponent;
  };
  for (let i = 0; i < 2500; i++) {
    const numbers = Array.from({ length: 1 + random.below(12) }, () => number(random.pick([3, 30, 60, 1074])));
    if (random.chance(30)) numbers.push(...numbers.slice(1).map((x) => -x));
    const sum = new ExactSum();
    for (const x of numbers) sum.add(x);
    const shuffled = new ExactSum();
    for (const x of random.some(numbers, numbers.length)) shuffled.add(x);
    const exact = numbers.reduce<bigint>((total, x) => total + fixedPoint(x), 0n);
    const value = sum.value();
    const right = typeof value === "bigint" ? value << 1074n === exact : isNearest(value, exact);
    if (!right || value !== shuffled.value())
      wrong.push(`case ${i} of seed ${SEED}: ${numbers.join(" + ")} = ${value}`);
  }
  t.strictSame(wrong, []);
});

t.test("ties round to even, and what lies far below a tie breaks it", async (t) => {
  const sum = (...numbers: (number | bigint)[]) => {
    const exact = new ExactSum();
    for (const number of numbers) exact.add(number);
    return exact.double();
  };
  for (const tiny of [2 ** -200, Number.MIN_VALUE]) {
    t.equal(sum(2 ** 53, 1), 2 ** 53);
    t.equal(sum(2 ** 53, 1, tiny), 2 ** 53 + 2);
    t.equal(sum(2 ** 53, 3), 2 ** 53 + 4);
    t.equal(sum(2 ** 53, 3, -tiny), 2 ** 53 + 2);
    t.equal(sum(2n ** 53n, 1n, tiny), 2 ** 53 + 2);
    t.equal(sum(2n ** 53n + 3n, -tiny), 2 ** 53 + 2);
    t.equal(sum(-(2n ** 53n), -1, -tiny), -(2 ** 53) - 2);
    t.equal(sum(Number.MAX_VALUE, 2 ** 970, -tiny), Number.MAX_VALUE);
  }
});

t.test("groups equal a plain computation over trap values", async (t) => {
  const random = new Random(SEED);
  const wrong: string[] = [];
  for (let round = 0; round < 40; round++) {
    const documents = Array.from({ length: 100 }, () => ({ a: trapValue(random, 2), b: { c: trapValue(random, 1) } }));
    const result = groupsOf(
      { group: ["a"], out: { n: { count: true }, lo: { min: "b.c" }, hi: { max: "b.c" } } },
      documents,
    );
    const keys = [...new Map(documents.map(({ a }) => [encodeValue(normalNumbers(a)), normalNumbers(a)])).values()];
    const expected = keys.sort(compare).map((key) => {
      const members = documents.filter(({ a }) => compare(a, key) === 0).map(({ b }) => normalNumbers(b.c));
      const present = members.filter((value) => value !== null).sort(compare);
      return { key: [key], out: { n: members.length, lo: present[0] ?? null, hi: present.at(-1) ?? null } };
    });
    const groups = result === "too many" ? [] : result.groups;
    if (encodeValue(groups as unknown as Value) !== encodeValue(expected as unknown as Value))
      wrong.push(`round ${round}`);
  }
  t.strictSame(wrong, [], `seed ${SEED}`);
});

t.test("10,000 groups are held, 1,000 returned", async (t) => {
  const documents = Array.from({ length: 10_000 }, (_, i) => ({ x: i }));
  const result = groupsOf({ group: ["x"], out: { n: { count: true } } }, documents);
  t.ok(result !== "too many" && result.more && result.groups.length === 1000);
  t.equal(groupsOf({ group: ["x"], out: {} }, [...documents, { x: -1 }]), "too many");
  const thousand = groupsOf({ group: ["x"], out: {} }, documents.slice(0, 1000));
  t.ok(thousand !== "too many" && !thousand.more && thousand.groups.length === 1000);
});

t.test("what groups hold is bounded in size too", async (t) => {
  const text = "x".repeat(1024 * 1024);
  const documents = Array.from({ length: 20 }, (_, i) => ({ k: `${text}${i}`, v: `${i}${text}` }));
  t.equal(groupsOf({ group: ["k"], out: {} }, documents), "too many");
  t.equal(
    groupsOf({ group: ["n"], out: { v: { max: "v" } } }, documents) === "too many",
    false,
    "one value is held at a time",
  );
  const kept = documents.map((document, n) => ({ ...document, n }));
  t.equal(groupsOf({ group: ["n"], out: { v: { max: "v" } } }, kept), "too many");
});

t.test("an aggregate is read strictly, with every fault named", async (t) => {
  const out = { n: { count: true } };
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`n${i}`, { count: true }]));
  const refused: [unknown, string[]][] = [
    [undefined, ["body bad_operand"]],
    [[{ $group: { _id: null } }], ["body bad_operand"]],
    [{}, ["out missing_member"]],
    [{ out, pipeline: [] }, ["pipeline unknown_member"]],
    [{ out: [] }, ["out bad_operand"]],
    [{ out: null }, ["out bad_operand"]],
    [{ out: many }, ["out too_many_values"]],
    [{ out: { _n: { count: true } } }, ["out._n bad_operand"]],
    [{ out: { "a.b": { count: true } } }, ["out.a.b bad_operand"]],
    [{ out: { constructor: { count: true } } }, ["out.constructor bad_operand"]],
    [JSON.parse('{"out": {"__proto__": {"count": true}}}'), ["out.__proto__ bad_operand"]],
    [{ out: { [`n${"o".repeat(32)}`]: { count: true } } }, [`out.n${"o".repeat(32)} bad_operand`]],
    [{ out: { n: { count: 1 } } }, ["out.n.count bad_operand"]],
    [{ out: { n: { sum: 1 } } }, ["out.n.sum bad_operand"]],
    [{ out: { n: { sum: "a.0" } } }, ["out.n.sum numeric_segment"]],
    [{ out: { n: { push: "a" } } }, ["out.n.push unknown_operator"]],
    [{ out: { n: { $sum: "$a" } } }, ["out.n.$sum unknown_operator"]],
    [{ out: { n: {} } }, ["out.n bad_operand"]],
    [{ out: { n: { count: true, sum: "a" } } }, ["out.n bad_operand"]],
    [{ out: { n: ["count"] } }, ["out.n bad_operand"]],
    [{ out, group: ["a", "b", "c", "d", "e"] }, ["group too_many_values"]],
    [
      { out, group: ["a.1", "_l", "$x", 5] },
      ["group.3 bad_operand", "group.0 numeric_segment", "group.1 reserved_field", "group.2 bad_path"],
    ],
    [{ out, group: { a: 1 } }, ["group bad_operand"]],
    [{ out, group: "a" }, ["group bad_operand"]],
    [{ out, sort: ["-m"] }, ["sort.0 bad_operand"]],
    [{ out, sort: ["n", "-n"] }, ["sort bad_operand"]],
    [{ out, limit: 0 }, ["limit bad_operand"]],
    [{ out, limit: 1001 }, ["limit bad_operand"]],
    [{ out, limit: "10" }, ["limit bad_operand"]],
  ];
  for (const [input, expected] of refused) t.strictSame(faultsOf(input), expected, JSON.stringify(input)?.slice(0, 70));
  const faults = new Faults();
  const most = { [`n${"o".repeat(31)}`]: { count: true }, b: { avg: "x.y" } };
  const read = parseAggregate(
    { filter: {}, group: ["a", "b", "c", "_id"], out: most, sort: "-b", limit: 1000 },
    "q",
    faults,
  );
  t.strictSame([faults.list, read.group.length, read.limit], [[], 4, 1000]);
  t.strictSame(read.out[1], { name: "b", op: "avg", path: ["x", "y"] });
  t.strictSame(read.sort, [{ output: "b", descending: true }]);
});
