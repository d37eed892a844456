import { isObjectValue, type Value } from "./values.ts";

/** Freezes a value at every depth. A `Date` or `Uint8Array` in it stays as it is: neither can be frozen. */
export function freezeValue(value: Value): Value {
  if (Array.isArray(value)) value.forEach(freezeValue);
  else if (isObjectValue(value)) Object.values(value).forEach(freezeValue);
  else return value;
  return Object.freeze(value);
}
