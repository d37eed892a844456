import { createHash } from "node:crypto";
import { GalleyError } from "#protocol/errors";
import { LIMITS } from "#protocol/limits";
import { project } from "#protocol/select";
import { encodeValue, utf8Length } from "#protocol/values";
import type { Image } from "./images.ts";
import { encodePlain } from "./plain.ts";
import type { View } from "./requests.ts";

/** UTF-8 bytes of one reply; http-api.md "Limits". */
const RESPONSE_BYTES = 8 * 1024 * 1024;
/** Characters of the documents that a reply's parts are taken from. */
const SELECTED_FROM = 64 * 1024 * 1024;

type Shape = Pick<View, "select" | "plain">;

/** A document as a reply shows it. Its stored text as it is, unless the request asks for a part or for plain values. */
export function show({ select, plain }: Shape, image: Image): string {
  if (!select && !plain) return image.text;
  const value = select ? project(image.value, select) : image.value;
  return plain ? encodePlain(value) : encodeValue(value);
}

/**
 * Characters of documents that a page may hold in memory, the one after it included. What is shown is counted again.
 * @param masked whether parts of them may be hidden, whose size must not tell
 */
export function mostCharacters({ select }: Shape, masked: boolean): number {
  return select || masked ? SELECTED_FROM : RESPONSE_BYTES + LIMITS.documentBytes;
}

/** The part of an ETag that tells representations of one version apart. `hidden`: names of what its reader may not see. */
export function shapeOf({ select, plain }: Shape, hidden: readonly string[] = []): string {
  if (!select && hidden.length === 0) return plain ? "p" : "0";
  const paths = select?.map((path) => path.join(".")).sort();
  return createHash("sha256")
    .update(JSON.stringify([paths, plain, hidden]))
    .digest("base64url")
    .slice(0, 8);
}

/**
 * A whole reply that holds documents.
 * @throws GalleyError `payload_too_large` if it is over the limit
 */
export function withinLimit(text: string): string {
  // A text has at most three bytes a character, so small replies are never counted.
  if (text.length * 3 > RESPONSE_BYTES && utf8Length(text) > RESPONSE_BYTES) throw tooLarge();
  return text;
}

function tooLarge(): GalleyError {
  const message = `the reply would be larger than ${RESPONSE_BYTES} bytes: lower the limit or select fewer fields`;
  return new GalleyError("payload_too_large", message);
}

/** Counts what goes into one reply, so that one that will not fit is not made first. */
export class ReplySize {
  /** What was added, until it is counted exactly. */
  #texts: string[] = [];
  /** At three bytes a character: small replies are never counted exactly. */
  #most = 0;
  #exact = 0;

  /** @throws GalleyError `payload_too_large` when the reply grows over its limit */
  add(text: string): void {
    this.#texts.push(text);
    this.#most += text.length * 3;
    if (this.#most <= RESPONSE_BYTES) return;
    for (const added of this.#texts) this.#exact += utf8Length(added);
    this.#texts = [];
    this.#most = this.#exact;
    if (this.#exact > RESPONSE_BYTES) throw tooLarge();
  }
}
