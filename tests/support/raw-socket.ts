import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { openSocket } from "./raw-http.ts";
import { until } from "./until.ts";

/** A WebSocket whose bytes a test writes itself. */
export interface RawSocket {
  /** What the handshake was answered. */
  readonly status: number;
  readonly head: string;
  /** Texts that came, in order. */
  readonly texts: string[];
  /** The code of the close frame; 1006 where the connection ended without one. Undefined while it is open. */
  readonly closed: number | undefined;
  readonly reason: string;
  readonly socket: Socket;
  write(bytes: Buffer): void;
  /** One text frame, as a client must send it. */
  send(frame: object | string): void;
  /** Waits for the close, and gives its code. */
  end(seconds?: number): Promise<number>;
}

export const HANDSHAKE = ["upgrade: websocket", "connection: Upgrade", "sec-websocket-version: 13"];

/**
 * @param pongs whether pings are answered
 * @param lines headers beside those of the handshake; a `host:` among them takes the place of ours
 */
export async function openRaw(
  url: string,
  { path = "/v1/live", lines = [] as readonly string[], method = "GET", pongs = true } = {},
): Promise<RawSocket> {
  const socket = await openSocket(url);
  let bytes: Buffer = Buffer.alloc(0);
  const state = { status: 0, head: "", texts: [] as string[], closed: undefined as number | undefined, reason: "" };
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    if (state.status === 0) {
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0) return;
      state.head = bytes.subarray(0, end).toString();
      state.status = Number(/^HTTP\/1\.1 (\d{3})/.exec(state.head)?.[1]);
      bytes = bytes.subarray(end + 4);
    }
    if (state.status === 101) readFrames();
  });
  socket.on("close", () => {
    state.closed ??= 1006;
  });

  function readFrames(): void {
    for (;;) {
      if (bytes.length < 2) return;
      let length = (bytes[1] ?? 0) & 0x7f;
      let at = 2;
      if (length === 126) {
        if (bytes.length < 4) return;
        length = bytes.readUInt16BE(2);
        at = 4;
      } else if (length === 127) {
        if (bytes.length < 10) return;
        length = Number(bytes.readBigUInt64BE(2));
        at = 10;
      }
      if (bytes.length < at + length) return;
      const opcode = (bytes[0] ?? 0) & 0x0f;
      const payload = bytes.subarray(at, at + length);
      bytes = bytes.subarray(at + length);
      if (opcode === 1) state.texts.push(payload.toString());
      if (opcode === 9 && pongs) socket.write(frameOf(0x8a, payload));
      if (opcode === 8) {
        state.closed = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
        state.reason = payload.subarray(2).toString();
      }
    }
  }

  const hosts = lines.some((line) => /^host:/i.test(line)) ? [] : [`host: ${new URL(url).host}`];
  const key = `sec-websocket-key: ${randomBytes(16).toString("base64")}`;
  socket.write([`${method} ${path} HTTP/1.1`, ...hosts, ...HANDSHAKE, key, ...lines, "", ""].join("\r\n"));
  await until(() => state.status !== 0 || state.closed !== undefined, 20, "an answer to the handshake");
  const raw: RawSocket = {
    get status() {
      return state.status;
    },
    get head() {
      return state.head;
    },
    get closed() {
      return state.closed;
    },
    get reason() {
      return state.reason;
    },
    texts: state.texts,
    socket,
    write: (data) => void socket.write(data),
    send: (frame) => raw.write(frameOf(0x81, Buffer.from(typeof frame === "string" ? frame : JSON.stringify(frame)))),
    async end(seconds = 20) {
      await until(() => state.closed !== undefined, seconds, "the close");
      socket.destroy();
      return state.closed as number;
    },
  };
  return raw;
}

/** A frame as clients send it, masked unless told otherwise; RFC 6455, 5.2. */
export function frameOf(first: number, payload: Buffer, { masked = true, announced = payload.length } = {}): Buffer {
  const bit = masked ? 0x80 : 0;
  const head =
    announced < 126
      ? Buffer.from([first, bit | announced])
      : announced < 65_536
        ? Buffer.from([first, bit | 126, announced >> 8, announced & 0xff])
        : Buffer.concat([Buffer.from([first, bit | 127]), long(announced)]);
  if (!masked) return Buffer.concat([head, payload]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0))]);
}

function long(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
