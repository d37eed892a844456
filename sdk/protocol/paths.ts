import type { Found } from "./compare.ts";
import { MISSING } from "./compare.ts";
import type { Faults } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { ObjectValue, Value } from "./values.ts";
import { fitsUtf8, isObjectValue, keyFault } from "./values.ts";

/** A dotted path, split. Made by {@link parsePath}; its segments are legal keys. */
export type Path = readonly string[];

/** The server's fields that may be filtered, sorted, selected and grouped by; any other `_` name is reserved. */
const SERVER_FIELDS = new Set(["_id", "_v", "_createdAt", "_updatedAt"]);

/**
 * Reads a dotted path of a filter, sort, select or index.
 *
 * @param at where it stands in the input, for faults
 * @param inside true for a path inside `$elemMatch`, which starts at an element and so has no server fields
 */
export function parsePath(text: string, at: string, faults: Faults, inside = false): Path {
  const segments = text.split(".", LIMITS.pathSegments + 1);
  if (segments.length > LIMITS.pathSegments) {
    faults.add(at, "bad_path", `a path has at most ${LIMITS.pathSegments} segments`);
  } else if (!fitsUtf8(text, LIMITS.pathBytes)) {
    faults.add(at, "bad_path", `a path has at most ${LIMITS.pathBytes} bytes`);
  } else {
    for (const segment of segments) {
      const fault = keyFault(segment);
      if (fault) {
        faults.add(at, "bad_path", fault);
        return segments;
      }
    }
    const first = segments[0] as string;
    if (!inside && first.startsWith("_") && !SERVER_FIELDS.has(first)) {
      faults.add(
        at,
        "reserved_field",
        `${JSON.stringify(first)} is reserved: names starting with "_" are the server's`,
      );
    }
  }
  return segments;
}

/** Whether a segment could be read as an array index: such paths are refused where engines disagree on them. */
export function isNumericSegment(segment: string): boolean {
  return /^(?:0|[1-9][0-9]*)$/.test(segment);
}

export function hasNumericSegment(path: Path): boolean {
  return path.some(isNumericSegment);
}

/** Refuses numeric segments; sort, select, distinct, group and index paths may not have them (query-language.md 4). */
export function parsePlainPath(text: string, at: string, faults: Faults): Path {
  const path = parsePath(text, at, faults);
  if (hasNumericSegment(path)) {
    faults.add(at, "numeric_segment", "a numeric segment is allowed in filters and updates only");
  }
  return path;
}

/** An own member of an object, never one it inherits; `MISSING` if absent. */
export function own(object: ObjectValue, key: string): Found {
  return Object.hasOwn(object, key) ? (object[key] as Value) : MISSING;
}

/**
 * Visits what a path yields from a value, by the rules of query-language.md 3.1, until `visit` returns true. A value that
 * the path reaches by very many ways is visited only a few times.
 *
 * @param open whether an array at the end is opened to its elements before it is yielded itself; false for `$size` and
 *   `$elemMatch`, which judge the whole value
 * @param from how many segments lead to `value` already
 * @returns whether `visit` returned true for some value
 */
export function someValue(value: Found, path: Path, open: boolean, visit: Visit, from = 0): boolean {
  const seen = mayMeetTwice(path) ? new Map<readonly Value[], number>() : undefined;
  return someFrom({ path, open, visit, seen }, value, from);
}

type Visit = (found: Found) => boolean;

interface Walk {
  readonly path: Path;
  readonly open: boolean;
  readonly visit: Visit;
  /**
   * For each array met, a bit for each segment it was entered at. Each numeric segment has two readings, so without it
   * a document of arrays in arrays would be walked by a number of ways exponential in its depth.
   */
  readonly seen: Map<readonly Value[], number> | undefined;
}

/** Two ways part at one numeric segment and need another one to meet again. */
function mayMeetTwice(path: Path): boolean {
  let numeric = 0;
  for (const segment of path) {
    const code = segment.charCodeAt(0);
    if (code >= 48 && code <= 57) numeric++;
  }
  return numeric > 1;
}

function someFrom(walk: Walk, value: Found, from: number): boolean {
  const { path } = walk;
  if (from === path.length) {
    if (walk.open && Array.isArray(value)) {
      for (const element of value as readonly Value[]) if (walk.visit(element)) return true;
    }
    return walk.visit(value);
  }
  if (Array.isArray(value)) return someInArray(walk, value as readonly Value[], from);
  if (value !== MISSING && isObjectValue(value)) return someFrom(walk, own(value, path[from] as string), from + 1);
  return walk.visit(MISSING);
}

function someInArray(walk: Walk, array: readonly Value[], from: number): boolean {
  if (walk.seen) {
    const entered = walk.seen.get(array) ?? 0;
    if (entered & (1 << from)) return false;
    walk.seen.set(array, entered | (1 << from));
  }
  const segment = walk.path[from] as string;
  const index = isNumericSegment(segment) ? Number(segment) : -1;
  // Elements in order, each by its key reading first: min and max do not care, distinct and messages do.
  for (let i = 0; i < array.length; i++) {
    const element = array[i] as Value;
    if (isObjectValue(element) && someFrom(walk, own(element, segment), from + 1)) return true;
    if (i === index && atIndex(walk, element, from + 1)) return true;
  }
  return false;
}

/** An element reached by its index: it is not opened at the end, and an array inside goes on as an array. */
function atIndex(walk: Walk, element: Value, from: number): boolean {
  if (from === walk.path.length) return walk.visit(element);
  if (isObjectValue(element)) return someFrom(walk, own(element, walk.path[from] as string), from + 1);
  if (Array.isArray(element)) return someInArray(walk, element as readonly Value[], from);
  return false;
}
