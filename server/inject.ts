import { Readable } from "node:stream";
import type { Transport } from "./transport/server.ts";

export interface AppRequest {
  readonly method: string;
  /** Path and query, as in `/v1/documents/posts?limit=10`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
}

export interface AppReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly body: Readable;
}

/** Answers one request as the port would, without a socket. */
export async function inject({ fastify }: Transport, { method, path, headers, body }: AppRequest): Promise<AppReply> {
  const streamed = typeof body === "object" && !(body instanceof Uint8Array);
  const payload = streamed ? Readable.from(body) : body;
  const reply = await fastify.inject({
    method: method as "GET",
    url: path,
    // What every client says of a body whose length it does not know; without it there is no body.
    headers: streamed ? { ...headers, "transfer-encoding": "chunked" } : { ...headers },
    ...(payload === undefined ? {} : { payload: payload as string | Buffer | Readable }),
    payloadAsStream: true,
  });
  return { status: reply.statusCode, headers: reply.headers, body: reply.stream() };
}
