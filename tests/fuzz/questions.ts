import type { IndexDefinition } from "../../server/stores/document-store.ts";
import { aimAt } from "./aim.ts";
import { makeFilter, type WireFilter } from "./filters.ts";
import { PLAIN_PATHS, type Pool, SERVER_PATHS } from "./pool.ts";

/** One question to a collection, as JSON, so that it can be printed and made smaller. */
export type Question =
  | FindQuestion
  | { readonly kind: "count"; readonly filter: WireFilter; readonly cap: number }
  | { readonly kind: "distinct"; readonly filter: WireFilter; readonly path: string }
  | { readonly kind: "aggregate"; readonly filter: WireFilter; readonly body: Record<string, unknown> };

export interface FindQuestion {
  readonly kind: "find";
  readonly filter: WireFilter;
  /** A second filter that is AND-ed to the first, as an access rule is. */
  readonly rule?: WireFilter;
  readonly sort: readonly string[];
  readonly limit: number;
  /** The pages begin after the place of this document, whether or not it matches. */
  readonly after?: string;
  /** How many are read at most; {@link PAGES} if left out, as the shrinker may. */
  readonly pages?: number;
  /** Judged on the documents themselves: stores give whole ones. */
  readonly select?: readonly string[];
}

/** As many as were read when the stored seeds were found. */
export const PAGES = 8;
const FILTER_DEPTH = 4;

/** What questions are about: ids that may be there, indexes that are; and how many pages of one are read. */
export interface Subjects {
  readonly ids: readonly string[];
  readonly indexes: readonly IndexDefinition[];
  readonly pages: number;
}

export function makeQuestion(pool: Pool, { ids, indexes, pages }: Subjects): Question {
  const { random } = pool;
  // At random a question hardly ever meets an index in both its filter and its sort, so half of them are aimed at one.
  const aim = random.chance(50) ? aimAt(pool, random.pick(indexes)) : undefined;
  const filter = aim?.filter ?? (random.chance(6) ? {} : makeFilter(pool, random.below(FILTER_DEPTH + 1)));
  const kind = random.below(100);
  if (kind < 16) return { kind: "count", filter, cap: random.pick([1, 5, 100_000]) };
  if (kind < 26) return { kind: "distinct", filter, path: random.pick([...PLAIN_PATHS, "_id", "_createdAt"]) };
  if (kind < 36) return { kind: "aggregate", filter, body: makeAggregate(pool) };
  return {
    kind: "find",
    filter,
    ...(random.chance(15) && { rule: makeFilter(pool, 1) }),
    sort: aim && random.chance(90) ? aim.sort : makeSort(pool),
    limit: random.pick([1, 2, 3, 7, 25, 1000]),
    pages,
    ...(ids.length > 0 && random.chance(40) && { after: random.pick(ids) }),
    ...(random.chance(20) && { select: random.some(PLAIN_PATHS, 1 + random.below(3)) }),
  };
}

function makeSort({ random }: Pool): string[] {
  const paths = random.some(random.chance(85) ? PLAIN_PATHS : [...PLAIN_PATHS, ...SERVER_PATHS], random.below(4));
  const end = paths.indexOf("_id");
  return (end === -1 ? paths : paths.slice(0, end + 1)).map((path) => (random.chance(50) ? path : `-${path}`));
}

function makeAggregate({ random }: Pool): Record<string, unknown> {
  const group = random.some([...PLAIN_PATHS, "_createdAt"], random.below(3));
  const operations = random.some(["count", "sum", "avg", "min", "max"], 1 + random.below(3));
  const out = Object.fromEntries(
    operations.map((name, i) => [`o${i}`, { [name]: name === "count" ? true : random.pick(PLAIN_PATHS) }]),
  );
  const sort = random.some(Object.keys(out), random.below(3)).map((name) => (random.chance(50) ? name : `-${name}`));
  return { group, out, sort, ...(random.chance(40) && { limit: 1 + random.below(4) }) };
}

/** One to three indexes of one to three paths, some of them unique. */
export function makeIndexes({ random }: Pool): IndexDefinition[] {
  return Array.from({ length: 1 + random.below(3) }, () => {
    // Paths through one array are paired in its tuples, which is where an index is hardest to read rightly.
    const shared = PLAIN_PATHS.filter((path) => path.startsWith("a."));
    const others = random.chance(10) ? [...PLAIN_PATHS, "_createdAt", "_v"] : PLAIN_PATHS;
    const paths = random.some(random.chance(35) ? shared : others, 1 + random.below(3));
    return {
      paths: paths.map((path) => (random.chance(50) ? path : `-${path}`)),
      ...(random.chance(20) && { unique: true }),
    };
  }).filter(firstOfItsPaths);
}

/** Two indexes on the same paths would be one definition twice. */
function firstOfItsPaths(index: IndexDefinition, i: number, all: readonly IndexDefinition[]): boolean {
  return all.findIndex((other) => other.paths.join() === index.paths.join()) === i;
}
