import { refused } from "./error.ts";
import { encodeBase64 } from "./protocol/base64.ts";

const INT64 = 2n ** 63n;
/** Deeper than any document or filter that the server takes, and far from the end of the stack. */
const MAX_LEVELS = 100;
const LONE_SURROGATE = /[\ud800-\udfff]/u;

/**
 * The JSON text of something from the app, with the tags of query-language.md 1. Members that are `undefined` are left
 * out, as JSON does; everything else that could not arrive as it is refused.
 *
 * @param at what the input is called in messages, as in `document` or `filter`
 * @param strict refuses an `undefined` member too: in a filter, leaving it out would match more than was meant
 * @throws ApiError `invalid_argument` with the path
 */
export function encode(input: unknown, at: string, strict = false): string {
  return text(input, at, strict, []);
}

function text(input: unknown, at: string, strict: boolean, above: readonly unknown[]): string {
  switch (typeof input) {
    case "string":
      return quoted(input, at);
    case "number":
      if (!Number.isFinite(input)) throw refused(at, `expects a finite number, got ${input}`);
      return `${input}`;
    case "boolean":
      return `${input}`;
    case "bigint":
      if (input < -INT64 || input >= INT64) throw refused(at, "expects a bigint within int64");
      return `{"$numberLong":"${input}"}`;
    case "object":
      if (input === null) return "null";
      if (above.includes(input)) throw refused(at, "is cyclic: it holds itself");
      if (above.length >= MAX_LEVELS) throw refused(at, `is nested deeper than ${MAX_LEVELS} levels`);
      return Array.isArray(input) ? list(input, at, strict, [...above, input]) : object(input, at, strict, above);
    default:
      throw refused(at, `expects a value, got ${input === undefined ? "undefined" : `a ${typeof input}`}`);
  }
}

function quoted(input: string, at: string): string {
  if (LONE_SURROGATE.test(input)) throw refused(at, "expects well-formed Unicode, got a lone surrogate");
  return JSON.stringify(input);
}

function list(input: readonly unknown[], at: string, strict: boolean, above: readonly unknown[]): string {
  // Not `map`, which would skip the holes of a sparse array: a hole is `undefined` and refused like it.
  return `[${Array.from(input, (item, i) => text(item, `${at}.${i}`, strict, above)).join()}]`;
}

function object(input: object, at: string, strict: boolean, above: readonly unknown[]): string {
  if (input instanceof Date) {
    if (Number.isNaN(input.getTime())) throw refused(at, "expects a valid Date");
    return `{"$date":"${input.toISOString()}"}`;
  }
  if (input instanceof Uint8Array) return `{"$binary":{"base64":"${encodeBase64(input)}","subType":"00"}}`;
  if (!isPlain(input)) throw refused(at, `expects plain data, got an instance of ${input.constructor?.name}`);
  const inside = [...above, input];
  const members: string[] = [];
  for (const [key, value] of Object.entries(input)) {
    const path = `${at}.${key}`;
    if (value !== undefined || strict) members.push(`${quoted(key, path)}:${text(value, path, strict, inside)}`);
  }
  return `{${members}}`;
}

/**
 * Percent-encodes a part of a URL's path.
 *
 * @throws ApiError for what cannot be one: the empty text, and dots, which a URL would resolve as folders
 */
export function segment(part: unknown, at: string): string {
  if (typeof part !== "string" || /^\.{0,2}$/.test(part) || LONE_SURROGATE.test(part)) {
    throw refused(at, `expects a name, got ${typeof part === "string" ? JSON.stringify(part) : typeof part}`);
  }
  return encodeURIComponent(part);
}

/** As {@link encode}, for what must be an object: a document, a filter, an update. */
export function encodeObject(input: unknown, at: string, strict = false): string {
  if (!isPlain(input)) throw refused(at, "expects a plain object");
  return encode(input, at, strict);
}

/** Whether something is an object made of braces (of any realm), not an instance of a class. */
function isPlain(input: unknown): boolean {
  if (typeof input !== "object" || input === null) return false;
  const prototype: unknown = Object.getPrototypeOf(input);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
