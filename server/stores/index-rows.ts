import { MISSING } from "#protocol/compare";
import { LIMITS } from "#protocol/limits";
import { type Path, someValue } from "#protocol/paths";
import { tuplesOf } from "#protocol/tuples";
import { isObjectValue, type ObjectValue, type Value } from "#protocol/values";
import { encodeTuple } from "./key-encoding.ts";
import { differingParts } from "./plan.ts";
import type { IndexFacts } from "./plan-shape.ts";

/** What one document has in one index. */
export interface IndexRows {
  /** Encoded key tuples, each once. */
  readonly keys: readonly Buffer[];
  /** For each path, whether the document's tuples differ in it; undefined if there is at most one. */
  readonly differing: readonly boolean[] | undefined;
}

/** Why an index cannot hold a document; the `reason` of a `schema_violation`. */
export type Unfit = "parallel_arrays" | "index_key_too_long";

const NONE: IndexRows = { keys: [], differing: undefined };

/** Makes the function that computes a document's rows in one index (query-language.md 4 and 8). */
export function indexRowsOf(index: Pick<IndexFacts, "keys" | "unique">): (document: ObjectValue) => IndexRows | Unfit {
  const paths = index.keys.map(({ path }) => path);
  const directions = index.keys.map(({ descending }) => descending);
  return (document) => {
    if (index.unique && !paths.every((path) => exists(document, path))) return NONE;
    const tuples = tuplesOf(paths, document);
    if (tuples === undefined) return "parallel_arrays";
    const keys: Buffer[] = [];
    const seen = tuples.length > 1 ? new Set<string>() : undefined;
    for (const tuple of tuples) {
      const key = encodeTuple(tuple, directions);
      if (key.length > LIMITS.keyBytes) return "index_key_too_long";
      if (seen) {
        const text = key.toString("latin1");
        if (seen.has(text)) continue;
        seen.add(text);
      }
      keys.push(key);
    }
    return { keys, differing: tuples.length > 1 ? differingParts(tuples) : undefined };
  };
}

/**
 * Whether an index surely holds a document, in one row: each path leads to nothing or to a short scalar, through objects
 * alone. Most documents are told so, without their keys.
 */
export function surelyFits(keys: IndexFacts["keys"], document: ObjectValue): boolean {
  let room = SHORT;
  for (const { path } of keys) {
    let value: Value | undefined = document;
    for (const name of path) {
      if (!isObjectValue(value)) return false;
      value = value[name];
    }
    if (typeof value === "string") room -= value.length;
    else if (typeof value === "object" && value !== null && !(value instanceof Date)) return false;
  }
  return room >= 0;
}

/** Characters that always fit into a key: each takes at most six bytes there, beside a few for each path. */
const SHORT = 256;

/** Whether a document takes part in a unique index: `$exists: true` on each path. */
function exists(document: ObjectValue, path: Path): boolean {
  return someValue(document, path, true, (found) => found !== MISSING);
}

/** The keys of `a` that are not among those of `b`. */
export function keysWithout(a: readonly Buffer[], b: readonly Buffer[]): readonly Buffer[] {
  const [first] = a;
  if (first === undefined || b.length === 0) return a;
  if (a.length === 1 && b.length === 1) return first.equals(b[0] as Buffer) ? [] : a;
  const others = new Set(b.map((key) => key.toString("latin1")));
  return a.filter((key) => !others.has(key.toString("latin1")));
}
