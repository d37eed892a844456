import type { Value } from "#protocol/values";
import { makeValue, PATHS, type Pool, SERVER_PATHS, wire } from "./pool.ts";

/** A filter as a client writes it: parsed JSON. */
export type WireFilter = Record<string, unknown>;

const CLASSES = ["null", "number", "string", "object", "array", "binary", "bool", "date", "int64"];
const INNER_PATHS = ["b", "c", "b.c", "0", "1", "a", "b.0"];

/** Any filter of the language, its logical operators nested at most `depth` levels. */
export function makeFilter(pool: Pool, depth: number, paths: readonly string[] = PATHS): WireFilter {
  const { random } = pool;
  const filter: WireFilter = {};
  const entries = random.chance(60) ? 1 : random.below(3);
  for (let i = 0; i < entries; i++) {
    if (depth > 0 && random.chance(30)) {
      const branches = Array.from({ length: 1 + random.below(3) }, () => makeFilter(pool, depth - 1, paths));
      filter[random.pick(["$and", "$or", "$nor"])] = branches;
    } else if (paths === PATHS && random.chance(4)) {
      filter[random.pick(SERVER_PATHS)] = makeTest(pool, 0);
    } else {
      filter[random.pick(paths)] = makeTest(pool, depth);
    }
  }
  return filter;
}

/** What stands at a path: a literal or operators. */
export function makeTest(pool: Pool, depth: number): unknown {
  const { random } = pool;
  if (random.chance(35)) return literal(pool);
  const operators: Record<string, unknown> = {};
  const count = random.chance(70) ? 1 : 2;
  for (let i = 0; i < count; i++) {
    const [name, make] = random.pick(depth > 0 ? NESTING_OPERATORS : OPERATORS);
    operators[name] = make(pool, depth);
  }
  return operators;
}

type Make = (pool: Pool, depth: number) => unknown;

const SCALAR_OPERATORS: readonly [name: string, make: Make][] = [
  ["$eq", literal],
  ["$ne", literal],
  ["$gt", bound],
  ["$gte", bound],
  ["$lt", bound],
  ["$lte", bound],
  ["$in", list],
  ["$nin", list],
  ["$type", ({ random }) => (random.chance(60) ? random.pick(CLASSES) : random.some(CLASSES, 1 + random.below(3)))],
  ["$size", ({ random }) => random.below(4)],
  ["$mod", ({ random }) => [random.pick([2, 3, -3, 1]), random.pick([0, 1, -1, 2])]],
  ["$startsWith", (pool) => text(pool, "start")],
  ["$endsWith", (pool) => text(pool, "end")],
  ["$contains", (pool) => text(pool, "any")],
];

const OPERATORS: readonly [name: string, make: Make][] = [
  ...SCALAR_OPERATORS,
  ["$exists", ({ random }) => random.chance(50)],
  ["$all", makeAll],
];

const NESTING_OPERATORS: readonly [name: string, make: Make][] = [
  ...OPERATORS,
  ["$not", (pool, depth) => makeOperators(pool, OPERATORS, depth - 1)],
  ["$elemMatch", makeElemMatch],
  ["$elemMatch", makeElemMatch],
];

function makeOperators(pool: Pool, from: readonly [name: string, make: Make][], depth: number): WireFilter {
  const operators: WireFilter = {};
  for (let i = 0; i < 1 + pool.random.below(2); i++) {
    const [name, make] = pool.random.pick(from);
    operators[name] = make(pool, depth);
  }
  return operators;
}

/** The operand of `$elemMatch`: also that of `$pull` and of array filters. */
export function makeElemMatch(pool: Pool, depth: number): WireFilter {
  const { random } = pool;
  if (random.chance(50)) {
    const nested: [string, Make][] = depth > 1 ? [["$elemMatch", makeElemMatch]] : [];
    const operators = makeOperators(pool, [...SCALAR_OPERATORS, ...nested], depth - 1);
    // The value form takes one text operator; the first one stays.
    const texts = ["$startsWith", "$endsWith", "$contains"].filter((name) => name in operators);
    for (const name of texts.slice(1)) delete operators[name];
    return operators;
  }
  const filter = makeFilter(pool, Math.max(0, depth - 1), INNER_PATHS);
  return Object.keys(filter).length > 0 ? filter : { b: null };
}

function makeAll(pool: Pool, depth: number): unknown[] {
  const { random } = pool;
  if (depth > 0 && random.chance(30)) {
    return Array.from({ length: 1 + random.below(2) }, () => ({ $elemMatch: makeElemMatch(pool, depth) }));
  }
  return Array.from({ length: random.below(3) }, () => literal(pool));
}

/** A value that a document may hold. It may hold arrays, even where the documents have none so far. */
export function literal(pool: Pool): unknown {
  const sample = pool.random.pick(pool.samples);
  if (sample !== undefined && pool.random.chance(25)) return wire(sample);
  return wire(makeValue({ ...pool, arrays: Math.max(pool.arrays, 10) }, 2));
}

function list(pool: Pool): unknown[] {
  return Array.from({ length: pool.random.below(4) }, () => literal(pool));
}

export function bound(pool: Pool): unknown {
  const { random } = pool;
  return wire(random.pick(pool.scalars.filter((value) => value !== null)));
}

/** A part of some string of the pool, cut between characters. */
function text({ random, scalars }: Pool, at: "start" | "end" | "any"): string {
  const strings = scalars.filter((value): value is Value & string => typeof value === "string" && value !== "");
  const characters = [...random.pick(strings)];
  const length = 1 + random.below(Math.min(3, characters.length));
  const most = characters.length - length;
  const start = at === "start" ? 0 : at === "end" ? most : random.below(most + 1);
  return characters.slice(start, start + length).join("");
}
