import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { GalleyError } from "#protocol/errors";
import { encodeValue, type ObjectValue, type Value } from "#protocol/values";
import type { Denials } from "../access/explaining/denials.ts";
import type { DeniedRequest, ExplainService } from "../documents/explain-contract.ts";
import { plainJson } from "../documents/explanation.ts";
import type { Log } from "../log.ts";
import { deniedRequest } from "./denied-request.ts";
import { isFromThisMachine } from "./loopback.ts";

/** Bytes of a body that are worth a hash. */
const MAX_HASHED = 256 * 1024;

/** Told of an error on its way to the client. @returns what the client is told instead; it never rejects */
export type DenialListener = (request: FastifyRequest, error: GalleyError) => Promise<GalleyError> | undefined;

export interface DenialListenerOptions {
  readonly denials: Denials;
  readonly explain: ExplainService;
  readonly log: Log;
  /** Development mode: whoever asks from this machine is told why. */
  readonly development: boolean;
}

/** Names the collection that one which is not there comes closest to; undefined: none, or nobody of this machine asks. */
export type Hint = (request: FastifyRequest, collection: string) => string | undefined;

export function createHint({ explain, development }: Pick<DenialListenerOptions, "explain" | "development">): Hint {
  return (request, collection) => {
    const meant = development && isFromThisMachine(request.raw) ? explain.meant(collection) : undefined;
    return meant === undefined ? undefined : `no collection \`${collection}\`; did you mean \`${meant}\`?`;
  };
}

/**
 * Keeps a record of what the rules deny (access-rules.md 9), beside the request. What is hidden and what is missing is
 * recorded alike, so that neither the bytes nor the time of an answer tell one from the other (promise P15).
 */
export function createDenialListener(options: DenialListenerOptions): DenialListener {
  const { denials, explain, log, development } = options;
  const hint = createHint(options);

  function note(request: FastifyRequest, denied: DeniedRequest, code: string): void {
    const asOf = denials.take();
    if (asOf === undefined) return;
    const { principal, action, collection, id } = denied;
    const about = { requestId: request.id, principal, action, collection, id, code, asOf };
    // After the answer.
    setImmediate(() => {
      try {
        denials.note({ ...about, payload: hashOf(request) });
      } catch (error) {
        log.warn({ err: error, requestId: request.id }, "a denial could not be recorded");
      }
    });
  }

  /** Names what was meant, and tells why. */
  async function told(request: FastifyRequest, error: GalleyError, denied: DeniedRequest): Promise<GalleyError> {
    try {
      const meant = hint(request, denied.collection);
      const named = meant === undefined ? error : new GalleyError(error.code, meant, error.details, error.cause);
      return named.with({ why: plainJson(await explain.why(asSent(denied))) });
    } catch (failure) {
      log.warn({ err: failure, requestId: request.id }, "a denial could not be explained");
      return error;
    }
  }

  return (request, error) => {
    const denied = deniedRequest(request, error);
    if (!denied) return undefined;
    note(request, denied, error.code);
    return development && isFromThisMachine(request.raw) ? told(request, error, denied) : undefined;
  };
}

/** Bodies are decoded in place: here they are as they came. */
function asSent({ document, update, next, ...denied }: DeniedRequest): DeniedRequest {
  const sent = Object.entries({ document, update, next }).filter(([, value]) => value !== undefined);
  return { ...denied, ...(plainJson(Object.fromEntries(sent) as ObjectValue) as Partial<DeniedRequest>) };
}

function hashOf({ body, headers }: FastifyRequest): string | undefined {
  if (body === undefined || !(Number(headers["content-length"]) <= MAX_HASHED)) return undefined;
  return createHash("sha256")
    .update(encodeValue(body as Value))
    .digest("hex");
}
