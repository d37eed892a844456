import { decodeBase64, encodeBase64Url } from "./base64.ts";
import type { Key } from "./compare.ts";
import { EMPTY } from "./compare.ts";
import { Faults, GalleyError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { decodeValue, encodeValue, fitsUtf8, isObjectValue } from "./values.ts";

/** A place in a sorted result: the key tuple of the last row seen, `_id` included, and the question it belongs to. */
export interface Cursor {
  readonly keys: readonly Key[];
  /** Hash of (collection, filter, sort), so that a cursor of another question is noticed. */
  readonly hash: string;
}

/** Stands for `[]` in a cursor's text. No value can look like it: a value's keys never start with `$`. */
const EMPTY_TEXT = '{"$empty":true}';
const HASH_CHARACTERS = 128;
const UTF8 = new TextEncoder();
/** Base64 of the longest tuple and hash, the hash escaped. */
const CURSOR_CHARACTERS = Math.ceil(((LIMITS.keyBytes + HASH_CHARACTERS * 6 + 3) * 4) / 3);

/**
 * Writes a cursor: base64url of the canonical JSON `[k1..kn, id, hash]`. Not signed: the server does that, since whoever
 * can write one chooses where its page begins.
 *
 * @param base64Url of a text's UTF-8: a server has a faster one
 * @throws GalleyError `invalid_argument` (`sort_key_too_long`) if the tuple's text is over `LIMITS.keyBytes`
 */
export function encodeCursor(keys: readonly Key[], hash: string, base64Url = base64UrlOf): string {
  const text = cursorText(keys, hash, base64Url);
  if (text !== undefined) return text;
  const message = `a document's sort key is over ${LIMITS.keyBytes} bytes, so no page can follow it: sort by shorter values`;
  throw new GalleyError("invalid_argument", `sort: ${message}`, {
    faults: [{ path: "sort", code: "sort_key_too_long", message: `sort: ${message}` }],
  });
}

/**
 * Reads a cursor's text, whatever it is handed.
 *
 * @returns undefined unless the text is, to the character, one that {@link encodeCursor} makes
 */
export function decodeCursor(text: unknown): Cursor | undefined {
  if (typeof text !== "string" || text.length > CURSOR_CHARACTERS) return undefined;
  const items = parseArray(text);
  const hash = items?.at(-1);
  // One to four keys, the `_id`, the hash; or the `_id` and the hash.
  if (!items || typeof hash !== "string" || items.length < 2 || items.length > LIMITS.sortKeys + 2) return undefined;
  const faults = new Faults();
  const keys = items.slice(0, -1).map((item) => (isEmptyTag(item) ? EMPTY : decodeValue(item, "after", faults)));
  if (faults.any || typeof keys.at(-1) !== "string") return undefined;
  // Written again it must give the same text: other spellings (spaces, a date with an offset, loose base64) are not ours.
  return cursorText(keys, hash, base64UrlOf) === text ? { keys, hash } : undefined;
}

/** Undefined if the keys or the hash are too long. */
function cursorText(keys: readonly Key[], hash: string, base64Url: (text: string) => string): string | undefined {
  const tuple = keys.map((key) => (key === EMPTY ? EMPTY_TEXT : encodeValue(key))).join(",");
  if (!fitsUtf8(`[${tuple}]`, LIMITS.keyBytes) || hash.length > HASH_CHARACTERS) return undefined;
  return base64Url(`[${tuple},${JSON.stringify(hash)}]`);
}

function base64UrlOf(text: string): string {
  return encodeBase64Url(UTF8.encode(text));
}

function parseArray(text: string): unknown[] | undefined {
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  const bytes = decodeBase64(base64.padEnd(Math.ceil(text.length / 4) * 4, "="));
  if (!bytes) return undefined;
  try {
    const parsed: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
    return Array.isArray(parsed) ? parsed : undefined;
  } catch {
    return undefined; // not UTF-8 or not JSON
  }
}

function isEmptyTag(item: unknown): boolean {
  return isObjectValue(item) && Object.hasOwn(item, "$empty") && encodeValue(item) === EMPTY_TEXT;
}
