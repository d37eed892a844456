import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { GalleyError } from "#protocol/errors";
import { checkShape } from "./json-shape.ts";

/** Bytes of a JSON body; http-api.md "Limits". */
export const BODY_LIMIT = 10 * 1024 * 1024;

/** Media types of bodies that a route reads as a stream. */
const NDJSON = /^application\/(?:x-)?ndjson$/;
/** JSON is UTF-8, or says nothing of it. Whatever else stands in the header is refused, not guessed at. */
const JSON_TYPE = /^application\/json(?: *; *charset=(?:utf-8|"utf-8"))? *$/i;

/**
 * What a request's headers say of its body, judged before a byte of it is read.
 * @returns whether a body follows
 * @throws GalleyError `unsupported_media_type`, or `invalid_argument` where the route takes no body
 */
export function checkBodyHeaders({ headers, route }: FastifyRequest): boolean {
  if (!announcesBody(headers)) {
    // fastify looks for a parser wherever there is a type, and refuses the request where there is none.
    headers["content-type"] = undefined;
    return false;
  }
  if (route?.body === undefined && route?.ndjson === undefined) {
    throw new GalleyError("invalid_argument", "this route takes no body: send what it needs in the URL", {
      faults: [{ path: "body", code: "unknown_member", message: "body: this route takes no body" }],
    });
  }
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    throw new GalleyError("unsupported_media_type", "send the body as it is, without content-encoding");
  }
  const type = headers["content-type"];
  if (route.ndjson) {
    if (type === undefined || !NDJSON.test(type.trim().toLowerCase())) {
      throw new GalleyError("unsupported_media_type", "send the rows with content-type: application/x-ndjson");
    }
  } else if (type === undefined || !JSON_TYPE.test(type)) {
    throw new GalleyError("unsupported_media_type", "send the body with content-type: application/json, in UTF-8");
  }
  return true;
}

/** Whether a body follows these headers. */
export function announcesBody(headers: IncomingHttpHeaders): boolean {
  const length = headers["content-length"];
  return headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
}

/** Replaces fastify's own body parsers: it would parse text/plain, and refuse keys without saying where they are. */
export function addBodyParsers(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => {
    request.awaited?.end();
    try {
      if (request.headers["idempotency-key"] !== undefined) request.bodyHash = sha256(body as Buffer);
      done(null, parseJson(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
  server.addContentTypeParser(NDJSON, (_request, payload, done) => done(null, payload));
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) throw refuse("expects UTF-8");
  checkShape(body, "body");
  try {
    return JSON.parse(body.toString());
  } catch (error) {
    // The engine's message quotes the body; only the place is worth telling.
    const place = /position (\d+)/.exec((error as Error).message)?.[1];
    throw refuse(place === undefined ? "expects valid JSON" : `expects valid JSON (fault at character ${place})`);
  }
}

function refuse(what: string): GalleyError {
  const message = `body: ${what}`;
  return new GalleyError("invalid_argument", message, { faults: [{ path: "body", code: "bad_value", message }] });
}
