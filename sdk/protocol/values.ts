import { decodeBase64, encodeBase64 } from "./base64.ts";
import { isoOf, parseDate, readIso } from "./dates.ts";
import type { Faults } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { isWellFormed } from "./well-formed.ts";

/** A value of the language as code holds it; query-language.md 1. `bigint` is int64, `Uint8Array` binary. */
export type Value = null | boolean | number | bigint | string | Date | Uint8Array | readonly Value[] | ObjectValue;
export interface ObjectValue {
  readonly [key: string]: Value;
}

/** A document with the fields that the server fills; query-language.md 2. */
export interface Document extends ObjectValue {
  readonly _id: string;
  readonly _v: number;
  readonly _createdAt: Date;
  readonly _updatedAt: Date;
}

/** The names of the classes, as `$type` and error messages use them. */
export type ValueClass = "null" | "number" | "int64" | "string" | "object" | "array" | "binary" | "bool" | "date";

/** Names that may not be a key at any depth: each one means something to JavaScript or to MongoDB's serialiser. */
const FORBIDDEN_KEYS = new Set(["__proto__", "constructor", "prototype", "_bsontype"]);
/** Tags other programs use, refused by name so that nobody stores them as data by mistake; section 1.8. */
const UNSUPPORTED_TAGS = new Set([
  "$numberDecimal",
  "$oid",
  "$timestamp",
  "$regularExpression",
  "$minKey",
  "$maxKey",
  "$undefined",
  "$uuid",
]);
const TAGS = new Set(["$numberLong", "$date", "$binary"]);

export const INT64_MIN = -(2n ** 63n);
export const INT64_MAX = 2n ** 63n - 1n;

export function isObjectValue(value: unknown): value is ObjectValue {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date) &&
    !(value instanceof Uint8Array)
  );
}

/** Whether an object's first key makes it a tagged value (`$date` …) or a refused tag, rather than operators. */
export function isTag(key: string): boolean {
  return TAGS.has(key) || UNSUPPORTED_TAGS.has(key);
}

/** What is wrong with a key, in words; undefined if it is legal. */
export function keyFault(key: string): string | undefined {
  if (key === "") return "a key may not be empty";
  if (key.charCodeAt(0) === 36) return `a key may not start with "$" (${JSON.stringify(key.slice(0, 40))})`;
  if (key.includes(".")) return `a key may not hold "." (${JSON.stringify(key.slice(0, 40))})`;
  if (key.includes("\0")) return "a key may not hold NUL";
  if (FORBIDDEN_KEYS.has(key)) return `the key ${JSON.stringify(key)} is not allowed`;
  if (!isWellFormed(key)) return "a key must be well-formed Unicode (it has a lone surrogate)";
  return undefined;
}

/**
 * Turns parsed JSON into a value: tags become `Date`, `bigint` and `Uint8Array`. Objects and arrays are changed in
 * place, so hand over what `JSON.parse` just made. Every fault is added to `faults` with its path; the result is then
 * not to be used.
 *
 * @param at where the input stands, as in `document` or `filter.a.$eq`
 * @param level nesting level of the input; a document is 1
 */
export function decodeValue(input: unknown, at: string, faults: Faults, level = 1): Value {
  return new Decoder(at, faults).value(input, level);
}

class Decoder {
  readonly #at: string;
  readonly #faults: Faults;
  /** Keys from the input down to where the decoder stands; a fault's path is made of it only when there is one. */
  readonly #trail: (string | number)[] = [];

  constructor(at: string, faults: Faults) {
    this.#at = at;
    this.#faults = faults;
  }

  value(input: unknown, level: number): Value {
    switch (typeof input) {
      case "string":
        if (!isWellFormed(input)) this.#bad("expects well-formed Unicode, got a lone surrogate");
        return input;
      case "number":
        if (!Number.isFinite(input)) this.#bad("expects a finite number");
        return input === 0 ? 0 : input;
      case "boolean":
        return input;
      case "object":
        if (input === null) return null;
        return Array.isArray(input) ? this.#array(input, level) : this.#object(input as Record<string, unknown>, level);
      default:
        this.#bad(`expects a JSON value, got ${typeof input}`);
        return null;
    }
  }

  #array(items: unknown[], level: number): Value {
    if (level > LIMITS.documentDepth) return this.#tooDeep();
    for (let i = 0; i < items.length; i++) {
      const item = items[i];
      this.#trail.push(i);
      const value = this.value(item, level + 1);
      if (value !== item || value === 0) items[i] = value;
      this.#trail.pop();
    }
    return items as Value[];
  }

  #object(object: Record<string, unknown>, level: number): Value {
    const keys = Object.keys(object);
    const [first] = keys;
    // A tag is a scalar, so it nests no deeper than a number would.
    if (first !== undefined && keys.length === 1 && first.charCodeAt(0) === 36) return this.#tag(first, object[first]);
    if (level > LIMITS.documentDepth) return this.#tooDeep();
    for (const key of keys) {
      this.#trail.push(key);
      const fault = keyFault(key);
      if (fault) this.#bad(fault);
      else {
        const item = object[key];
        const value = this.value(item, level + 1);
        if (value !== item || value === 0) object[key] = value;
      }
      this.#trail.pop();
    }
    return object as ObjectValue;
  }

  #tag(tag: string, operand: unknown): Value {
    switch (tag) {
      case "$numberLong": {
        const long = typeof operand === "string" ? parseInt64(operand) : undefined;
        if (long === undefined) this.#bad("expects $numberLong with an integer within int64 as canonical decimal text");
        return long ?? null;
      }
      case "$date": {
        const date = parseDate(operand);
        if (!date) this.#bad("expects $date with an ISO 8601 time or epoch milliseconds, from year 1 to 9999");
        return date ?? null;
      }
      case "$binary":
        return this.#binary(operand);
      default:
        if (UNSUPPORTED_TAGS.has(tag)) this.#fault("unsupported_value", `${tag} is not supported`);
        else this.#bad(`expects a value, got the unknown tag ${JSON.stringify(tag.slice(0, 40))}`);
        return null;
    }
  }

  #binary(operand: unknown): Value {
    const { base64, subType, ...rest } = isObjectValue(operand) ? (operand as Record<string, unknown>) : {};
    if (typeof base64 !== "string" || subType !== "00" || Object.keys(rest).length > 0) {
      this.#bad('expects $binary with {"base64": text, "subType": "00"}');
      return null;
    }
    if (base64.length > Math.ceil(LIMITS.binaryBytes / 3) * 4) {
      this.#fault("too_long", `is larger than ${LIMITS.binaryBytes} bytes`);
      return null;
    }
    const bytes = decodeBase64(base64);
    if (!bytes) this.#bad("expects base64 text with padding");
    else if (bytes.length > LIMITS.binaryBytes) this.#fault("too_long", `is larger than ${LIMITS.binaryBytes} bytes`);
    return bytes ?? null;
  }

  #tooDeep(): null {
    this.#fault("too_deep", `is nested deeper than ${LIMITS.documentDepth} levels`);
    return null;
  }

  #bad(message: string): void {
    this.#fault("bad_value", message);
  }

  #fault(code: "bad_value" | "too_deep" | "too_long" | "unsupported_value", message: string): void {
    if (!this.#faults.full) this.#faults.add([this.#at, ...this.#trail].join("."), code, message);
  }
}

/** Reads the text of a `$numberLong`; undefined unless it is canonical decimal within int64. */
export function parseInt64(text: string): bigint | undefined {
  if (!/^(?:0|-?[1-9][0-9]{0,18})$/.test(text)) return undefined;
  const long = BigInt(text);
  return long >= INT64_MIN && long <= INT64_MAX ? long : undefined;
}

/**
 * The canonical text of a value: JSON without spaces, keys in stored order, tags as in query-language.md 1. One native
 * call writes it as one flat text; joined pieces would be flattened later, on the way to the store's thread.
 */
export function encodeValue(value: Value): string {
  return JSON.stringify(tagAll(value));
}

/** The value with its dates, int64 and binary as tags; what holds none of them is handed on as it is. */
function tagAll(value: Value): unknown {
  if (typeof value === "bigint") return { $numberLong: `${value}` };
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    let copy: unknown[] | undefined;
    for (let i = 0; i < value.length; i++) {
      const item = value[i] as Value;
      const tagged = tagAll(item);
      if (tagged === item) continue;
      copy ??= [...value];
      copy[i] = tagged;
    }
    return copy ?? value;
  }
  if (value instanceof Date) return { $date: isoOf(value) };
  if (value instanceof Uint8Array) return { $binary: { base64: encodeBase64(value), subType: "00" } };
  let copy: Record<string, unknown> | undefined;
  for (const key in value) {
    const item = (value as ObjectValue)[key] as Value;
    const tagged = tagAll(item);
    if (tagged === item) continue;
    copy ??= { ...value };
    copy[key] = tagged;
  }
  return copy ?? value;
}

/**
 * Reads canonical text back into a value, trusting it. Texts come from {@link encodeValue} by way of a store; what a
 * client sends goes through {@link decodeValue}.
 */
export function parseText(text: string): Value {
  const parsed: unknown = JSON.parse(text);
  // Inside JSON text `{"$` can only open a tag: a key never starts with `$`, and a quote inside a string is escaped.
  return text.includes('{"$') ? untag(parsed) : (parsed as Value);
}

function untag(input: unknown): Value {
  if (typeof input !== "object" || input === null) return input as Value;
  if (Array.isArray(input)) {
    for (let i = 0; i < input.length; i++) {
      const item: unknown = input[i];
      if (typeof item === "object" && item !== null) input[i] = untag(item);
    }
    return input as Value[];
  }
  const object = input as Record<string, unknown>;
  for (const key in object) {
    const item = object[key];
    if (key.charCodeAt(0) === 36) return tagged(key, item);
    if (typeof item === "object" && item !== null) object[key] = untag(item);
  }
  return object as ObjectValue;
}

function tagged(tag: string, operand: unknown): Value {
  if (tag === "$date") return readIso(operand as string);
  if (tag === "$numberLong") return BigInt(operand as string);
  return decodeBase64((operand as { base64: string }).base64) ?? new Uint8Array();
}

/** UTF-8 length of a text, in bytes. A lone surrogate counts three, as an encoder would write it. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      bytes += 2;
      i++;
    } else bytes += 2;
  }
  return bytes;
}

/** Whether a text is at most `limit` UTF-8 bytes long, without counting when its length alone tells. */
export function fitsUtf8(text: string, limit: number): boolean {
  if (text.length > limit) return false;
  return text.length * 3 <= limit || utf8Length(text) <= limit;
}
