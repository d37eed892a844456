import type { ObjectValue, Value, ValueClass } from "./values.ts";

/** The sort key of `[]`; it orders before null (query-language.md 4). Never a value of a document. */
export const EMPTY: unique symbol = Symbol("EMPTY");
/** What a path yields where a key is absent. Compares as null; only `$exists`, `$type` and distinct tell them apart. */
export const MISSING: unique symbol = Symbol("MISSING");

/** One part of a key tuple. */
export type Key = Value | typeof EMPTY;
export type Found = Value | typeof MISSING;

/** Ranks of the classes in the order of query-language.md 1; int64 and double are one class. */
export const RANK = {
  empty: 0,
  null: 1,
  number: 2,
  string: 3,
  object: 4,
  array: 5,
  binary: 6,
  bool: 7,
  date: 8,
} as const;
export type Rank = (typeof RANK)[keyof typeof RANK];

export function rankOf(value: Key | Found): Rank {
  switch (typeof value) {
    case "number":
    case "bigint":
      return RANK.number;
    case "string":
      return RANK.string;
    case "boolean":
      return RANK.bool;
    case "symbol":
      return value === EMPTY ? RANK.empty : RANK.null;
  }
  if (value === null || value === undefined) return RANK.null;
  if (Array.isArray(value)) return RANK.array;
  if (value instanceof Date) return RANK.date;
  if (value instanceof Uint8Array) return RANK.binary;
  return RANK.object;
}

/** The name of a value's class for `$type` and messages; an int64 is `int64`, a double `number`. */
export function classOf(value: Value): ValueClass {
  if (typeof value === "bigint") return "int64";
  switch (rankOf(value)) {
    case RANK.number:
      return "number";
    case RANK.string:
      return "string";
    case RANK.object:
      return "object";
    case RANK.array:
      return "array";
    case RANK.binary:
      return "binary";
    case RANK.bool:
      return "bool";
    case RANK.date:
      return "date";
    default:
      return "null";
  }
}

/** The total order of the language, query-language.md 3.2: negative, 0 or positive. */
export function compare(a: Key | Found, b: Key | Found): number {
  const rank = rankOf(a);
  const other = rankOf(b);
  if (rank !== other) return rank - other;
  switch (rank) {
    case RANK.empty:
    case RANK.null:
      return 0;
    case RANK.number:
      // JavaScript's `<` is exact between number and bigint.
      return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
    case RANK.string:
      return compareStrings(a as string, b as string);
    case RANK.bool:
      return Number(a) - Number(b);
    case RANK.date:
      return (a as Date).getTime() - (b as Date).getTime();
    case RANK.binary:
      return compareBytes(a as Uint8Array, b as Uint8Array);
    case RANK.array:
      return compareArrays(a as readonly Value[], b as readonly Value[]);
    case RANK.object:
      return compareObjects(a as ObjectValue, b as ObjectValue);
  }
}

export function equal(a: Key | Found, b: Key | Found): boolean {
  return a === b || compare(a, b) === 0;
}

/**
 * Orders two strings as their UTF-8 bytes. JavaScript's `<` compares UTF-16 units, in which a character beyond the BMP
 * (surrogates, 0xD800-0xDFFF) comes before 0xE000-0xFFFF; in UTF-8 it comes after.
 */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x < 0xd800 || y < 0xd800 ? x - y : utf8Rank(x) - utf8Rank(y);
  }
  return a.length - b.length;
}

function utf8Rank(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return a.length - b.length;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number);
  }
  return 0;
}

function compareArrays(a: readonly Value[], b: readonly Value[]): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const order = compare(a[i] as Value, b[i] as Value);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Field by field in stored order: class, then name, then value; then the shorter first. */
function compareObjects(a: ObjectValue, b: ObjectValue): number {
  const keysA = Object.keys(a);
  const keysB = Object.keys(b);
  const shorter = Math.min(keysA.length, keysB.length);
  for (let i = 0; i < shorter; i++) {
    const keyA = keysA[i] as string;
    const keyB = keysB[i] as string;
    const valueA = a[keyA] as Value;
    const valueB = b[keyB] as Value;
    const order = rankOf(valueA) - rankOf(valueB) || compareStrings(keyA, keyB) || compare(valueA, valueB);
    if (order !== 0) return order;
  }
  return keysA.length - keysB.length;
}
