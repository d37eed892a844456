import { createServer, type RequestListener, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { GalleyError } from "#protocol/errors";
import type { LoadLimits } from "./load.ts";

/** Headers, names and values in turn, and text. */
export interface Refusal {
  readonly headers: readonly string[];
  readonly text: string;
}

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

/** @param refusal the reply to a connection that never became a request */
export function createHttpServer(
  listener: RequestListener,
  load: LoadLimits,
  refusal: (error: GalleyError) => Refusal,
): HttpServer {
  const server = createServer(
    {
      headersTimeout: load.headersMs,
      connectionsCheckingInterval: load.checkMs,
      keepAliveTimeout: load.keepAliveMs,
      // A limit on whole requests would cut long uploads and imports.
      requestTimeout: 0,
      noDelay: true,
      // Node's own refusal has no envelope; server.ts makes it.
      requireHostHeader: false,
    },
    listener,
  );
  server.maxConnections = load.connections;
  // Unheard, Node would answer 417 by itself; an expectation we do not know is none.
  server.on("checkExpectation", listener);
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) =>
    refuse(socket, error, refusal, load.lingerMs),
  );

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
      // It closes once: `once` would only wrap this, which costs more than all the rest here.
      response.on("close", leave);
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
function refuse(
  socket: Socket,
  { code }: NodeJS.ErrnoException,
  refusal: (error: GalleyError) => Refusal,
  lingerMs: number,
): void {
  // It was told already, and goes on sending: cutting it off now would reset it before it has read why.
  if (socket.writableEnded && code !== "ECONNRESET") return;
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
  endWith(socket, error.status, refusal(error), lingerMs);
}

/** Answers what is not, or no longer, fastify's to answer, and ends its connection. */
export function endWith(socket: Duplex, status: number, { headers, text }: Refusal, lingerMs: number): void {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`];
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  socket.end(`${lines.join("\r\n")}\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`);
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once("close", () => clearTimeout(timer));
}
