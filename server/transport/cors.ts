import type { IncomingMessage } from "node:http";

/** Answers whether pages of an origin may call; http-api.md "CORS". Never with credentials: tokens travel in headers. */
export interface Cors {
  allows(origin: string): boolean;
  /** The headers that answer a preflight; undefined if it is none or its origin is not allowed. */
  preflight(request: IncomingMessage): string[] | undefined;
}

const LOCAL = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?$/;

const METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE";
const HEADERS =
  "authorization, content-type, content-digest, idempotency-key, if-match, if-none-match, if-range, range, tus-resumable, upload-length, upload-metadata, upload-offset, upload-checksum, upload-defer-length";

/** @param origins exact ones; with `local`, also every port of this machine (development mode) */
export function createCors(origins: ReadonlySet<string>, local: boolean): Cors {
  const allows = (origin: string) => origins.has(origin) || (local && LOCAL.test(origin));
  return {
    allows,
    preflight({ method, headers }) {
      const { origin } = headers;
      if (method !== "OPTIONS" || origin === undefined || !allows(origin)) return undefined;
      if (headers["access-control-request-method"] === undefined) return undefined;
      return [
        ...["access-control-allow-methods", METHODS],
        ...["access-control-allow-headers", HEADERS],
        ...["access-control-max-age", "7200"],
      ];
    },
  };
}
