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
 * Visits what a path yields from a value, by the rules of query-language.md 3.1, until `visit` returns true.
 *
 * @param open whether an array at the end is opened to its elements before it is yielded itself; false for `$size` and
 *   `$elemMatch`, which judge the whole value
 * @returns whether `visit` returned true for some value
 */
export function someValue(
  value: Found,
  path: Path,
  open: boolean,
  visit: (found: Found) => boolean,
  from = 0,
): boolean {
  if (from === path.length) {
    if (open && Array.isArray(value)) {
      for (const element of value as readonly Value[]) if (visit(element)) return true;
    }
    return visit(value);
  }
  if (Array.isArray(value)) return someInArray(value as readonly Value[], path, open, visit, from);
  if (value !== MISSING && isObjectValue(value)) {
    return someValue(own(value, path[from] as string), path, open, visit, from + 1);
  }
  return visit(MISSING);
}

function someInArray(
  array: readonly Value[],
  path: Path,
  open: boolean,
  visit: (found: Found) => boolean,
  from: number,
): boolean {
  const segment = path[from] as string;
  const index = isNumericSegment(segment) ? Number(segment) : -1;
  // Elements in order, each by its key reading first: min and max do not care, distinct and messages do.
  for (let i = 0; i < array.length; i++) {
    const element = array[i] as Value;
    if (isObjectValue(element) && someValue(own(element, segment), path, open, visit, from + 1)) return true;
    if (i === index && atIndex(element, path, open, visit, from + 1)) return true;
  }
  return false;
}

/** An element reached by its index: it is not opened at the end, and an array inside goes on as an array. */
function atIndex(element: Value, path: Path, open: boolean, visit: (found: Found) => boolean, from: number): boolean {
  if (from === path.length) return visit(element);
  if (isObjectValue(element)) return someValue(own(element, path[from] as string), path, open, visit, from + 1);
  if (Array.isArray(element)) return someInArray(element as readonly Value[], path, open, visit, from);
  return false;
}
