import type { Key } from "./compare.ts";
import { EMPTY } from "./compare.ts";
import type { Path } from "./paths.ts";
import type { ObjectValue, Value } from "./values.ts";
import { isObjectValue } from "./values.ts";

/**
 * Every key tuple of a document under some paths: its rows in an index, and the choices for its sort key
 * (query-language.md 4). Equal tuples may repeat.
 *
 * @returns undefined if two paths meet two different arrays ("parallel arrays"), which no tuple can describe
 */
export function tuplesOf(paths: readonly Path[], value: ObjectValue): Key[][] | undefined {
  // Most documents have no array on the way and so one tuple, found without any bookkeeping.
  const plain: Key[] = [];
  for (const path of paths) {
    const key = plainKey(path, value);
    if (key === undefined) break;
    plain.push(key);
  }
  if (plain.length === paths.length) return [plain];
  const tuples: Key[][] = [];
  return eachTuple(paths, value, (tuple) => tuples.push(tuple)) ? tuples : undefined;
}

/** What a path leads to through objects alone, null if it misses; undefined if it meets an array. */
export function plainKey(path: Path, value: ObjectValue): Value | undefined {
  let within = value;
  const last = path.length - 1;
  for (let i = 0; ; i++) {
    const segment = path[i] as string;
    const found: Value = Object.hasOwn(within, segment) ? (within[segment] as Value) : null;
    if (Array.isArray(found)) return undefined;
    if (i === last) return found;
    if (!isObjectValue(found)) return null;
    within = found;
  }
}

/** Visits each tuple, in the order of the arrays' elements. Returns false, at once, on parallel arrays. */
export function eachTuple(paths: readonly Path[], value: ObjectValue, visit: (tuple: Key[]) => void): boolean {
  return walk(
    paths,
    paths.map(() => 0),
    paths.map(() => null),
    value,
    visit,
  );
}

/** In place of a depth: the path has ended, its part of the tuple is known. */
const ENDED = -1;
const NOTHING: ObjectValue = Object.freeze({});

/**
 * Walks every unfinished path from `value` through objects until it ends or meets an array; then goes on from each
 * element of that array. All unfinished paths stand at `value`.
 *
 * @param depths how many segments of each path are walked. Changed here, like `tuple`: both are the callee's
 */
function walk(
  paths: readonly Path[],
  depths: number[],
  tuple: Key[],
  value: ObjectValue,
  visit: (tuple: Key[]) => void,
): boolean {
  let array: readonly Value[] | undefined;
  let first = ENDED;
  for (let i = 0; i < paths.length; i++) {
    if (depths[i] === ENDED) continue;
    const met = step(paths[i] as Path, i, depths, tuple, value);
    if (!met) continue;
    if (array && !together(paths, first, i, depths)) return false;
    array = met;
    first = i;
  }
  if (!array) {
    visit(tuple);
    return true;
  }
  const elements: readonly Key[] = array.length === 0 ? [EMPTY] : array;
  for (const element of elements) {
    const nextDepths = [...depths];
    const nextTuple: Key[] = [...tuple];
    for (let i = 0; i < paths.length; i++) {
      if (depths[i] !== (paths[i] as Path).length) continue;
      nextTuple[i] = element; // a path that ends at the array takes the element itself, not opened further
      nextDepths[i] = ENDED;
    }
    const from = typeof element !== "symbol" && isObjectValue(element) ? element : NOTHING;
    if (!walk(paths, nextDepths, nextTuple, from, visit)) return false;
  }
  return true;
}

/** Walks one path until it ends, which sets its part of the tuple, or meets an array, which is returned. */
function step(path: Path, i: number, depths: number[], tuple: Key[], value: ObjectValue): readonly Value[] | undefined {
  let found: Value = value;
  for (let depth = depths[i] as number; depth < path.length; depth++) {
    const segment = path[depth] as string;
    found = isObjectValue(found) && Object.hasOwn(found, segment) ? (found[segment] as Value) : null;
    if (Array.isArray(found)) {
      depths[i] = depth + 1;
      return found as readonly Value[];
    }
  }
  tuple[i] = found;
  depths[i] = ENDED;
  return undefined;
}

/** Whether two paths stand at the same array. Told by their segments, since two fields may share one array object. */
function together(paths: readonly Path[], i: number, j: number, depths: readonly number[]): boolean {
  const depth = depths[i] as number;
  if (depth !== depths[j]) return false;
  for (let n = 0; n < depth; n++) if ((paths[i] as Path)[n] !== (paths[j] as Path)[n]) return false;
  return true;
}
