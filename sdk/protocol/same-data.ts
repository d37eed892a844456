import { isObjectValue, type ObjectValue, type Value } from "./values.ts";

/**
 * Whether storing `after` in place of `before` would change nothing but server fields (names starting with `_` at the
 * top level), so that no write is needed; query-language.md 6.3.
 *
 * This is sameness of the stored text, which is stricter than the language's equality: an int64 5 is not the double 5
 * (they are printed, typed and added to differently), and another order of keys is another document.
 */
export function sameData(before: ObjectValue, after: ObjectValue): boolean {
  return sameMembers(before, after, dataKeys(before), dataKeys(after));
}

function dataKeys(document: ObjectValue): string[] {
  return Object.keys(document).filter((key) => !key.startsWith("_"));
}

function sameMembers(a: ObjectValue, b: ObjectValue, keysA: readonly string[], keysB: readonly string[]): boolean {
  return (
    keysA.length === keysB.length && keysA.every((key, i) => key === keysB[i] && same(a[key] as Value, b[key] as Value))
  );
}

function same(a: Value, b: Value): boolean {
  // What an update did not touch is shared, so most of a large document ends here.
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item: Value, i) => same(item, b[i] as Value));
  }
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime();
  if (a instanceof Uint8Array) {
    return b instanceof Uint8Array && a.length === b.length && a.every((byte, i) => byte === b[i]);
  }
  if (!isObjectValue(a) || !isObjectValue(b)) return false;
  return sameMembers(a, b, Object.keys(a), Object.keys(b));
}
