import { type Document, MaxKey, MinKey } from "mongodb";
import type { SortKey } from "#protocol/ast";
import { EMPTY, equal, type Key, RANK, type Rank } from "#protocol/compare";
import { DATE_MIN } from "#protocol/dates";
import type { Value } from "#protocol/values";
import { constantKey, type Edge, fromEdge, type Interval, intersect, point, range, toEdge } from "../plan-intervals.ts";
import { toBson } from "./values.ts";

/** The stretch of an index that a `find` reads: `min` is in it, `max` is not. Both in the index's own order. */
export interface KeyBounds {
  readonly min: Document;
  readonly max: Document;
}

/** Where pages begin: behind this key tuple of a sort, which an index gives, read forward or from its end. */
export interface Seek {
  readonly sort: readonly SortKey[];
  readonly after: readonly Key[];
  readonly backward: boolean;
}

/**
 * The one stretch of an index that holds a row of every document which a filter accepts and which comes after the cursor
 * (query-language.md 8.3.2).
 *
 * A document that comes after has a row which the bounds show, and as the sort's paths are all the index's, no row of it
 * comes before its sort key: so that row lies behind the cursor too.
 *
 * @param parts the keys of the index, `_id` included
 * @param bounds what the first of them must lie in, as a plan says it that trusts no path to be without arrays
 * @returns `"nothing"` if no such document can be; undefined if it is more than one stretch
 */
export function keyBounds(
  parts: readonly SortKey[],
  bounds: readonly (readonly Interval[])[],
  seek?: Seek,
): KeyBounds | "nothing" | undefined {
  const held = heldKeys(bounds);
  // One key and no more has no place behind it where a stretch could end.
  if (held.length === parts.length) return undefined;
  const within = bounds[held.length];
  if (within && within.length !== 1) return undefined;
  const interval = within?.[0];
  if (!seek) return whole(parts, held, interval);
  const place = placeOf(parts, held, seek);
  if (!place) return undefined;
  const key = place[held.length];
  if (key === undefined) return whole(parts, held, interval);
  if (interval) {
    const side = sideOf(interval, key, (parts[held.length]?.descending ?? false) === seek.backward);
    if (side === "behind") return "nothing";
    if (side === "before") return whole(parts, held, interval);
  }
  const { min, max } = whole(parts, held, interval);
  return seek.backward ? { min, max: upper(parts, place) } : { min: lower(parts, place), max };
}

/** Keys at which the first parts are held, one each. */
function heldKeys(bounds: readonly (readonly Interval[])[]): Key[] {
  const held: Key[] = [];
  for (const bound of bounds) {
    const key = constantKey(bound);
    if (key === undefined) break;
    held.push(key);
  }
  return held;
}

function whole(parts: readonly SortKey[], held: readonly Key[], interval: Interval | undefined): KeyBounds {
  if (!interval) return { min: lower(parts, held), max: upper(parts, held) };
  const descending = parts[held.length]?.descending ?? false;
  const [first, last] = [fromEdge(interval), toEdge(interval)];
  return {
    min: edgeBound(parts, held, descending ? last : first, "lower"),
    max: edgeBound(parts, held, descending ? first : last, "upper"),
  };
}

/**
 * The tuple of the cursor in the index, as far as it is known. Undefined if the filter holds a sort path at one key and the
 * cursor has another there: with arrays, whose least element need not be the one asked for, that tells nothing.
 */
function placeOf(parts: readonly SortKey[], held: readonly Key[], { sort, after }: Seek): Key[] | undefined {
  const place: Key[] = [];
  for (const [i, part] of parts.entries()) {
    const n = sort.findIndex(({ path }) => path.join(".") === part.path.join("."));
    const key = held[i];
    if (key !== undefined) {
      if (n !== -1 && !equal(key, after[n] as Key)) return undefined;
      place.push(key);
    } else {
      if (n === -1) break;
      place.push(after[n] as Key);
    }
  }
  return place;
}

/** Where a cursor stands to an interval that is read in the order of values, or against it. */
function sideOf(interval: Interval, key: Key, ascending: boolean): "before" | "inside" | "behind" {
  if (intersect([interval], [point(key)]).length > 0) return "inside";
  const later: Interval = ascending
    ? range({ at: "after", key }, { at: "after", rank: RANK.date })
    : range({ at: "before", rank: RANK.empty }, { at: "before", key });
  return intersect([interval], [later]).length > 0 ? "before" : "behind";
}

/** The first place of the rows whose tuples start with these keys. */
export function lower(parts: readonly SortKey[], keys: readonly (Key | undefined)[]): Document {
  return bound(parts, keys, "lower");
}

/** Behind the last place of them. */
export function upper(parts: readonly SortKey[], keys: readonly (Key | undefined)[]): Document {
  return bound(parts, keys, "upper");
}

/**
 * EMPTY has no value that the driver could write: the bound takes the place next to it, and with it all rows that share the
 * keys so far and EMPTY.
 */
function bound(parts: readonly SortKey[], keys: readonly (Key | undefined)[], side: "lower" | "upper"): Document {
  const document: Document = {};
  for (const [i, { path, descending }] of parts.entries()) {
    const name = path.join(".");
    const key = keys[i];
    if (key === undefined) return fill(document, parts, i, side === "lower" ? "begin" : "end");
    if (key !== EMPTY) {
      document[name] = toBson(key as Value);
      continue;
    }
    const before = descending !== (side === "lower");
    document[name] = before ? new MinKey() : null;
    return fill(document, parts, i + 1, descending ? "end" : "begin");
  }
  return document;
}

/** A bound at an edge of the values of the part behind `held`. */
function edgeBound(parts: readonly SortKey[], held: readonly Key[], edge: Edge, side: "lower" | "upper"): Document {
  const i = held.length;
  const { path, descending } = parts[i] as SortKey;
  const document: Document = {};
  for (const [n, key] of held.entries()) {
    if (key === EMPTY) return bound(parts, held, side);
    document[(parts[n] as SortKey).path.join(".")] = toBson(key as Value);
  }
  const { value, at } = valueAt(edge);
  document[path.join(".")] = value;
  return fill(document, parts, i + 1, (at === "before") !== descending ? "begin" : "end");
}

/** The value next to an edge, and on which side of it the edge lies. */
function valueAt(edge: Edge): { value: unknown; at: "before" | "after" } {
  if ("rank" in edge) {
    const least = edge.at === "before" ? LEAST[edge.rank] : LEAST[(edge.rank + 1) as Rank];
    return { value: least === undefined ? new MaxKey() : least, at: "before" };
  }
  if ("prefix" in edge) return { value: afterPrefix(edge.prefix), at: "before" };
  if (edge.key !== EMPTY) return { value: toBson(edge.key as Value), at: edge.at };
  return { value: edge.at === "before" ? new MinKey() : null, at: "before" };
}

/** The least value of each class in MongoDB's order. */
const LEAST: Readonly<Record<Rank, unknown>> = {
  [RANK.empty]: new MinKey(),
  [RANK.null]: null,
  [RANK.number]: Number.NEGATIVE_INFINITY,
  [RANK.string]: "",
  [RANK.object]: {},
  [RANK.array]: [],
  [RANK.binary]: new Uint8Array(),
  [RANK.bool]: false,
  [RANK.date]: new Date(DATE_MIN),
};

const LAST_CHARACTER = 0x10ffff;

/** The least string above all that start with a text; the least object if there is none. */
function afterPrefix(prefix: string): unknown {
  const characters = [...prefix];
  for (let last = characters.pop(); last !== undefined; last = characters.pop()) {
    const code = last.codePointAt(0) ?? 0;
    if (code === LAST_CHARACTER) continue;
    // Surrogates are no characters.
    const next = code + 1 === 0xd800 ? 0xe000 : code + 1;
    return characters.join("") + String.fromCodePoint(next);
  }
  return LEAST[RANK.object];
}

function fill(document: Document, parts: readonly SortKey[], from: number, to: "begin" | "end"): Document {
  for (const { path, descending } of parts.slice(from)) {
    document[path.join(".")] = descending === (to === "begin") ? new MaxKey() : new MinKey();
  }
  return document;
}
