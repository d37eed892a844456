/**
 * Many WebSockets of one process, each as light as it can be: a library's would cost this process more for a frame than a
 * server takes to send it, and both share a machine. It reads what the benchmarks' servers send: whole frames, unmasked.
 */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { frameOf, HANDSHAKE } from "../../support/raw-socket.ts";
import { until } from "../../support/until.ts";
import { comesFrom } from "./people.ts";

export interface CrowdOptions {
  readonly url: string;
  readonly count: number;
  /** What a socket says as soon as it is open. */
  readonly says: (n: number) => readonly object[];
  /** A text has come: it is in `bytes` from `start` to `end`, until this returns. */
  readonly take: (n: number, bytes: Buffer, start: number, end: number) => void;
  /** The server has closed it. */
  readonly closed?: (n: number, code: number) => void;
  /** Handshakes at once. */
  readonly atOnce?: number;
}

const AT_ONCE = 64;
const LOST = 1006;
/** One for all: what has come is read at once. */
const BYTES = Buffer.allocUnsafe(256 * 1024);
const TEXT = 1;
const CLOSE = 8;
const PING = 9;

export class Crowd {
  readonly members: readonly Member[];

  private constructor(members: readonly Member[]) {
    this.members = members;
  }

  /** Resolves when all are open, and have said what they say. @throws Error if one is refused */
  static async open(options: CrowdOptions): Promise<Crowd> {
    const members = Array.from({ length: options.count }, (_, n) => new Member(n, options));
    let next = 0;
    const openSome = async () => {
      for (let member = members[next++]; member; member = members[next++]) await member.open();
    };
    await Promise.all(Array.from({ length: options.atOnce ?? AT_ONCE }, openSome));
    return new Crowd(members);
  }

  /** Ends them all, as a network that is cut. */
  async close(): Promise<void> {
    for (const member of this.members) member.cut();
    await until(() => this.members.every(({ isGone }) => isGone));
  }
}

class Member {
  isGone = false;
  readonly #n: number;
  readonly #options: CrowdOptions;
  #socket: Socket | undefined;
  #held: Buffer | undefined;
  #isOpen = false;
  #opened: () => void = () => {};
  #refused: (error: Error) => void = () => {};

  constructor(n: number, options: CrowdOptions) {
    this.#n = n;
    this.#options = options;
  }

  open(): Promise<void> {
    const { hostname, port, host } = new URL(this.#options.url);
    const headers = Object.entries(comesFrom(this.#n)).map(([name, value]) => `${name}: ${value}`);
    const key = `sec-websocket-key: ${randomBytes(16).toString("base64")}`;
    const socket = connect({
      ...{ host: hostname, port: Number(port), noDelay: true },
      onread: { buffer: BYTES, callback: (length, bytes) => this.#receive(bytes as Buffer, length) },
    });
    this.#socket = socket;
    socket.write(["GET /v1/live HTTP/1.1", `host: ${host}`, ...HANDSHAKE, key, ...headers, "", ""].join("\r\n"));
    socket.on("error", () => {});
    socket.on("close", () => this.#end(LOST));
    return new Promise((resolve, reject) => {
      this.#opened = resolve;
      this.#refused = reject;
    });
  }

  say(frame: object): void {
    this.#socket?.write(frameOf(0x81, Buffer.from(JSON.stringify(frame))));
  }

  /** From now on it takes nothing from the network. */
  stop(): void {
    this.#socket?.pause();
  }

  cut(): void {
    this.#socket?.destroy();
  }

  #receive(chunk: Buffer, length: number): boolean {
    const held = this.#held;
    const bytes = held ? Buffer.concat([held, chunk.subarray(0, length)]) : chunk;
    const end = held ? bytes.length : length;
    let at = this.#isOpen ? 0 : this.#enter(bytes, end);
    if (this.#isOpen) at = this.#read(bytes, at, end);
    this.#held = at < end ? Buffer.from(bytes.subarray(at, end)) : undefined;
    return true;
  }

  /** @returns where the answer of the handshake ends */
  #enter(bytes: Buffer, length: number): number {
    const end = bytes.subarray(0, length).indexOf("\r\n\r\n");
    if (end < 0) return 0;
    const head = bytes.toString("latin1", 0, end);
    if (!head.startsWith("HTTP/1.1 101")) {
      this.#refused(new Error(`a socket was refused: ${head}`));
      this.cut();
      return 0;
    }
    this.#isOpen = true;
    for (const frame of this.#options.says(this.#n)) this.say(frame);
    this.#opened();
    return end + 4;
  }

  /** @returns where the first frame begins that is not there as a whole */
  #read(bytes: Buffer, from: number, length: number): number {
    let at = from;
    while (at + 2 <= length) {
      const short = (bytes[at + 1] as number) & 0x7f;
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (at + head > length) break;
      const size = short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 6);
      const start = at + head;
      const end = start + size;
      if (end > length) break;
      this.#frame((bytes[at] as number) & 0x0f, bytes, start, end);
      at = end;
    }
    return at;
  }

  #frame(opcode: number, bytes: Buffer, start: number, end: number): void {
    if (opcode === TEXT) this.#options.take(this.#n, bytes, start, end);
    else if (opcode === PING) this.#socket?.write(frameOf(0x8a, bytes.subarray(start, end)));
    else if (opcode === CLOSE) {
      this.#end(bytes.readUInt16BE(start));
      this.#socket?.end(frameOf(0x88, bytes.subarray(start, start + 2)));
    }
  }

  #end(code: number): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#refused(new Error(`a socket was closed: ${code}`));
    if (this.#isOpen) this.#options.closed?.(this.#n, code);
  }
}
