import type { IndexDefinition } from "../../server/stores/document-store.ts";
import { bound, literal, makeFilter, makeTest, type WireFilter } from "./filters.ts";
import type { Pool } from "./pool.ts";

/** A filter and a sort that one index may serve: tests of its first paths, then its order, forward or backward. */
export function aimAt(pool: Pool, index: IndexDefinition): { filter: WireFilter; sort: string[] } {
  const { random } = pool;
  const held = random.below(index.paths.length + 1);
  // A path that is held at one key may stand in the sort all the same.
  const sorted = index.paths.slice(random.chance(60) ? held : random.below(held + 1));
  const flipped = random.chance(50);
  const sort = sorted.map((path) => (random.chance(95) === flipped ? flip(path) : path));
  const tests = () => testsOf(pool, index.paths.slice(0, held).map(bare));
  const filter = random.chance(15) ? { $or: [tests(), tests()] } : tests();
  return { filter: random.chance(20) ? { ...makeFilter(pool, 1), ...filter } : filter, sort };
}

function flip(path: string): string {
  return path.startsWith("-") ? bare(path) : `-${path}`;
}

function bare(path: string): string {
  return path.replace(/^-/, "");
}

/** Equalities, the last of them perhaps a range or any other test; now and then inside the array that the paths go through. */
function testsOf(pool: Pool, paths: readonly string[]): WireFilter {
  const { random } = pool;
  const last = paths.at(-1);
  const tests: WireFilter = {};
  for (const path of paths) {
    const roll = path === last ? random.below(100) : 100;
    tests[path] = roll < 30 ? range(pool) : roll < 55 ? makeTest(pool, 1) : equality(pool);
  }
  return random.chance(20) ? insideElements(tests) : tests;
}

function equality(pool: Pool): unknown {
  const { random, scalars } = pool;
  if (random.chance(20)) return { $in: Array.from({ length: 1 + random.below(3) }, () => literal(pool)) };
  return random.chance(15)
    ? literal(pool)
    : { $eq: literal({ ...pool, scalars: scalars.slice(0, 5), arrays: 0, objects: 0 }) };
}

function range(pool: Pool): unknown {
  const { random } = pool;
  if (random.chance(20))
    return { $type: random.some(["number", "string", "object", "date", "null"], 1 + random.below(2)) };
  const lower = { [random.pick(["$gt", "$gte"])]: bound(pool) };
  const upper = { [random.pick(["$lt", "$lte"])]: bound(pool) };
  return random.pick([lower, upper, { ...lower, ...upper }]);
}

/** `{"a.b": x, "a.c": y}` as `{a: {$elemMatch: {b: x, c: y}}}`, as far as the paths have a first segment to share. */
function insideElements(tests: WireFilter): WireFilter {
  const filter: WireFilter = {};
  for (const [path, test] of Object.entries(tests)) {
    const [first = "", ...rest] = path.split(".");
    if (rest.length === 0) return tests;
    const inner = (filter[first] as { $elemMatch: WireFilter } | undefined)?.$elemMatch;
    filter[first] = { $elemMatch: { ...inner, [rest.join(".")]: test } };
  }
  return filter;
}
