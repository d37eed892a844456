import type { FastifyRequest } from "fastify";
import { resultHash } from "#protocol/delta";
import { GalleyError } from "#protocol/errors";
import type { IdempotencyRequest, WriteRequest } from "../documents/contract.ts";
import { sha256 } from "./json-body.ts";

/** Our own tags: the version, and the shape it was read in. Proxies that compress weaken tags, hence `W/`. */
const TAG = /^(?:W\/)?"([1-9][0-9]{0,15})(?:-[A-Za-z0-9_-]*)?"$/;
/** Any entity tag of RFC 9110, 8.8.3. */
const ANY_TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;
/** A version that no document has: a foreign tag is well-formed and fits nothing. */
const NEVER = -1;
/** 1 to 255 visible characters, nothing that a log or header could stumble over. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;
const EMPTY_BODY = sha256(new Uint8Array());

/** What a document's tag says of it. */
export interface Tagged {
  readonly version: number;
  readonly shape: string;
  readonly text: string;
}

/**
 * The tag of a document in one shape; http-api.md.
 *
 * @param isShared other programs may change it, and leave its version as it was: then the tag says what it holds as well
 */
export function entityTag({ version, shape, text }: Tagged, isShared: boolean): string {
  return isShared ? `"${version}-${shape}-${resultHash([text])}"` : `"${version}-${shape}"`;
}

/** Whether an `If-None-Match` names this tag: the client has what it would get. Weak comparison, RFC 9110 13.1.2. */
export function isKnown(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === "*") return true;
  return header.split(",").some((item) => item.trim().replace(/^W\//, "") === tag);
}

/** What `If-Match` and `If-None-Match` demand of a write. @throws GalleyError `invalid_argument` */
export function writeConditions({ headers }: FastifyRequest): Pick<WriteRequest, "ifVersion" | "mustExist"> {
  const match = headers["if-match"];
  const noneMatch = headers["if-none-match"];
  if (noneMatch !== undefined) {
    if (match !== undefined) throw badHeader("if-match", "cannot stand beside if-none-match");
    if (noneMatch.trim() !== "*") throw badHeader("if-none-match", "expects * on a write: the document must not exist");
    return { ifVersion: 0 };
  }
  if (match === undefined) return {};
  return match.trim() === "*" ? { mustExist: true } : { ifVersion: versionOf(match) };
}

/** @throws GalleyError `version_conflict` if a read's `If-Match` does not hold */
export function checkReadCondition(header: string | undefined, version: number): void {
  if (header === undefined || header.trim() === "*" || versionOf(header) === version) return;
  throw new GalleyError("version_conflict", "the document has another version: read it again without if-match");
}

function versionOf(header: string): number {
  const tag = header.trim();
  const version = TAG.exec(tag)?.[1];
  if (version !== undefined) return Number(version);
  if (ANY_TAG.test(tag)) return NEVER;
  throw badHeader("if-match", 'expects the ETag of a read, as in "1234-ab12" or "1234", or *');
}

/**
 * The request's `Idempotency-Key` with what binds it.
 * @throws GalleyError `invalid_argument` unless it is 1 to 255 visible ASCII characters
 */
export function idempotencyOf(request: FastifyRequest): IdempotencyRequest | undefined {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return undefined;
  if (typeof key !== "string" || !IDEMPOTENCY_KEY.test(key)) {
    throw badHeader("idempotency-key", "expects 1 to 255 visible ASCII characters");
  }
  // The query is part of the route: with ?upsert=true the same body means something else.
  return { key, route: `${request.method} ${request.raw.url}`, bodyHash: request.bodyHash ?? EMPTY_BODY };
}

function badHeader(name: string, what: string): GalleyError {
  const message = `${name}: ${what}`;
  return new GalleyError("invalid_argument", message, { faults: [{ path: name, code: "bad_value", message }] });
}
