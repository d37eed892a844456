import type { SortKey } from "./ast.ts";
import { compare, MISSING } from "./compare.ts";
import { normalNumbers } from "./normal-numbers.ts";
import { own, type Path } from "./paths.ts";
import type { Push } from "./update-ast.ts";
import { encodeValue, isObjectValue, type Value } from "./values.ts";

/** Inserts, sorts, then cuts; query-language.md 6 `$push`. */
export function push(array: readonly Value[], { values, position, sort, slice }: Push): Value[] {
  const from = position === undefined ? array.length : position < 0 ? Math.max(0, array.length + position) : position;
  let result = [...array.slice(0, from), ...values, ...array.slice(from)];
  if (sort) result = sortElements(result, sort);
  if (slice === undefined) return result;
  return slice < 0 ? result.slice(slice) : result.slice(0, slice);
}

/** Adds each value that no element equals; the array itself if there is nothing to add. */
export function addToSet(array: readonly Value[], values: readonly Value[]): readonly Value[] {
  const present = new Set(array.map(equalityKey));
  const added: Value[] = [];
  for (const value of values) {
    const key = equalityKey(value);
    if (present.has(key)) continue;
    present.add(key);
    added.push(value);
  }
  return added.length === 0 ? array : [...array, ...added];
}

/** Whether a value equals one of `values` by query-language.md 3.2. */
export function memberOf(values: readonly Value[]): (value: Value) => boolean {
  const keys = new Set(values.map(equalityKey));
  return (value) => keys.has(equalityKey(value));
}

/**
 * A text that two values share exactly if they are equal by query-language.md 3.2: the canonical text, with every int64
 * that a double holds exactly written as that double. So a list of values meets an array in one pass; element by
 * element, a long `$each` on a long array would take minutes.
 */
function equalityKey(value: Value): string {
  return encodeValue(normalNumbers(value));
}

/** Sorts elements by whole values at paths through objects; an element without the value sorts as null. */
function sortElements(array: readonly Value[], sort: readonly SortKey[]): Value[] {
  const rows = array.map((element) => ({ element, keys: sort.map(({ path }) => valueAt(element, path)) }));
  rows.sort((a, b) => {
    for (const [i, { descending }] of sort.entries()) {
      const order = compare(a.keys[i] as Value, b.keys[i] as Value);
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  });
  return rows.map((row) => row.element);
}

function valueAt(element: Value, path: Path): Value {
  let value = element;
  for (const segment of path) {
    const next = isObjectValue(value) ? own(value, segment) : MISSING;
    if (next === MISSING) return null;
    value = next;
  }
  return value;
}
