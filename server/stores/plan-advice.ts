import type { Node, SortKey } from "#protocol/ast";
import { LIMITS } from "#protocol/limits";
import type { IndexDefinition } from "./document-store.ts";
import { type Interval, intersect, WIDTH, widthOf } from "./plan-intervals.ts";
import { conjunctsOf, predicatesOf } from "./plan-predicates.ts";

/**
 * The index that would serve a query: its equality paths, then the sort or a range. Undefined if no index helps or the
 * one that would is declared already.
 *
 * @param filter normalised
 * @param sort undefined for a query without an order
 */
export function adviseIndex(
  filter: Node,
  sort: readonly SortKey[] | undefined,
  declared: readonly IndexDefinition[],
): IndexDefinition | undefined {
  const conjuncts = conjunctsOf(filter);
  const isNew = (paths: readonly string[]) =>
    paths.length > 0 && !declared.some((index) => !index.unique && index.paths.join() === paths.join());
  const own = advisePaths(conjuncts, sort);
  if (own.length > 0) return isNew(own) ? { paths: own } : undefined;
  // A union needs an index for each branch: tell the first that is missing.
  for (const node of conjuncts) {
    if (node.kind !== "or") continue;
    const branches = node.of.map((branch) => advisePaths(conjunctsOf(branch), undefined));
    const missing = branches.every((paths) => paths.length > 0) ? branches.find(isNew) : undefined;
    if (missing) return { paths: missing };
  }
  return undefined;
}

/** Paths held at one key, then the sort; or else paths held at several keys, then a range. */
function advisePaths(conjuncts: readonly Node[], sort: readonly SortKey[] | undefined): string[] {
  const narrowed = narrowedPaths(conjuncts);
  // The most telling first, so that what does not fit is the least.
  const held = [...narrowed.one, ...narrowed.oneCommon].slice(0, LIMITS.indexPaths);
  const order = sort ? orderPaths(sort, held) : [];
  const rangeInOrder = order.some((path) => narrowed.closed.includes(path.replace(/^-/, "")));
  const orderFirst = held.length > 0 || rangeInOrder || (narrowed.several.length === 0 && narrowed.closed.length === 0);
  if (order.length > 0 && orderFirst && held.length + order.length <= LIMITS.indexPaths) return [...held, ...order];
  const [range] = [...narrowed.closed, ...narrowed.open];
  return [...held, ...narrowed.several, ...(range ? [range] : [])].slice(0, LIMITS.indexPaths);
}

/** The sort's paths that an index must hold behind `held`; [] if they do not end in the direction of `_id`. */
function orderPaths(sort: readonly SortKey[], held: readonly string[]): string[] {
  const parts = sort.slice(0, -1).filter(({ path }) => !held.includes(path.join(".")));
  const last = parts.at(-1);
  if (!last || last.descending !== sort.at(-1)?.descending) return [];
  return parts.map(({ path, descending }) => (descending ? "-" : "") + path.join("."));
}

interface NarrowedPaths {
  readonly one: string[];
  readonly oneCommon: string[];
  readonly several: string[];
  readonly closed: string[];
  readonly open: string[];
}

/** Every path that a filter narrows, once, by how far it does; a whole class is not worth an index. */
function narrowedPaths(conjuncts: readonly Node[]): NarrowedPaths {
  const paths: NarrowedPaths = { one: [], oneCommon: [], several: [], closed: [], open: [] };
  const narrowest = new Map<string, readonly Interval[]>();
  for (const { path, intervals } of predicatesOf(conjuncts)) {
    const text = path.join(".");
    // Documents are found by `_id` without an index, and an index reads a leading `-` as a direction.
    if (text === "_id" || text.startsWith("-") || intervals.length === 0) continue;
    const other = narrowest.get(text);
    narrowest.set(text, other ? narrower(other, intervals) : intervals);
  }
  for (const [text, intervals] of narrowest) listOf(paths, intervals)?.push(text);
  return paths;
}

/** Two open ranges of one path may close each other: `{$gte: 3, $lt: 5}`. */
function narrower(a: readonly Interval[], b: readonly Interval[]): readonly Interval[] {
  const both = intersect(a, b);
  return both.length > 0 ? both : a;
}

function listOf(paths: NarrowedPaths, intervals: readonly Interval[]): string[] | undefined {
  switch (widthOf(intervals)) {
    case WIDTH.points:
      return intervals.length === 1 ? paths.one : paths.several;
    case WIDTH.commonPoints:
      return intervals.length === 1 ? paths.oneCommon : paths.several;
    case WIDTH.closed:
      return paths.closed;
    case WIDTH.open:
      return paths.open;
    default:
      return undefined;
  }
}
