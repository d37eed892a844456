import type { ObjectValue, Value } from "#protocol/values";
import { encodeValue, INT64_MAX } from "#protocol/values";
import type { Random } from "./trap-pool.ts";

/** Few values, so that literals and documents collide; each stands for a trap of query-language.md 10. */
const SCALARS: readonly Value[] = [
  ...[null, null, 0, 1, 1n, 2, -5, 1.5, 2 ** 53, 2n ** 53n + 1n, INT64_MAX, 2 ** 63],
  ...["", "a", "ab", "a\0b", "1", "\uffff", "😀"],
  ...[true, false, new Uint8Array([1, 2]), new Uint8Array([3]), new Date(0), new Date(-1)],
];
const KEYS = ["a", "b", "c", "0", "1", "01"];
const PATHS = ["a", "a", "b", "a.b", "a.b.c", "a.0", "a.1", "a.01", "a.0.b", "a.b.0", "a.0.1", "b.1.a", "toString"];
const CLASSES = ["null", "number", "string", "object", "array", "binary", "bool", "date", "int64"];

/** A value at most `depth` levels deep. */
function randomValue(random: Random, depth: number): Value {
  if (depth === 0 || random.chance(45)) return random.pick(SCALARS);
  const size = random.below(4);
  if (random.chance(55)) return Array.from({ length: size }, () => randomValue(random, depth - 1));
  return randomObject(random, depth, size);
}

function randomObject(random: Random, depth: number, size: number): ObjectValue {
  return Object.fromEntries(random.some(KEYS, size).map((key) => [key, randomValue(random, depth - 1)]));
}

/** A document from the small pool, without server fields. */
export function randomDocument(random: Random): ObjectValue {
  return { a: randomValue(random, 3), b: randomValue(random, 2), ...randomObject(random, 3, random.below(3)) };
}

/** A legal filter as parsed JSON, at most `depth` levels deep. */
export function randomFilter(random: Random, depth: number): Record<string, unknown> {
  const filter: Record<string, unknown> = {};
  const entries = random.chance(70) ? 1 : random.below(3);
  for (let i = 0; i < entries; i++) {
    if (depth > 0 && random.chance(30)) {
      const branches = 1 + random.below(3);
      const list = Array.from({ length: branches }, () => randomFilter(random, depth - 1));
      filter[random.pick(["$and", "$or", "$or", "$nor"])] = list;
    } else filter[random.pick(PATHS)] = randomTest(random, depth);
  }
  return filter;
}

function randomTest(random: Random, depth: number): unknown {
  return random.chance(25) ? literal(random) : randomOperators(random, depth);
}

function randomOperators(random: Random, depth: number): Record<string, unknown> {
  const names = random.some(Object.keys(OPERANDS), random.chance(75) ? 1 : 2);
  const nested = { $not: randomOperators, $elemMatch: randomElementMatch };
  if (depth > 0 && random.chance(30)) {
    const name = random.pick(["$not", "$elemMatch"] as const);
    return { [name]: nested[name](random, depth - 1) };
  }
  return Object.fromEntries(names.map((name) => [name, (OPERANDS[name] as Operand)(random)]));
}

function randomElementMatch(random: Random, depth: number): Record<string, unknown> {
  if (random.chance(50)) {
    const filter = randomFilter(random, depth);
    return Object.keys(filter).length > 0 ? filter : { a: literal(random) };
  }
  const texts = ["$startsWith", "$endsWith", "$contains"];
  const allowed = Object.keys(OPERANDS).filter((name) => !["$all", "$exists", ...texts].includes(name));
  const names = random.some([...allowed, random.pick(texts)], 1 + random.below(2));
  const tests = names.map((name) => [name, (OPERANDS[name] as Operand)(random)]);
  if (depth > 0 && random.chance(20)) tests.push(["$elemMatch", randomElementMatch(random, depth - 1)]);
  return Object.fromEntries(tests);
}

type Operand = (random: Random) => unknown;

const list =
  (most: number): Operand =>
  (random) =>
    Array.from({ length: random.below(most + 1) }, () => literal(random));
const bound: Operand = (random) => wire(random.pick(SCALARS.filter((value) => value !== null)));
const text: Operand = (random) => random.pick(["a", "b", "ab", "\0", "😀"]);

const OPERANDS: Record<string, Operand> = {
  $eq: literal,
  $ne: literal,
  ...{ $gt: bound, $gte: bound, $lt: bound, $lte: bound },
  ...{ $in: list(4), $nin: list(3), $all: list(2) },
  $exists: (random) => random.chance(50),
  $type: (random) => (random.chance(60) ? random.pick(CLASSES) : random.some(CLASSES, 1 + random.below(3))),
  $size: (random) => random.below(4),
  $mod: (random) =>
    random.pick([
      [2, 1],
      [3, -2],
      [-3, 0],
      [1, 0],
    ] as const),
  ...{ $startsWith: text, $endsWith: text, $contains: text },
};

function literal(random: Random): unknown {
  return wire(randomValue(random, random.chance(70) ? 0 : 2));
}

function wire(value: Value): unknown {
  return JSON.parse(encodeValue(value));
}
