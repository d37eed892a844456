import { refused } from "./error.ts";

/** Deeper than any document or filter that the server takes, and far from the end of the stack. */
const MAX_LEVELS = 100;
/** How many arguments a call takes on every platform. */
const CHUNK = 8192;

/**
 * The JSON text of something from the app, with the tags of query-language.md 1. Members that are `undefined` are left
 * out, as JSON does; everything else that could not arrive as it is, is refused.
 *
 * @param at what the input is called in messages, as in `document` or `filter`
 * @param strict refuses an `undefined` member too: in a filter, leaving it out would match more than was meant
 * @throws ApiError `invalid_argument` with the path
 */
export function encode(input: unknown, at: string, strict = false, above: readonly unknown[] = []): string {
  const refuse = (expected: string): never => {
    throw refused(at, `expects ${expected}`);
  };
  if (typeof input === "string") {
    // With the flag `u` only a surrogate without its partner matches.
    return /[\ud800-\udfff]/u.test(input) ? refuse("Unicode, got a lone surrogate") : JSON.stringify(input);
  }
  if (typeof input === "bigint") {
    return BigInt.asIntN(64, input) === input ? `{"$numberLong":"${input}"}` : refuse("an int64, got more");
  }
  if (input === null || typeof input === "boolean" || Number.isFinite(input)) return `${input}`;
  if (typeof input !== "object") return refuse(`a value, got ${typeof input === "number" ? input : typeof input}`);
  if (input instanceof Date) {
    return Number.isNaN(input.getTime()) ? refuse("a valid date") : `{"$date":"${input.toISOString()}"}`;
  }
  if (input instanceof Uint8Array) return `{"$binary":{"base64":"${base64(input)}","subType":"00"}}`;
  if (above.includes(input) || above.length > MAX_LEVELS) return refuse(`no cycle, and at most ${MAX_LEVELS} levels`);
  const inside = [...above, input];
  // Array.from visits the holes of a sparse array too: they are undefined, and refused like it.
  if (Array.isArray(input)) return `[${Array.from(input, (item, i) => encode(item, `${at}.${i}`, strict, inside))}]`;
  if (!isPlain(input)) return refuse(`plain data, got an instance of ${input.constructor?.name}`);
  const members = Object.entries(input).flatMap(([key, value]) => {
    const path = `${at}.${key}`;
    return value === undefined && !strict ? [] : `${encode(key, path)}:${encode(value, path, strict, inside)}`;
  });
  return `{${members}}`;
}

/** As {@link encode}, for what must be an object: a document, a filter, an update. */
export function encodeObject(input: unknown, at: string, strict = false): string {
  if (!isPlain(input)) throw refused(at, "expects a plain object");
  return encode(input, at, strict);
}

/** JSON text of an object, and the same with one more member in front, whose value is JSON text itself. */
export function withMember(name: string, value: string, object: string): string {
  return `{"${name}":${value}${object === "{}" ? "" : ","}${object.slice(1)}`;
}

/**
 * Percent-encodes one part of a URL's path.
 *
 * @throws ApiError for what cannot be one: nothing, and the dots that a URL would resolve as folders
 */
export function encodePart(part: string, at: string): string {
  // Its JSON text tells a text from what is none: `null` would be asked for as the name "null".
  if (!/^"(?!\.{0,2}"$)/.test(encode(part, at))) throw refused(at, `expects a name, got "${part}"`);
  return encodeURIComponent(part);
}

/** Whether something is an object made of braces (of any realm), not an instance of a class. */
function isPlain(input: unknown): boolean {
  if (typeof input !== "object" || input === null) return false;
  const prototype: unknown = Object.getPrototypeOf(input);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function base64(bytes: Uint8Array): string {
  let binary = "";
  for (let i = 0; i < bytes.length; i += CHUNK) binary += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  return btoa(binary);
}
