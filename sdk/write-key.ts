import { refused } from "./error.ts";
import { ID_RANDOM_BYTES, newId } from "./protocol/id.ts";
import type { WriteOptions } from "./types/collection.ts";

/** A new id for a document or a write: cannot be guessed, sorts by time. */
export function makeId(): string {
  return newId(Date.now(), crypto.getRandomValues(new Uint8Array(ID_RANDOM_BYTES)));
}

/** The header by which the server knows a repeated write, so that it acts once; sdk.md 5.4. */
export function writeKey({ idempotencyKey = makeId() }: WriteOptions): Record<string, string> {
  if (idempotencyKey === false) return {};
  if (!/^[!-~]{1,255}$/.test(idempotencyKey)) throw refused("idempotencyKey", "expects 1 to 255 visible ASCII characters");
  return { "idempotency-key": idempotencyKey };
}
