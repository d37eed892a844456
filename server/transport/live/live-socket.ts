import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { CLOSE } from "#protocol/frames";
import type { Log } from "../../log.ts";
import type { LiveSession, Outlet } from "../../realtime/contract.ts";
import type { Beating, Beats } from "./beats.ts";
import type { FrameBundles } from "./frame-bundles.ts";
import { SocketOutlet } from "./outlet.ts";

/** Pings that may go unanswered. */
const MISSED = 2;

export interface LiveSocketParts {
  readonly log: Log;
  readonly beats: Beats;
  readonly bundles: FrameBundles;
}

/**
 * One WebSocket: messages in, one by one, and what its session sends out. It knows nothing of what is said. Whatever a
 * client sends, or stops sending, ends in a close of this socket and of no other.
 */
export class LiveSocket implements Beating {
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #parts: LiveSocketParts;
  #session: LiveSession | undefined;
  #unanswered = 0;
  /** Bytes that had come when something whole came last, or when it was last looked at. */
  #bytes = 0;
  #heard = true;

  constructor(ws: WebSocket, socket: Socket, parts: LiveSocketParts) {
    this.#ws = ws;
    this.#socket = socket;
    this.#parts = parts;
  }

  /** @param ended called once, when the socket is closed */
  start(open: (outlet: Outlet) => LiveSession, ended: () => void): void {
    const { beats } = this.#parts;
    const ws = this.#ws;
    ws.on("message", (data, isBinary) => this.#receive(data as Buffer, isBinary));
    ws.on("pong", () => {
      this.#unanswered = 0;
      this.#heard = true;
    });
    ws.on("ping", () => {
      this.#heard = true;
    });
    // `ws` closes with the code of the fault by itself: 1002, 1007, 1008 or 1009.
    ws.on("error", () => {});
    ws.on("close", () => {
      beats.remove(this);
      this.#guarded(() => this.#session?.end());
      ended();
    });
    beats.add(this);
    this.#guarded(() => {
      this.#session = open(new SocketOutlet(ws, this.#socket, this.#parts.bundles));
    });
  }

  drain(retry: number): void {
    this.#guarded(() => this.#session?.drain(retry));
    // Whatever its session says: the server stops.
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.close(CLOSE.draining, "this server is about to stop");
  }

  beat(): void {
    const ws = this.#ws;
    if (ws.readyState !== ws.OPEN) return;
    const { bytesRead } = this.#socket;
    // Bytes come, yet nothing whole in all this time, no answer to a ping either: a message that is never to end.
    if (!this.#heard && bytesRead > this.#bytes) {
      ws.close(CLOSE.policy, "a message took too long to arrive");
      return;
    }
    if (this.#unanswered >= MISSED) {
      ws.terminate();
      return;
    }
    this.#bytes = bytesRead;
    this.#heard = false;
    this.#unanswered++;
    ws.ping();
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#heard = true;
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (isBinary) {
      this.#ws.close(CLOSE.notText, "expects text frames");
      return;
    }
    this.#guarded(() => this.#session?.receive(data.toString("utf8")));
  }

  /** A fault of ours ends this socket, is logged, and harms no other. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (err) {
      this.#parts.log.error({ err }, "a live session failed");
      this.#ws.close(CLOSE.internal, "something went wrong on the server");
    }
  }
}
