import { refused } from "./error.ts";
import type { WriteOptions } from "./types/collection.ts";

/** Random bytes of the next ids: to ask for them costs more than all the rest. */
const pool: number[] = [];

/**
 * A new id for a document or a write: a UUIDv7 in base32hex, as `newId` of sdk/protocol makes it, only in less code;
 * a test holds them against each other. Cannot be guessed, sorts by time.
 */
export function makeId(): string {
  // What can be guessed would do harm, so there is nothing in its place.
  if (!globalThis.crypto?.getRandomValues) throw refused("crypto.getRandomValues", "is missing: import one");
  if (!pool.length) pool.push(...crypto.getRandomValues(new Uint8Array(1000)));
  let bits = BigInt(Date.now());
  for (const byte of pool.splice(-10)) bits = (bits << 8n) | BigInt(byte);
  // Version 7 and variant 2 stand in fixed places of the 128 bits; two more fill up the last of 26 digits.
  bits = (bits & ~((15n << 76n) | (3n << 62n))) | (7n << 76n) | (2n << 62n);
  return (bits << 2n).toString(32).padStart(26, "0");
}

/** The header by which the server knows a repeated write, so that it acts once; sdk.md 5.4. */
export function writeKey({ idempotencyKey = makeId() }: WriteOptions = {}): Record<string, string> {
  // A header holds no other characters than those that a URL holds.
  return idempotencyKey === false ? {} : { "idempotency-key": encodeURIComponent(idempotencyKey) };
}
