import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as it arrived, whole. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** When it arrived, by `performance.now()`. */
  readonly at: number;
}

/** Answers one request; `n` counts them from 0. Not to answer at all is an answer too. */
export type Script = (response: ServerResponse, request: Seen, n: number) => void;

/** A server that plays a third party's faults: what Galley itself would never answer. */
export interface ScriptedServer {
  readonly url: string;
  readonly seen: readonly Seen[];
  close(): Promise<void>;
}

export async function startScriptedServer(script: Script): Promise<ScriptedServer> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      const arrived = { method, url, headers, body: Buffer.concat(chunks).toString(), at: performance.now() };
      seen.push(arrived);
      script(response, arrived, seen.length - 1);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Answers with JSON; without a body if it is undefined. */
export function reply(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { ...(body !== undefined && { "content-type": "application/json" }), ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

/** Answers with an error as Galley writes it. */
export function fail(
  response: ServerResponse,
  status: number,
  code: string,
  { details = {}, headers = {} }: { details?: object; headers?: Record<string, string> } = {},
): void {
  reply(response, status, { error: { code, message: `${code}!`, details, requestId: "r-1" } }, headers);
}

/** Breaks the connection. */
export function cut(response: ServerResponse): void {
  response.socket?.destroy();
}
