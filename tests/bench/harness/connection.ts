import { connect, type Socket } from "node:net";
import type { LoadRequest } from "./load.ts";

/**
 * One keep-alive connection that sends a request and waits for its answer. HTTP libraries cost this process more for a
 * request than a server takes to answer it, and a starved server shows nothing of what it does under load; so this reads
 * only what the benchmarks' servers send: a status, a content-length and a body.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #host: string;
  #held: Buffer = EMPTY;
  #settle: { resolve: (answer: { status: number; body: string }) => void; reject: (error: Error) => void } | undefined;

  constructor(url: string) {
    const { hostname, port, host } = new URL(url);
    this.#host = host;
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.#socket.on("data", (chunk) => this.#receive(chunk));
    this.#socket.on("error", (error) => this.#settle?.reject(error));
    this.#socket.on("close", () => this.#settle?.reject(new Error("the server closed the connection")));
  }

  send({ method, path, headers, body }: LoadRequest): Promise<{ status: number; body: string }> {
    let head = `${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n`;
    for (const name in headers) head += `${name}: ${headers[name]}\r\n`;
    if (body !== undefined) head += `content-length: ${Buffer.byteLength(body)}\r\n`;
    // Nobody would be told of what is written to it.
    if (this.#socket.destroyed) return Promise.reject(new Error("the server closed the connection"));
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.write(`${head}\r\n${body ?? ""}`);
    });
  }

  close(): void {
    this.#settle = undefined;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const end = this.#held.indexOf("\r\n\r\n");
    if (end === -1) return;
    const head = this.#held.toString("latin1", 0, end);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#held.length < end + 4 + length) return;
    const settle = this.#settle;
    const body = this.#held.toString("utf8", end + 4, end + 4 + length);
    this.#held = EMPTY;
    this.#settle = undefined;
    settle?.resolve({ status: Number(head.slice(9, 12)), body });
  }
}

const EMPTY = Buffer.alloc(0);
