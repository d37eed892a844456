import type { Socket } from "node:net";
import { WebSocket } from "ws";
import type { Outlet } from "../../realtime/contract.ts";
import { textFrame } from "../../realtime/text-frame.ts";
import type { FrameBundles } from "./frame-bundles.ts";

interface Waiting {
  readonly below: number;
  readonly then: () => void;
}

/**
 * The way out of one socket. Whole frames go straight to the connection, many in one write: a commit that a thousand
 * sockets show is framed once. `ws` writes whole frames too (its answers to pings and closes), so the two do not mix.
 */
export class SocketOutlet implements Outlet {
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #bundles: FrameBundles;
  #messages = 0;
  #waiting: Waiting[] = [];
  /** One for all writes: a closure for each would cost more than the write. */
  readonly #taken = (): void => this.#took(1);

  constructor(ws: WebSocket, socket: Socket, bundles: FrameBundles) {
    this.#ws = ws;
    this.#socket = socket;
    this.#bundles = bundles;
  }

  get unsent(): { readonly bytes: number; readonly messages: number } {
    return { bytes: this.#socket.writableLength, messages: this.#messages };
  }

  send(frames: readonly (Buffer | string)[]): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    const [first] = frames;
    if (frames.length === 1 && first !== undefined) {
      this.#write(first);
      return;
    }
    const bundle = this.#bundles.of(frames);
    if (bundle) {
      const { length } = frames;
      this.#messages += length;
      this.#socket.write(bundle, () => this.#took(length));
      return;
    }
    this.#socket.cork();
    for (const frame of frames) this.#write(frame);
    this.#socket.uncork();
  }

  drained(below: number, then: () => void): void {
    this.#waiting.push({ below, then });
    // It may be so already.
    queueMicrotask(() => this.#tellDrained());
  }

  close(code: number, reason: string): void {
    this.#ws.close(code, reason);
  }

  #write(frame: Buffer | string): void {
    this.#messages++;
    this.#socket.write(typeof frame === "string" ? textFrame(frame) : frame, this.#taken);
  }

  #took(messages: number): void {
    this.#messages -= messages;
    if (this.#waiting.length > 0) this.#tellDrained();
  }

  #tellDrained(): void {
    const { writableLength } = this.#socket;
    const ready = this.#waiting.filter(({ below }) => writableLength < below);
    if (ready.length === 0) return;
    this.#waiting = this.#waiting.filter(({ below }) => writableLength >= below);
    for (const { then } of ready) then();
  }
}
