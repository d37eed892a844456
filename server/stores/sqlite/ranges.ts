import type { SortKey } from "#protocol/ast";
import type { Key } from "#protocol/compare";
import { compare, compareStrings, RANK, rankOf } from "#protocol/compare";
import { AFTER_ALL, encodeClass, encodeKey, encodePrefix, encodeTuple, inverted, successor } from "../key-encoding.ts";
import type { Edge, Interval } from "../plan-intervals.ts";
import { constantKey, fromEdge, toEdge } from "../plan-intervals.ts";
import type { IndexUse, PrimaryUse } from "../plan-shape.ts";

/** How to read an index table: the steps one after the other, each in the same direction. */
export interface IndexScan {
  /** Whether rows are read by descending key. */
  readonly backward: boolean;
  /**
   * Whether rows of one key are read by descending id. An index table must therefore keep ids in the direction of its
   * last path: PRIMARY KEY (key, id) or, if that is descending, PRIMARY KEY (key, id DESC).
   */
  readonly idsDescending: boolean;
  readonly steps: readonly IndexStep[];
}

export type IndexStep =
  /** Rows with `from <= key < to`. */
  | { readonly kind: "range"; readonly from: Buffer; readonly to: Buffer }
  /** Rows with this key whose id lies behind `id` in the scan's direction: what is left of a cursor's equals. */
  | { readonly kind: "equals"; readonly key: Buffer; readonly id: string };

/** How to read documents by id: `from <= id < to`, the steps one after the other in one direction. */
export interface IdScan {
  readonly backward: boolean;
  readonly steps: readonly IdRange[];
}

interface IdRange {
  readonly from: string;
  readonly to: string;
}

/** The key tuple of the last row read, `_id` included, under its sort. */
export interface Cursor {
  readonly sort: readonly SortKey[];
  readonly after: readonly Key[];
}

interface ByteRange {
  readonly from: Buffer;
  readonly to: Buffer;
}

const NO_BYTES = Buffer.alloc(0);

/**
 * The rows of an index that a use reads, in the order in which it reads them.
 *
 * @param cursor leave out unless the plan is `ordered`: rows up to it are left out
 */
export function indexScan(use: IndexUse, cursor?: Cursor): IndexScan {
  const { backward } = use;
  const ranges = byteRanges(use);
  if (backward) ranges.reverse();
  const idsDescending = (use.index.keys.at(-1)?.descending ?? false) !== backward;
  const steps = cursor ? beyond(use, ranges, cursor) : ranges.map(rangeStep);
  return { backward, idsDescending, steps };
}

/**
 * The steps of a scan behind a cursor with the first two as one range, which then begins with all rows that have the
 * cursor's key. Undefined if they are no such two.
 */
export function withEquals({ backward, steps }: IndexScan): [ByteRange, ...IndexStep[]] | undefined {
  const [equals, range, ...rest] = steps;
  if (equals?.kind !== "equals" || range?.kind !== "range") return undefined;
  const { key } = equals;
  // What lies between the key and the range is in no range of the use, unless the range begins right at the key.
  const adjacent = backward ? range.to.equals(key) : range.from.equals(above(key));
  if (!adjacent) return undefined;
  return [backward ? { from: range.from, to: above(key) } : { from: key, to: range.to }, ...rest];
}

/** The bounds as ranges of encoded keys, ascending and apart. */
function byteRanges(use: IndexUse): ByteRange[] {
  const { bounds, index } = use;
  let prefixes = [NO_BYTES];
  for (const [i, bound] of bounds.entries()) {
    const descending = index.keys[i]?.descending ?? false;
    const intervals = descending ? bound.toReversed() : bound;
    if (i === bounds.length - 1) {
      const ends = intervals.map((interval) => byteRange(interval, descending));
      return prefixes.flatMap((prefix) =>
        ends.map(({ from, to }) => ({ from: Buffer.concat([prefix, from]), to: Buffer.concat([prefix, to]) })),
      );
    }
    const parts = intervals.map((interval) => byteRange(interval, descending).from);
    prefixes = prefixes.flatMap((prefix) => parts.map((part) => Buffer.concat([prefix, part])));
  }
  return [{ from: NO_BYTES, to: AFTER_ALL }];
}

function byteRange(interval: Interval, descending: boolean): ByteRange {
  const from = fromEdge(interval);
  const to = toEdge(interval);
  return descending
    ? { from: edgeBytes(to, true), to: edgeBytes(from, true) }
    : { from: edgeBytes(from, false), to: edgeBytes(to, false) };
}

/** The least bytes behind a place, in the direction of its part. */
function edgeBytes(edge: Edge, descending: boolean): Buffer {
  const ascending =
    "rank" in edge ? encodeClass(edge.rank) : "prefix" in edge ? encodePrefix(edge.prefix) : encodeKey(edge.key);
  const start = descending ? inverted(ascending) : ascending;
  return (edge.at === "after") === descending ? start : above(start);
}

function above(prefix: Buffer): Buffer {
  return successor(prefix) ?? AFTER_ALL;
}

function rangeStep({ from, to }: ByteRange): IndexStep {
  return { kind: "range", from, to };
}

/** Leaves out what a cursor has passed. */
function beyond(use: IndexUse, ranges: readonly ByteRange[], cursor: Cursor): IndexStep[] {
  const { prefix, side } = placeOf(use, cursor);
  const steps: IndexStep[] = [];
  const id = cursor.after.at(-1);
  const shown = ranges.some(({ from, to }) => from.compare(prefix) <= 0 && prefix.compare(to) < 0);
  if (side === 0 && shown && typeof id === "string") steps.push({ kind: "equals", key: prefix, id });
  // Rows that start with the prefix are still to come only if their side is the one the scan goes to.
  const still = side > 0;
  for (let { from, to } of ranges) {
    if (use.backward) to = least(to, still ? above(prefix) : prefix);
    else from = greatest(from, still ? prefix : above(prefix));
    if (from.compare(to) < 0) steps.push({ kind: "range", from, to });
  }
  return steps;
}

/**
 * Where a cursor stands among the rows: on those that start with `prefix` (`side` 0), just before them (1) or just
 * behind them (-1). It stands beside them if the filter holds a sort path at one key and the cursor has another there.
 */
function placeOf(use: IndexUse, { sort, after }: Cursor): { prefix: Buffer; side: number } {
  const { keys } = use.index;
  const parts: (Key | undefined)[] = keys.map((_, i) => constantKey(use.bounds[i]));
  let side = 0;
  for (const [n, { path, descending }] of sort.slice(0, -1).entries()) {
    const i = keys.findIndex((key) => key.path.join(".") === path.join("."));
    const held = constantKey(use.bounds[i]);
    if (held === undefined) parts[i] = after[n];
    else side = Math.sign(compare(held, after[n] as Key)) * (descending ? -1 : 1);
    if (side !== 0) break;
  }
  const known = parts.indexOf(undefined);
  const tuple = (known === -1 ? parts : parts.slice(0, known)) as Key[];
  return {
    prefix: encodeTuple(
      tuple,
      keys.map((key) => key.descending),
    ),
    side,
  };
}

function greatest(a: Buffer, b: Buffer): Buffer {
  return a.compare(b) >= 0 ? a : b;
}

function least(a: Buffer, b: Buffer): Buffer {
  return a.compare(b) <= 0 ? a : b;
}

/** Above every id: their characters end with `~`. */
const AFTER_IDS = "\x7f";

/** As {@link indexScan}, for `_id`. */
export function idScan(use: PrimaryUse, cursor?: Cursor): IdScan {
  const { backward, bounds } = use;
  const ranges = bounds?.map(idRange) ?? [{ from: "", to: AFTER_IDS }];
  if (backward) ranges.reverse();
  const id = cursor?.after.at(-1);
  if (typeof id !== "string") return { backward, steps: ranges };
  const steps: IdRange[] = [];
  for (let { from, to } of ranges) {
    if (backward && compareStrings(id, to) < 0) to = id;
    if (!backward && compareStrings(id, from) >= 0) from = `${id}\0`;
    if (compareStrings(from, to) < 0) steps.push({ from, to });
  }
  return { backward, steps };
}

function idRange(interval: Interval): IdRange {
  return { from: edgeText(fromEdge(interval)), to: edgeText(toEdge(interval)) };
}

/** The least text behind a place. Behind a string that is the string with a NUL, which no id holds. */
function edgeText(edge: Edge): string {
  if ("prefix" in edge) return edge.prefix + AFTER_IDS;
  if ("rank" in edge)
    return edge.rank < RANK.string || (edge.rank === RANK.string && edge.at === "before") ? "" : AFTER_IDS;
  if (rankOf(edge.key) !== RANK.string) return rankOf(edge.key) < RANK.string ? "" : AFTER_IDS;
  return edge.at === "before" ? (edge.key as string) : `${edge.key as string}\0`;
}
