import { type Found, MISSING } from "#protocol/compare";
import type { ObjectValue, Value } from "#protocol/values";

/**
 * What maps of the index use for a string, number, bool, null or missing value: equal ones (query-language.md 3.2) have
 * one key, others never. An int64 that a double holds exactly is that double, and missing is null.
 */
export function scalarKey(value: Exclude<Found, object> | null): unknown {
  if (typeof value === "bigint") return BigInt(Number(value)) === value ? Number(value) : value;
  return value === MISSING ? null : value;
}

/** How much of a value goes into its key. */
const PARTS = 32;
const CHARACTERS = 64;

/**
 * The same for an object, array or binary. Equal ones have one key; others may share it, since only the beginning of a
 * value counts: a document may hold a megabyte at a path, and every window on that path would pay for it.
 */
export function structureKey(value: Value): string {
  return write(value, { left: PARTS });
}

interface Budget {
  left: number;
}

function write(value: Value, budget: Budget): string {
  if (budget.left-- <= 0) return "…";
  switch (typeof value) {
    case "string":
      return `"${value.slice(0, CHARACTERS)}"`;
    case "number":
    case "bigint":
      return `${Number(value)}`;
    case "boolean":
      return `${value}`;
  }
  if (value === null) return "null";
  if (value instanceof Date) return `@${value.getTime()}`;
  if (value instanceof Uint8Array) return `<${value.length}:${value.subarray(0, CHARACTERS).join()}>`;
  return Array.isArray(value)
    ? writeArray(value as readonly Value[], budget)
    : writeObject(value as ObjectValue, budget);
}

function writeArray(array: readonly Value[], budget: Budget): string {
  let text = `[${array.length}`;
  for (let i = 0; i < array.length && budget.left > 0; i++) text += `,${write(array[i] as Value, budget)}`;
  return `${text}]`;
}

function writeObject(object: ObjectValue, budget: Budget): string {
  let text = "{";
  for (const key in object) {
    if (budget.left <= 0) break;
    text += `${key.slice(0, CHARACTERS)}:${write(object[key] as Value, budget)},`;
  }
  return `${text}}`;
}
