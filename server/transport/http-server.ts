import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { GalleyError } from "#protocol/errors";

const HEADERS_TIMEOUT_MS = 10_000;
/** How often Node looks for late headers; its own 30 s would make 10 s of headers up to 40. */
const CHECK_INTERVAL_MS = 1000;
/** Longer than the 60 s after which common proxies drop an idle connection, so that they drop first. */
const KEEP_ALIVE_MS = 75_000;
const MAX_CONNECTIONS = 50_000;
/** How long idle connections stay after the stop began, so that requests already on the wire get an answer. */
const FAREWELL_MS = 500;
const DRAIN_MS = 30_000;

/** The listening socket with the laws of http-api.md "Time and load", and its orderly end. */
export interface HttpServer {
  readonly server: Server;
  readonly closing: boolean;
  /** Counts a request in; false above `most`. */
  enter(response: { once(event: "close", listener: () => void): unknown }, most: number): boolean;
  listen(host: string, port: number): Promise<AddressInfo>;
  /** Stops listening, waits for the requests in flight, 30 s at most, then ends every connection. */
  close(): Promise<void>;
}

/** @param errorText the envelope of an error on a connection that never became a request */
export function createHttpServer(listener: RequestListener, errorText: (error: GalleyError) => string): HttpServer {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // A limit on whole requests would cut long uploads and imports.
      requestTimeout: 0,
      noDelay: true,
    },
    listener,
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => refuse(socket, error, errorText));

  let closing = false;
  let inFlight = 0;
  let idle: (() => void) | undefined;
  const leave = () => {
    if (--inFlight === 0) idle?.();
  };

  return {
    server,
    get closing() {
      return closing;
    },
    enter(response, most) {
      response.once("close", leave);
      return ++inFlight <= most;
    },
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, () => {
          server.removeListener("error", reject);
          resolve(server.address() as AddressInfo);
        });
      }),
    async close() {
      closing = true;
      const ended = server.listening ? new Promise((resolve) => server.close(resolve)) : undefined;
      if (inFlight > 0) {
        await within(DRAIN_MS, (done) => {
          idle = done;
        });
      }
      if (ended === undefined) return;
      await within(FAREWELL_MS, (done) => ended.then(done));
      server.closeAllConnections();
      await ended;
    },
  };
}

/** Resolves when `start` calls back, or after `ms`. */
function within(ms: number, start: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    start(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Answers bytes that are no HTTP request, headers that are too large and headers that do not arrive. */
function refuse(socket: Socket, { code }: NodeJS.ErrnoException, errorText: (error: GalleyError) => string): void {
  if (!socket.writable || code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const error =
    code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? new GalleyError("timeout", "the headers of the request did not arrive within 10 s")
      : new GalleyError(
          "invalid_argument",
          code === "HPE_HEADER_OVERFLOW"
            ? "the headers are larger than 16 KiB"
            : "this is not a valid HTTP/1.1 request",
        );
  const text = errorText(error);
  socket.end(
    `HTTP/1.1 ${error.status} ${error.status === 400 ? "Bad Request" : "Gateway Timeout"}\r\n` +
      "content-type: application/json; charset=utf-8\r\nx-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\n" +
      `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
}
