import { CLOSE } from "#protocol/frames";
import type { Position } from "../../stores/document-store.ts";
import type { Outlet } from "../contract.ts";
import type { LiveLimits } from "./live-limits.ts";
import type { Outbox } from "./outbox.ts";
import type { ResultQueue } from "./result-queue.ts";
import type { Subscriptions } from "./subscriptions.ts";

export interface SenderOptions {
  readonly outlet: Outlet;
  readonly limits: LiveLimits;
  readonly subscriptions: Subscriptions;
  /** It has something to do in the flush of this turn. */
  readonly session: { wake(): void };
  /** The socket is to be closed: it is too slow. */
  readonly tooSlow: (code: number, reason: string) => void;
}

/** What goes out of one socket, a turn at a time, and never more than the network takes; live-queries.md 10. */
export class SessionSender {
  readonly #options: SenderOptions;
  readonly #outlet: Outlet;
  readonly #outbox: Outbox;
  readonly #results: ResultQueue;
  #waitsForRoom = false;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#outlet = options.outlet;
    this.#outbox = options.subscriptions.outbox;
    this.#results = options.subscriptions.results;
  }

  /** What waits while nothing may be sent is bounded as well. It is this node that is slow, so its clients are not closed for it. */
  hold(): void {
    const { limits, subscriptions, tooSlow } = this.#options;
    if (this.#outbox.size <= limits.unsentMessages) return;
    subscriptions.skipChanges();
    if (this.#outbox.size > limits.unsentMessages) tooSlow(CLOSE.slow, "too much waits to be sent");
  }

  /** Sends what waits, in one write. @param now which position every window has reached */
  send(now: { readonly position: Position }): void {
    const { limits, tooSlow } = this.#options;
    const { bytes, messages } = this.#outlet.unsent;
    // Left of earlier turns: what is written now nobody could have read yet, however much a commit holds.
    if (bytes > limits.unsentBytes || messages > limits.unsentMessages) {
      tooSlow(CLOSE.slow, "too much was left unread");
      return;
    }
    const frames = this.#outbox.take(now);
    if (this.#results.hasNext) this.#addResults(frames, now);
    if (frames.length > 0) this.#outlet.send(frames);
  }

  /** Whole results only while little is unsent: whoever comes back must not fill its own pipe. */
  #addResults(frames: (Buffer | string)[], now: { readonly position: Position }): void {
    const { limits } = this.#options;
    const results = this.#results;
    let bytes = this.#outlet.unsent.bytes + frames.reduce((sum, { length }) => sum + length, 0);
    while (results.hasNext) {
      if (bytes >= limits.snapshotsBelow) {
        this.#waitForRoom(limits.snapshotsBelow);
        return;
      }
      const text = results.next(this.#outbox.reach(now.position));
      // What it says may be errors alone.
      for (const frame of [...(text === undefined ? [] : [text]), ...this.#outbox.take(now)]) {
        frames.push(frame);
        bytes += frame.length;
      }
    }
  }

  #waitForRoom(below: number): void {
    if (this.#waitsForRoom) return;
    this.#waitsForRoom = true;
    this.#outlet.drained(below, () => {
      this.#waitsForRoom = false;
      this.#options.session.wake();
    });
  }
}
