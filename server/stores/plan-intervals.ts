import type { Key, Rank } from "#protocol/compare";
import { compare, compareStrings, EMPTY, RANK, rankOf } from "#protocol/compare";

/**
 * A place between keys, in the order of query-language.md 3.2: just before or after one key, a whole class, or all
 * strings that start with a text.
 */
export type Edge =
  | { readonly at: "before" | "after"; readonly key: Key }
  | { readonly at: "before" | "after"; readonly rank: Rank }
  | { readonly at: "after"; readonly prefix: string };

/** A set of keys without gaps. A point is kept apart because only points let the next path of an index be bounded. */
export type Interval =
  | { readonly kind: "point"; readonly key: Key }
  | { readonly kind: "range"; readonly from: Edge; readonly to: Edge };

/** How much of the keys a set of intervals is likely to leave out: the wider, the less it narrows. */
export const WIDTH = { nothing: 0, points: 1, commonPoints: 2, closed: 3, open: 4, classes: 5 } as const;
export type Width = (typeof WIDTH)[keyof typeof WIDTH];

export function point(key: Key): Interval {
  return { kind: "point", key };
}

export function range(from: Edge, to: Edge): Interval {
  return { kind: "range", from, to };
}

export function wholeClass(rank: Rank): Interval {
  return range({ at: "before", rank }, { at: "after", rank });
}

/** All keys of one class beyond or up to a key. */
export function half(op: "gt" | "gte" | "lt" | "lte", key: Key): Interval {
  const rank = rankOf(key);
  switch (op) {
    case "gt":
      return range({ at: "after", key }, { at: "after", rank });
    case "gte":
      return range({ at: "before", key }, { at: "after", rank });
    case "lt":
      return range({ at: "before", rank }, { at: "before", key });
    case "lte":
      return range({ at: "before", rank }, { at: "after", key });
  }
}

export function startingWith(prefix: string): Interval {
  return range({ at: "before", key: prefix }, { at: "after", prefix });
}

/** The points of these keys in ascending order, equal ones once. */
export function points(keys: readonly Key[]): Interval[] {
  const sorted = [...keys].sort(compare);
  return sorted.filter((key, i) => i === 0 || compare(key, sorted[i - 1] as Key) !== 0).map(point);
}

/** Where an interval begins. */
export function fromEdge(interval: Interval): Edge {
  return interval.kind === "point" ? { at: "before", key: interval.key } : interval.from;
}

/** Where an interval ends. */
export function toEdge(interval: Interval): Edge {
  return interval.kind === "point" ? { at: "after", key: interval.key } : interval.to;
}

/** What two sets of intervals share; both and the result ascend without overlap. */
export function intersect(a: readonly Interval[], b: readonly Interval[]): Interval[] {
  const shared: Interval[] = [];
  let i = 0;
  let j = 0;
  for (let x = a[0], y = b[0]; x && y; x = a[i], y = b[j]) {
    const from = later(fromEdge(x), fromEdge(y));
    const endsFirst = compareEdges(toEdge(x), toEdge(y)) <= 0;
    const to = toEdge(endsFirst ? x : y);
    if (compareEdges(from, to) < 0) shared.push(simplest(from, to));
    if (endsFirst) i++;
    else j++;
  }
  return shared;
}

export function isPoints(intervals: readonly Interval[]): boolean {
  return intervals.every((interval) => interval.kind === "point");
}

/** The one key that a path is held at, if it is. */
export function constantKey(intervals: readonly Interval[] | undefined): Key | undefined {
  const [only] = intervals ?? [];
  return intervals?.length === 1 && only?.kind === "point" ? only.key : undefined;
}

export function widthOf(intervals: readonly Interval[]): Width {
  let widest: Width = WIDTH.nothing;
  for (const interval of intervals) {
    const width = widthOfOne(interval);
    if (width > widest) widest = width;
  }
  return widest;
}

function widthOfOne(interval: Interval): Width {
  if (interval.kind === "point") {
    // Half of all documents may share one of these, so any other equality is worth more.
    const rank = rankOf(interval.key);
    const common = rank === RANK.null || rank === RANK.bool || interval.key === EMPTY;
    return common ? WIDTH.commonPoints : WIDTH.points;
  }
  const open = Number("rank" in interval.from) + Number("rank" in interval.to);
  return open === 0 ? WIDTH.closed : open === 1 ? WIDTH.open : WIDTH.classes;
}

/** `{$gte: 3, $lte: 3}` is the point 3. */
function simplest(from: Edge, to: Edge): Interval {
  const one = "key" in from && "key" in to && compare(from.key, to.key) === 0;
  return one ? point(from.key) : range(from, to);
}

function later(a: Edge, b: Edge): Edge {
  return compareEdges(a, b) >= 0 ? a : b;
}

/** The order of two places: negative, 0 or positive. */
function compareEdges(a: Edge, b: Edge): number {
  const rank = edgeRank(a) - edgeRank(b);
  if (rank !== 0) return rank;
  if ("rank" in a || "rank" in b) return classSide(a) - classSide(b);
  if ("prefix" in a) return "prefix" in b ? comparePrefixes(a.prefix, b.prefix) : compareWithKey(a.prefix, b.key);
  if ("prefix" in b) return -compareWithKey(b.prefix, a.key);
  return compare(a.key, b.key) || side(a) - side(b);
}

function edgeRank(edge: Edge): Rank {
  if ("rank" in edge) return edge.rank;
  return "prefix" in edge ? RANK.string : rankOf(edge.key);
}

function side(edge: Edge): number {
  return edge.at === "before" ? -1 : 1;
}

/** Which side of everything else in the class a place is; 0 within the class. */
function classSide(edge: Edge): number {
  return "rank" in edge ? side(edge) : 0;
}

/** Orders the end of all strings that start with `prefix`, and a key. */
function compareWithKey(prefix: string, key: Key): number {
  const text = key as string;
  return text.startsWith(prefix) ? 1 : compareStrings(prefix, text);
}

function comparePrefixes(a: string, b: string): number {
  if (a === b) return 0;
  if (b.startsWith(a)) return 1;
  return a.startsWith(b) ? -1 : compareStrings(a, b);
}
