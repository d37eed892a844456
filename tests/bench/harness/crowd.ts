/**
 * Many WebSockets of one process, each as light as it can be: a library's would cost this process more for a frame than a
 * server takes to send it, and both share a machine. It reads what the benchmarks' servers send: whole frames, unmasked.
 */
import { connect, type Socket } from "node:net";
import { HANDSHAKE } from "../../support/raw-socket.ts";
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
const PONG = 10;
const END_OF_HEAD = Buffer.from("\r\n\r\n");
const ENTERED = Buffer.from("HTTP/1.1 101");

export class Crowd {
  readonly members: readonly Member[];

  private constructor(members: readonly Member[]) {
    this.members = members;
  }

  /** Resolves when all are open, and have said what they say. @throws Error if one is refused */
  static async open(options: CrowdOptions): Promise<Crowd> {
    const { hostname, port, host } = new URL(options.url);
    // A key of chance would tell nobody anything here.
    const key = `sec-websocket-key: ${Buffer.alloc(16, "galley").toString("base64")}`;
    const place = {
      ...{ host: hostname, port: Number(port) },
      head: ["GET /v1/live HTTP/1.1", `host: ${host}`, ...HANDSHAKE, key, ""].join("\r\n"),
    };
    const members = Array.from({ length: options.count }, (_, n) => new Member(n, options, place));
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

interface Place {
  readonly host: string;
  readonly port: number;
  /** The lines of a handshake that are the same for all. */
  readonly head: string;
}

class Member {
  isGone = false;
  readonly #n: number;
  readonly #options: CrowdOptions;
  readonly #place: Place;
  #socket: Socket | undefined;
  #held: Buffer | undefined;
  #isOpen = false;
  #opened: () => void = () => {};
  #refused: (error: Error) => void = () => {};

  constructor(n: number, options: CrowdOptions, place: Place) {
    this.#n = n;
    this.#options = options;
    this.#place = place;
  }

  open(): Promise<void> {
    const { host, port, head } = this.#place;
    const headers = Object.entries(comesFrom(this.#n)).map(([name, value]) => `${name}: ${value}\r\n`);
    const socket = connect({
      ...{ host, port, noDelay: true },
      onread: { buffer: BYTES, callback: (length, bytes) => this.#receive(bytes as Buffer, length) },
    });
    this.#socket = socket;
    socket.write(`${head}${headers.join("")}\r\n`, "latin1");
    socket.on("error", () => {});
    socket.on("close", () => this.#end(LOST));
    return new Promise((resolve, reject) => {
      this.#opened = resolve;
      this.#refused = reject;
    });
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
    const end = bytes.indexOf(END_OF_HEAD);
    if (end < 0 || end > length - END_OF_HEAD.length) return 0;
    if (bytes.compare(ENTERED, 0, ENTERED.length, 0, ENTERED.length) !== 0) {
      this.#refused(new Error(`a socket was refused: ${bytes.toString("latin1", 0, end)}`));
      this.cut();
      return 0;
    }
    this.#isOpen = true;
    const texts = this.#options.says(this.#n).map((frame) => frameOf(TEXT, Buffer.from(JSON.stringify(frame))));
    this.#socket?.write(Buffer.concat(texts));
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
    else if (opcode === PING) this.#socket?.write(frameOf(PONG, bytes.subarray(start, end)));
    else if (opcode === CLOSE) {
      this.#end(bytes.readUInt16BE(start));
      this.#socket?.end(frameOf(CLOSE, bytes.subarray(start, start + 2)));
    }
  }

  #end(code: number): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#refused(new Error(`a socket was closed: ${code}`));
    if (this.#isOpen) this.#options.closed?.(this.#n, code);
  }
}

/** A whole frame as clients send it. Under a mask of zeros, which is one like any other to a server, bytes stay as they are. */
function frameOf(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const head = length < 126 ? 2 : 4;
  const frame = Buffer.alloc(head + 4 + length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (length < 126 ? length : 126);
  if (head === 4) frame.writeUInt16BE(length, 2);
  payload.copy(frame, head + 4);
  return frame;
}
