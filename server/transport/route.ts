import type { FastifyReply, FastifyRequest } from "fastify";
import type { ErrorCode } from "#protocol/errors";
import type { Principal } from "../access/principal.ts";
import type { AwaitedBody } from "./body-deadlines.ts";
import type { ParameterName, Parameters } from "./parameters.ts";
import type { Schema } from "./schema.ts";

/**
 * One route, whole: what it takes is checked against this before its handler runs, and the OpenAPI document is written
 * from it, so neither can say what the other does not.
 *
 * @typeParam S the proof that access was judged, which its service methods take
 */
export interface Route<S = unknown> {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As OpenAPI writes it, `/v1/documents/{collection}`. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  /** URL parameters it takes; any other is refused. */
  readonly parameters?: readonly ParameterName[];
  /** What its JSON body must look like. Absent: it takes none. */
  readonly body?: Schema;
  /** The body may be left out. */
  readonly bodyOptional?: true;
  /** Takes NDJSON, streamed, in place of a JSON body. */
  readonly ndjson?: true;
  /** A failed write tells whether it was applied. */
  readonly writes?: true;
  /** Takes `Idempotency-Key`. */
  readonly idempotent?: true;
  /** Takes `If-Match` and `If-None-Match`. */
  readonly conditional?: true;
  readonly cache?: CacheRule;
  /** Open to everyone: no credential is read. */
  readonly open?: true;
  /** Asks for data: its requests count against `limits.anonymous` and `limits.user` of the settings. */
  readonly counted?: true;
  /** `ignored`: who calls is told by the body alone. `lenient`: a credential that does not hold counts as none. */
  readonly credential?: "ignored" | "lenient";
  /** Left out of the OpenAPI document: for browsers, not for programs. */
  readonly undescribed?: true;
  readonly replies: Readonly<Record<number, ReplyShape>>;
  /** Codes it may answer beside those that every route may. */
  readonly errors: readonly ErrorCode[];
  /** Judges the caller before anything the caller sent is looked at. @throws GalleyError 401 or 403 */
  authorize(principal: Principal, params: PathParams): S;
  answer(call: Call<S>): void | Promise<void>;
}

/** How a reply may be kept; `own`: the route says it in its own headers. */
export type CacheRule = "no-store" | "private, no-cache" | "own";

export interface ReplyShape {
  readonly description: string;
  /** JSON, unless `type` says otherwise. */
  readonly schema?: Schema;
  readonly type?: string;
  readonly headers?: readonly string[];
}

/** One request that passed every check of its route. */
export interface Call<S> {
  readonly scope: S;
  readonly params: PathParams;
  readonly parameters: Parameters;
  readonly body: unknown;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** The parts of the path that the route names in braces, decoded once. */
export interface PathParams {
  readonly collection: string;
  readonly id: string;
  readonly "*"?: string;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Undefined until a route was found. */
    route: Route | undefined;
    /** Undefined until it is known who calls. */
    caller: Principal | undefined;
    /** What the route's `authorize` gave. */
    scope: unknown;
    /** `performance.now()` at its start. */
    began: number;
    /** SHA-256 of the body's bytes, kept where an idempotency key binds it. */
    bodyHash: string | undefined;
    /** Its body, while that is on its way. */
    awaited: AwaitedBody | undefined;
  }
}
