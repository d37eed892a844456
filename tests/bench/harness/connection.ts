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
  #settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;

  constructor(url: string) {
    const { hostname, port, host } = new URL(url);
    this.#host = host;
    this.#socket = connect({
      ...{ host: hostname, port: Number(port), noDelay: true },
      // One buffer for every read: a stream's chunks cost a fifth of the whole.
      onread: { buffer: Buffer.allocUnsafe(READ_BYTES), callback: (size, buffer) => this.#receive(size, buffer) },
    });
    this.#socket.on("error", (error) => this.#settle?.reject(error));
    this.#socket.on("close", () => this.#settle?.reject(new Error("the server closed the connection")));
  }

  send({ method, path, headers, body }: LoadRequest): Promise<Answer> {
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

  /** @returns that reading goes on */
  #receive(size: number, buffer: Uint8Array): boolean {
    const read = Buffer.from(buffer.buffer, buffer.byteOffset, size);
    const text = this.#held.length === 0 ? read : Buffer.concat([this.#held, read]);
    const answer = readAnswer(text);
    if (answer === undefined) {
      // The next read overwrites it.
      this.#held = text === read ? Buffer.from(read) : text;
      return true;
    }
    const settle = this.#settle;
    this.#held = EMPTY;
    this.#settle = undefined;
    settle?.resolve(answer);
    return true;
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** The answer that some bytes are; undefined if there is more to come. */
function readAnswer(bytes: Buffer): Answer | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const head = bytes.toString("latin1", 0, end);
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
  if (bytes.length < end + 4 + length) return undefined;
  return { status: Number(head.slice(9, 12)), body: bytes.toString("utf8", end + 4, end + 4 + length) };
}

const EMPTY = Buffer.alloc(0);
const READ_BYTES = 16_384;
