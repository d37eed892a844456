import type { Node, SortKey } from "#protocol/ast";
import { RANK } from "#protocol/compare";
import type { Path } from "#protocol/paths";
import type { Interval } from "./plan-intervals.ts";
import { constantKey, intersect, isPoints, WIDTH, wholeClass, widthOf } from "./plan-intervals.ts";
import type { Predicate } from "./plan-predicates.ts";
import { holdTogether, predicatesOf, requiredPaths } from "./plan-predicates.ts";
import type { IndexFacts, IndexUse, PrimaryUse } from "./plan-shape.ts";

/** How many intervals one read of an index may be made of, unless the first path alone has more. */
const MAX_INTERVALS = 256;

/** One way to find the candidates of some conjuncts. */
export interface Choice<I extends IndexFacts> {
  readonly use: PrimaryUse | IndexUse<I>;
  /** The conjuncts that every candidate passes. */
  readonly decided: ReadonlySet<number>;
  readonly ordered: boolean;
  readonly repeats: boolean;
  /** Whether some path is held at keys that only few documents are likely to share. */
  readonly selective: boolean;
  /** How far it is to be preferred; see {@link prefer}. */
  readonly score: readonly number[];
}

/** The best way to find the candidates of some conjuncts; `"none"` if there can be none, undefined if no index helps. */
export function choose<I extends IndexFacts>(
  conjuncts: readonly Node[],
  sort: readonly SortKey[] | undefined,
  indexes: readonly I[],
): Choice<I> | "none" | undefined {
  const predicates = predicatesOf(conjuncts);
  let best = choosePrimary<I>(predicates, sort);
  if (best === "none") return best;
  let required: readonly Path[] | undefined;
  for (const index of indexes) {
    if (!index.ready) continue;
    if (index.unique) {
      required ??= requiredPaths(conjuncts);
      if (!holdsEveryMatch(index, required)) continue;
    }
    const choice = chooseIndex(index, predicates, sort);
    if (choice === "none") return choice;
    if (choice && (!best || prefer(choice.score, best.score))) best = choice;
  }
  return best;
}

/** Whether the first of two scores is the better one; they are compared part by part. */
export function prefer(score: readonly number[], than: readonly number[]): boolean {
  for (const [i, part] of score.entries()) {
    const other = than[i] ?? 0;
    if (part !== other) return part > other;
  }
  return false;
}

/** A unique index leaves out a document that lacks one of its paths, so it serves filters that do the same. */
function holdsEveryMatch(index: IndexFacts, required: readonly Path[]): boolean {
  return index.keys.every((key) => required.some((path) => key.path.every((segment, i) => path[i] === segment)));
}

function choosePrimary<I extends IndexFacts>(
  predicates: readonly Predicate[],
  sort: readonly SortKey[] | undefined,
): Choice<I> | "none" | undefined {
  const used = predicates.filter((predicate) => samePath(predicate.path, ["_id"]));
  const inOrder = sort?.length === 1 ? sort[0] : undefined;
  if (used.length === 0 && !inOrder) return undefined;
  const bounds = used.length > 0 ? intersectAll(used, [wholeClass(RANK.string)]) : undefined;
  if (bounds?.length === 0) return "none";
  return {
    use: Object.freeze({ kind: "primary", bounds, backward: inOrder?.descending ?? false }),
    decided: decidedBy(used),
    ordered: inOrder !== undefined,
    repeats: false,
    selective: bounds !== undefined && isSelective(bounds),
    score: scoreOf(bounds ? [bounds] : [], inOrder !== undefined, 1, true),
  };
}

function chooseIndex<I extends IndexFacts>(
  index: I,
  predicates: readonly Predicate[],
  sort: readonly SortKey[] | undefined,
): Choice<I> | "none" | undefined {
  const bound = boundsOf(index, predicates);
  if (bound === "none") return bound;
  const { bounds, used } = bound;
  const order = sort && orderServed(index, bounds, sort);
  if (bounds.length === 0 && !order) return undefined;
  return {
    use: Object.freeze({ kind: "index", index, bounds: Object.freeze(bounds), backward: order?.backward ?? false }),
    decided: decidedBy(used),
    ordered: order !== undefined,
    repeats: index.multikey.some((multikey, i) => multikey && constantKey(bounds[i]) === undefined),
    selective: bounds.some(isSelective),
    score: scoreOf(bounds, order !== undefined, index.keys.length, index.unique),
  };
}

/** Bounds the first paths of an index: points as far as they go, then at most one set with ranges. */
export function boundsOf(index: IndexFacts, predicates: readonly Predicate[]) {
  const bounds: (readonly Interval[])[] = [];
  const used: Predicate[] = [];
  /** Those of `used` whose path may have several keys in one document. */
  const several: Predicate[] = [];
  let count = 1;
  for (const [i, key] of index.keys.entries()) {
    let usable = predicates.filter((predicate) => samePath(predicate.path, key.path));
    if (index.multikey[i]) {
      // Each of them may be satisfied by another row of the document, so one is taken that fits those before it.
      const fitting = usable.filter((predicate) => several.every((other) => holdTogether(predicate, other)));
      usable = narrowest(fitting);
    }
    if (usable.length === 0) break;
    const intervals = intersectAll(usable);
    if (intervals.length === 0) return "none";
    count *= intervals.length;
    if (bounds.length > 0 && count > MAX_INTERVALS) break;
    bounds.push(intervals);
    used.push(...usable);
    if (index.multikey[i]) several.push(...usable);
    if (!isPoints(intervals)) break;
  }
  return { bounds, used };
}

function narrowest(predicates: readonly Predicate[]): Predicate[] {
  const width = ({ intervals }: Predicate) => widthOf(intervals);
  return predicates.toSorted((a, b) => width(a) - width(b) || a.intervals.length - b.intervals.length).slice(0, 1);
}

function intersectAll(predicates: readonly Predicate[], within?: readonly Interval[]): readonly Interval[] {
  let intervals = within;
  for (const predicate of predicates) {
    intervals = intervals ? intersect(intervals, predicate.intervals) : predicate.intervals;
  }
  return Object.freeze(intervals ?? []);
}

function decidedBy(used: readonly Predicate[]): Set<number> {
  return new Set(used.filter((predicate) => predicate.exact).map((predicate) => predicate.conjunct));
}

/**
 * Whether the rows inside the bounds come in the order of a sort, and from which end. The paths that are not held at
 * one key must be the sort's, all in its directions or all against them, `_id` included.
 */
function orderServed(
  index: IndexFacts,
  bounds: readonly (readonly Interval[])[],
  sort: readonly SortKey[],
): { backward: boolean } | undefined {
  const last = sort.at(-1);
  const lastKey = index.keys.at(-1);
  if (!last || !lastKey) return undefined;
  const free: number[] = [];
  let wanted = sort.slice(0, -1);
  for (const [i, key] of index.keys.entries()) {
    if (constantKey(bounds[i]) === undefined) free.push(i);
    // With several keys in one document the sort goes by the least of them, which need not be the one asked for.
    else if (!index.multikey[i]) wanted = wanted.filter((part) => !samePath(part.path, key.path));
  }
  const backward = last.descending !== lastKey.descending;
  const fits =
    free.length === wanted.length &&
    free.every((i, n) => {
      const key = index.keys[i] as SortKey;
      const part = wanted[n] as SortKey;
      return samePath(key.path, part.path) && (key.descending !== part.descending) === backward;
    });
  return fits && free.every((i) => showsWhole(index, bounds, i)) ? { backward } : undefined;
}

/**
 * Whether the bounds hide no key of path `i` of a document that they show: its first row is then its least key. Bounds
 * on a path that passes through the same array would.
 */
function showsWhole(index: IndexFacts, bounds: readonly (readonly Interval[])[], i: number): boolean {
  if (!index.multikey[i]) return true;
  const first = index.keys[i]?.path[0];
  return bounds.every((_, n) => n !== i && (!index.multikey[n] || index.keys[n]?.path[0] !== first));
}

/**
 * What speaks for a use, most important first: at most one document; paths held at points; those of them that are not
 * null, a bool or an empty array, which many documents share; the range after them and the sort; few paths in vain; few
 * intervals.
 */
function scoreOf(bounds: readonly (readonly Interval[])[], ordered: boolean, paths: number, unique: boolean): number[] {
  let equalities = 0;
  let rare = 0;
  let rest = ordered ? 3 : 0;
  let intervals = 1;
  for (const bound of bounds) {
    const width = widthOf(bound);
    if (width <= WIDTH.commonPoints) equalities++;
    if (isSelective(bound)) rare++;
    if (width === WIDTH.closed) rest += 6;
    if (width === WIDTH.open) rest += 2;
    if (width === WIDTH.classes) rest += 1;
    intervals *= bound.length;
  }
  const one = unique && equalities === paths && intervals === 1 ? 1 : 0;
  return [one, equalities, rare, rest, bounds.length - paths, -intervals];
}

function isSelective(bound: readonly Interval[]): boolean {
  return widthOf(bound) <= WIDTH.points;
}

function samePath(a: Path, b: Path): boolean {
  return a.length === b.length && a.every((segment, i) => segment === b[i]);
}
