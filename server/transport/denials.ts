import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import type { GalleyError } from "#protocol/errors";
import { encodeValue, type Value } from "#protocol/values";
import type { DenialTeller } from "../documents/denial-teller.ts";
import { deniedRequest } from "./denied-request.ts";
import { isFromThisMachine } from "./loopback.ts";

/** Bytes of a body that are worth a hash. */
const MAX_HASHED = 256 * 1024;

/** Told of an error on its way to the client. @returns what the client is told instead; it never rejects */
export type DenialListener = (request: FastifyRequest, error: GalleyError) => Promise<GalleyError> | undefined;

/** Names the collection that one which is not there comes closest to; undefined: none, or nobody of this machine asks. */
export type Hint = (request: FastifyRequest, collection: string) => string | undefined;

export function createHint(teller: Pick<DenialTeller, "hint">): Hint {
  return (request, collection) => teller.hint(collection, () => isFromThisMachine(request.raw));
}

/** Has denied requests recorded, and explained where that may be. */
export function createDenialListener(teller: Pick<DenialTeller, "tell">): DenialListener {
  return (request, error) => {
    const denied = deniedRequest(request, error);
    if (!denied) return undefined;
    return teller.tell(error, denied, {
      requestId: request.id,
      payload: () => hashOf(request),
      isLocal: () => isFromThisMachine(request.raw),
    });
  };
}

function hashOf({ body, headers }: FastifyRequest): string | undefined {
  if (body === undefined || !(Number(headers["content-length"]) <= MAX_HASHED)) return undefined;
  return createHash("sha256")
    .update(encodeValue(body as Value))
    .digest("hex");
}
