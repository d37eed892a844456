import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";
import { GalleyError } from "#protocol/errors";
import type { LoadLimits } from "./load.ts";

/** The listening socket with the laws of http-api.md "Time and load", and its orderly end. */
export interface HttpServer {
  readonly server: Server;
  readonly closing: boolean;
  /** Counts a request in until its reply is out or its connection gone; false if there are too many. */
  enter(response: ServerResponse): boolean;
  listen(host: string, port: number): Promise<AddressInfo>;
  /** Stops listening, waits for the requests in flight, 30 s at most, then ends every connection. */
  close(): Promise<void>;
}

/** @param errorText the envelope of an error on a connection that never became a request */
export function createHttpServer(
  listener: RequestListener,
  load: LoadLimits,
  errorText: (error: GalleyError) => string,
): HttpServer {
  const server = createServer(
    {
      headersTimeout: load.headersMs,
      connectionsCheckingInterval: load.checkMs,
      keepAliveTimeout: load.keepAliveMs,
      // A limit on whole requests would cut long uploads and imports.
      requestTimeout: 0,
      noDelay: true,
    },
    listener,
  );
  server.maxConnections = load.connections;
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => refuse(socket, error, errorText));

  let closing = false;
  let inFlight = 0;
  let idle: (() => void) | undefined;
  const leave = () => {
    if (--inFlight === 0) idle?.();
  };

  function drained(): Promise<void> {
    if (inFlight === 0) return Promise.resolve();
    return within(load.drainMs, (done) => {
      idle = done;
    });
  }

  return {
    server,
    get closing() {
      return closing;
    },
    enter(response) {
      response.once("close", leave);
      return ++inFlight <= load.inFlight;
    },
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        const fail = (error: NodeJS.ErrnoException) => reject(inWords(error, host, port));
        server.once("error", fail);
        server.listen(port, host, () => {
          server.removeListener("error", fail);
          resolve(server.address() as AddressInfo);
        });
      }),
    async close() {
      closing = true;
      if (server.listening) {
        // Not http's own close: it would also destroy idle connections at once, and with them requests that are already
        // on the wire. They get 503 `draining` and `connection: close` instead.
        const stopped = new Promise((resolve) => NetServer.prototype.close.call(server, resolve));
        await Promise.all([drained(), within(load.farewellMs, (done) => stopped.then(done))]);
        server.closeAllConnections();
        await stopped;
      } else await drained();
      // Ends Node's look-out for late headers; that the server no longer runs is no news.
      server.close(() => {});
    },
  };
}

/** Why it cannot listen, for who started it. The code stays: by it a caller tells this from a defect. */
function inWords(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code !== "EADDRINUSE") return error;
  const message = `${host}:${port} is taken by another program: stop that one, or choose another port`;
  return Object.assign(new Error(message, { cause: error }), { code: error.code });
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
      ? new GalleyError("timeout", "the headers of the request did not arrive in time")
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
