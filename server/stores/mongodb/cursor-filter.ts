import type { Document } from "mongodb";
import type { SortKey } from "#protocol/ast";
import { EMPTY, type Key, RANK, rankOf } from "#protocol/compare";
import type { Value } from "#protocol/values";
import { TYPES_BY_RANK } from "./rank-types.ts";
import { withoutIndex } from "./translate.ts";
import { toBson } from "./values.ts";

/**
 * A filter that every document passes whose sort key is greater than a cursor (query-language.md 8.3.3), part by part:
 * a greater first key, or the same one and a greater second. Of documents with arrays others pass too, since it is some
 * element that is tested and not the least one.
 *
 * @param unordered whether documents are found that no index could hold for their arrays: one such document fails the
 *   query wherever it would stand, so the pages behind a cursor look at them too
 */
export function behind(sort: readonly SortKey[], after: readonly Key[], unordered: boolean): Document {
  const [only] = sort;
  const id = after.at(-1);
  if (only && sort.length === 1) return { _id: { [only.descending ? "$lt" : "$gt"]: id } };
  const parallel = unordered ? parallelArraysOn(sort) : undefined;
  const greater = afterCursor(sort, after);
  // Of this nothing is to be looked up: it would be by many ranges, and no more in the order of the sort.
  return withoutIndex(parallel ? { $or: [greater, parallel] } : greater);
}

function afterCursor(sort: readonly SortKey[], after: readonly Key[]): Document {
  const ways: Document[] = [];
  const same: Document[] = [];
  for (const [i, { path, descending }] of sort.entries()) {
    const name = path.join(".");
    const key = after[i] as Key;
    const greater = descending ? below(name, key) : above(name, key);
    if (greater) ways.push(allOf([...same, greater]));
    same.push(equalTo(name, key));
  }
  return anyOf(ways);
}

/** A filter that every document passes which has two different arrays on the paths of a sort. */
function parallelArraysOn(sort: readonly SortKey[]): Document | undefined {
  const pairs: Document[] = [];
  for (const [i, { path: a }] of sort.entries()) {
    for (const { path: b } of sort.slice(i + 1)) {
      let shared = 0;
      while (shared < a.length && a[shared] === b[shared]) shared++;
      // An array that both go through is one and the same.
      const arrays = [a, b].map((path) => arraysBelow(path, shared));
      if (arrays.every((list) => list.length > 0)) pairs.push(allOf(arrays.map(anyOf)));
    }
  }
  return pairs.length > 0 ? anyOf(pairs) : undefined;
}

function arraysBelow(path: readonly string[], shared: number): Document[] {
  if (path[0] === "_id") return [];
  return path.slice(shared).map((_, n) => ({ [path.slice(0, shared + n + 1).join(".")]: { $type: "array" } }));
}

function above(path: string, key: Key): Document | undefined {
  const rank = rankOf(key);
  if (key === EMPTY) return {};
  const higher = TYPES_BY_RANK.filter(([other]) => other > Math.max(rank, RANK.null)).map(([, type]) => type);
  const ways: Document[] = higher.length > 0 ? [{ [path]: { $type: higher } }] : [];
  if (rank === RANK.object || rank === RANK.array) ways.push(withinClass(path, rank));
  else if (rank !== RANK.null) ways.push({ [path]: { $gt: toBson(key as Value) } });
  return ways.length > 0 ? anyOf(ways) : undefined;
}

function below(path: string, key: Key): Document | undefined {
  const rank = rankOf(key);
  if (key === EMPTY) return undefined;
  const empty = { [path]: [] };
  if (rank === RANK.null) return empty;
  const lower = TYPES_BY_RANK.filter(([other]) => other < rank).map(([, type]) => type);
  const ways: Document[] = [empty, missing(path)];
  if (lower.length > 0) ways.push({ [path]: { $type: lower } });
  ways.push(
    rank === RANK.object || rank === RANK.array ? withinClass(path, rank) : { [path]: { $lt: toBson(key as Value) } },
  );
  return anyOf(ways);
}

/** Ranges of objects and arrays are none that the language trusts MongoDB with. */
function withinClass(path: string, rank: typeof RANK.object | typeof RANK.array): Document {
  return { [path]: { $type: rank === RANK.object ? "object" : "array" } };
}

function equalTo(path: string, key: Key): Document {
  if (key === EMPTY) return { [path]: [] };
  return key === null ? missing(path) : { [path]: { $eq: toBson(key as Value) } };
}

/** Behind a scalar in an array a path finds nothing, not even null, and its key is null all the same. */
function missing(path: string): Document {
  return path.includes(".") ? { $or: [{ [path]: null }, { [path]: { $exists: false } }] } : { [path]: null };
}

function allOf(filters: readonly Document[]): Document {
  return filters.length === 1 ? (filters[0] as Document) : { $and: filters };
}

function anyOf(filters: readonly Document[]): Document {
  return filters.length === 1 ? (filters[0] as Document) : { $or: filters };
}
