import type { FastifyReply } from "fastify";
import { ERRORS, GalleyError } from "#protocol/errors";
import type { Log } from "../log.ts";
import type { DenialListener } from "./denials.ts";
import { endAfterLinger } from "./linger.ts";
import type { Replies } from "./reply.ts";

const RETRY_AFTER_S = 1;
/** Methods that ask for no change; RFC 9110, 9.2.1. */
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/** Turns whatever a request failed with into the one envelope of http-api.md "Errors". */
export interface Failures {
  send(reply: FastifyReply, error: unknown): void;
  /** Logs an error that came after the head of a streamed reply. Returns its envelope, for a last line. */
  late(reply: FastifyReply, error: unknown): string;
  /** The envelope for a connection that never became a request. */
  text(error: GalleyError, requestId: string): string;
  /** What is answered to a connection that never became a request: whatever was thrown as ours, logged if it is a fault. */
  bare(error: unknown, requestId: string): BareFailure;
}

export interface BareFailure {
  readonly status: number;
  readonly headers: readonly string[];
  readonly text: string;
}

export function createFailures(
  replies: Replies,
  log: Log,
  lingerMs: number,
  denied: DenialListener = () => undefined,
): Failures {
  function note({ request, raw }: FastifyReply, error: GalleyError): void {
    if (error.status < 500 || raw.destroyed) return;
    const event = { requestId: request.id, method: request.method, route: request.route?.path, error: error.code };
    const cause = error.cause ?? (error.code === "internal" ? error : undefined);
    const level = error.code === "internal" ? "error" : "warn";
    log[level](cause === undefined ? event : { ...event, err: cause }, error.message);
  }

  function answer(reply: FastifyReply, error: GalleyError): void {
    replies.json(reply, error.status, envelope(error, reply.request.id), headersOf(error));
  }

  return {
    send(reply, thrown) {
      const { request } = reply;
      request.awaited?.end();
      const error = judged(reply, thrown);
      note(reply, error);
      if (reply.raw.headersSent) {
        // Too late for a status: a cut connection tells that the reply is not whole.
        reply.raw.destroy();
        return;
      }
      endAfterLinger(reply, lingerMs);
      const told = denied(request, error);
      if (told) told.then((more) => answer(reply, more));
      else answer(reply, error);
    },
    late(reply, thrown) {
      const error = judged(reply, thrown);
      note(reply, error);
      endAfterLinger(reply, lingerMs);
      return envelope(error, reply.request.id);
    },
    text: envelope,
    bare(thrown, requestId) {
      const error = toGalleyError(thrown);
      if (error.code === "internal") log.error({ requestId, err: error.cause ?? error }, error.message);
      const headers = [...replies.bare(requestId), ...headersOf(error)];
      return { status: error.status, headers, text: envelope(error, requestId) };
    },
  };
}

/** The error as ours, with the outcome that a failed write owes its caller. */
function judged({ request }: FastifyReply, thrown: unknown): GalleyError {
  const error = toGalleyError(thrown);
  // Without a route, as of a path that cannot be read, what the client meant to do shows in the method alone.
  const writes = request.route ? request.route.writes : !SAFE_METHODS.has(request.method);
  if (!writes || error.details.outcome !== undefined) return error;
  // Nothing was sent to a store before a 4xx; of an unforeseen end nothing is known.
  return error.with({ outcome: error.status < 500 ? "not_applied" : "unknown" });
}

function headersOf({ code, status, details: { retryAfter, position } }: GalleyError): string[] {
  if (code === "unauthenticated") return ["www-authenticate", "Bearer"];
  if (typeof position === "string") return ["x-galley-position", position];
  if (!ERRORS[code].retryable || (status !== 429 && status !== 503)) return [];
  return ["retry-after", `${typeof retryAfter === "number" ? Math.ceil(retryAfter) : RETRY_AFTER_S}`];
}

function envelope({ code, message, details }: GalleyError, requestId: string): string {
  const told = Object.keys(details).length === 0 ? {} : { details };
  return JSON.stringify({ error: { code, message, ...told, requestId } });
}

/** fastify's own errors as ours; nothing of its texts leaves. */
function toGalleyError(error: unknown): GalleyError {
  if (error instanceof GalleyError) return error;
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new GalleyError("payload_too_large", "the body is larger than 10 MiB");
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
    case "FST_ERR_CTP_EMPTY_TYPE":
      return new GalleyError("unsupported_media_type", "send the body with content-type: application/json, in UTF-8");
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new GalleyError("invalid_argument", "the body is not as long as content-length says");
    case "FST_ERR_BAD_URL":
    case "FST_ERR_MAX_PARAM_LENGTH":
      return new GalleyError("invalid_argument", "the path is not valid");
  }
  if (typeof statusCode === "number" && statusCode >= 400 && statusCode < 500) {
    return new GalleyError("invalid_argument", "the request is not valid", {}, error);
  }
  return new GalleyError("internal", "something went wrong on the server; its log has the request id", {}, error);
}
