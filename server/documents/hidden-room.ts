import { LIMITS } from "#protocol/limits";
import { encodeValue, fitsUtf8, utf8Length } from "#protocol/values";
import type { Masks } from "../access/masks/masks.ts";
import { documentTooLarge, type Image } from "./images.ts";

/** What somebody may not see counts in whole steps towards the limit of a document, and as one if there is nothing. */
const STEP = 64 * 1024;

/**
 * Demands that a document leaves room for what its writer may not see. By the bytes that are really there, the refusal of
 * a longer title would tell how long what is hidden is (access-rules.md 6.6); so it tells no more than its class of 64 KiB.
 *
 * @throws GalleyError `payload_too_large`, as for a document that is over the limit by itself
 */
export function demandRoom({ value, text }: Pick<Image, "value" | "text">, masks: Masks): void {
  // With as much as a step left, whatever is hidden fits when it is rounded up.
  if (fitsUtf8(text, LIMITS.documentBytes - STEP) || masks.hidden(value).length === 0) return;
  const seen = utf8Length(encodeValue(masks.hide(value)));
  const steps = Math.max(1, Math.ceil((utf8Length(text) - seen) / STEP));
  if (seen + steps * STEP > LIMITS.documentBytes) throw documentTooLarge();
}
