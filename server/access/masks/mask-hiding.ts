import { MISSING } from "#protocol/compare";
import { own } from "#protocol/paths";
import { isObjectValue, type ObjectValue, type Value } from "#protocol/values";
import type { Cover } from "./mask-cover.ts";

/**
 * An object without what is covered; the same one if it holds nothing of it. Members keep their order, and what holds
 * nothing covered is shared. An object stays, as `{}`, if all its members go: whether they were there is not told apart
 * from none. An element covered by its index becomes null, so that the others keep theirs.
 */
export function withoutCovered(object: ObjectValue, cover: Cover): ObjectValue {
  /** What becomes of the members that do not stay as they are; undefined: it goes. */
  let changed: Map<string, Value | undefined> | undefined;
  for (const [key, beneath] of cover.keys) {
    const found = own(object, key);
    if (found === MISSING) continue;
    const kept = beneath.whole ? undefined : valueWithoutCovered(found, beneath);
    if (kept === found) continue;
    changed ??= new Map();
    changed.set(key, kept);
  }
  if (!changed) return object;
  const out: Record<string, Value> = {};
  for (const key of Object.keys(object)) {
    const value = changed.has(key) ? changed.get(key) : object[key];
    if (value !== undefined) put(out, key, value);
  }
  return out;
}

/** The same for any value, which is not covered itself. */
export function valueWithoutCovered(value: Value, cover: Cover): Value {
  if (Array.isArray(value)) return elementsWithoutCovered(value, cover);
  return isObjectValue(value) ? withoutCovered(value, cover) : value;
}

function elementsWithoutCovered(array: readonly Value[], cover: Cover): readonly Value[] {
  let out: Value[] | undefined;
  for (let i = 0; i < array.length; i++) {
    const element = array[i] as Value;
    const beneath = cover.element(i);
    const kept = beneath.whole ? null : valueWithoutCovered(element, beneath);
    if (kept === element) continue;
    out ??= [...array];
    out[i] = kept;
  }
  return out ?? array;
}

/** Sets an own member whatever its name: another program may have stored `__proto__`. */
export function put(object: Record<string, Value>, key: string, value: Value): void {
  if (key !== "__proto__") object[key] = value;
  else Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}
