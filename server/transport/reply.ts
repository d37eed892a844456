import type { FastifyReply, FastifyRequest } from "fastify";
import type { CacheRule } from "./route.ts";

/** Headers as `writeHead` takes them fastest: names and values in turn. */
export type HeaderList = string[];

const SLOW_MS = 1000;
const JSON_TYPE = "application/json; charset=utf-8";
const API_CSP = "default-src 'none'; frame-ancestors 'none'";
const EXPOSED =
  "etag, location, retry-after, content-range, accept-ranges, x-request-id, x-galley-position, x-galley-file, tus-resumable, upload-offset, upload-length, upload-expires";

/**
 * The one way out. Replies go straight to the socket: fastify's own way would serialise, copy headers and run hooks, and
 * a read by id is mostly its way out. What every reply carries (promises.md "Headers and safe defaults") is added here.
 */
export interface Replies {
  /** JSON text, as it stands. */
  json(reply: FastifyReply, status: number, text: string, more?: HeaderList): void;
  /** Any other body; its type stands in `more`. */
  body(reply: FastifyReply, status: number, body: string | Uint8Array, more: HeaderList, csp?: string): void;
  empty(reply: FastifyReply, status: number, more?: HeaderList, csp?: string): void;
  /** The head of a reply whose body the caller writes to `reply.raw`. */
  head(reply: FastifyReply, status: number, more: HeaderList): void;
  /** The headers of a JSON reply to what never became a request. */
  bare(requestId: string): HeaderList;
}

export interface ReplyOptions {
  /** Whether clients reach this server by https. */
  readonly secure: boolean;
  /** Whether pages of this origin may read replies. */
  allowsOrigin(origin: string): boolean;
  /** Whether connections end with their reply, because the server is about to stop. */
  closing(): boolean;
  /** Told of replies that took longer than a second. */
  slow(request: FastifyRequest, status: number, milliseconds: number): void;
}

export function createReplies({ secure, allowsOrigin, closing, slow }: ReplyOptions): Replies {
  const everywhere = ["x-content-type-options", "nosniff", "referrer-policy", "no-referrer"];
  if (secure) everywhere.push("strict-transport-security", "max-age=31536000");
  const api: Record<CacheRule, HeaderList> = {
    "no-store": [...everywhere, "cache-control", "no-store", "vary", "Authorization, Origin"],
    "private, no-cache": [...everywhere, "cache-control", "private, no-cache", "vary", "Authorization, Origin"],
    own: [...everywhere, "vary", "Origin"],
  };

  function headers(reply: FastifyReply, more: HeaderList | undefined, csp: string): HeaderList {
    const { request } = reply;
    const list = api[request.route?.cache ?? "private, no-cache"].slice();
    list.push("content-security-policy", csp, "x-request-id", request.id);
    const { origin } = request.headers;
    if (origin !== undefined && allowsOrigin(origin)) {
      list.push("access-control-allow-origin", origin, "access-control-expose-headers", EXPOSED);
    }
    if (closing()) list.push("connection", "close");
    if (more !== undefined) for (const item of more) list.push(item);
    return list;
  }

  return {
    json(reply, status, text, more) {
      const bytes = Buffer.byteLength(text);
      const list = headers(reply, more, API_CSP);
      list.push("content-type", JSON_TYPE, "content-length", `${bytes}`);
      reply.hijack();
      // What is all ASCII has the same bytes in Latin-1, which is written in a third of the time and room.
      reply.raw.writeHead(status, list).end(text, bytes === text.length ? "latin1" : "utf8");
      const took = performance.now() - reply.request.began;
      if (took > SLOW_MS) slow(reply.request, status, took);
    },
    body(reply, status, body, more, csp = API_CSP) {
      const list = headers(reply, more, csp);
      list.push("content-length", `${Buffer.byteLength(body)}`);
      reply.hijack();
      reply.raw.writeHead(status, list).end(body);
    },
    empty(reply, status, more, csp = API_CSP) {
      const list = headers(reply, more, csp);
      reply.hijack();
      reply.raw.writeHead(status, list).end();
    },
    head(reply, status, more) {
      const list = headers(reply, more, API_CSP);
      reply.hijack();
      reply.raw.writeHead(status, list);
    },
    bare: (id) => [
      ...[...api["no-store"], "content-security-policy", API_CSP],
      ...["x-request-id", id, "content-type", JSON_TYPE],
    ],
  };
}
