import { CLOSE } from "#protocol/frames";
import type { Position } from "../stores/document-store.ts";
import type { Outlet } from "./contract.ts";
import type { LiveLimits } from "./live-limits.ts";
import type { Subscriptions } from "./subscriptions.ts";

export interface SenderOptions {
  readonly outlet: Outlet;
  readonly limits: LiveLimits;
  readonly subscriptions: Subscriptions;
  /** The network takes more again. */
  readonly roomMade: () => void;
  /** The socket is to be closed: it is too slow. */
  readonly tooSlow: (code: number, reason: string) => void;
}

/** What goes out of one socket, a turn at a time, and never more than the network takes; live-queries.md 10. */
export class SessionSender {
  readonly #options: SenderOptions;
  #waitsForRoom = false;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** What waits while nothing may be sent is bounded as well. */
  hold(): void {
    const { limits, subscriptions, tooSlow } = this.#options;
    if (subscriptions.outbox.size > limits.unsentMessages) tooSlow(CLOSE.slow, "too much waits to be sent");
  }

  /** Sends what waits, in one write. @param position that every window has reached */
  send(position: Position): void {
    const { outlet, limits, subscriptions, tooSlow } = this.#options;
    const frames = subscriptions.outbox.take(position);
    if (subscriptions.results.hasNext) this.#addResults(frames, position);
    if (frames.length === 0) return;
    outlet.send(frames);
    const { bytes, messages } = outlet.unsent;
    if (bytes > limits.unsentBytes || messages > limits.unsentMessages) {
      tooSlow(CLOSE.slow, "too much was left unread");
    }
  }

  /** Whole results only while little is unsent: whoever comes back must not fill its own pipe. */
  #addResults(frames: (Buffer | string)[], position: Position): void {
    const { outlet, limits, subscriptions } = this.#options;
    const { outbox, results } = subscriptions;
    let bytes = outlet.unsent.bytes + frames.reduce((sum, { length }) => sum + length, 0);
    while (results.hasNext) {
      if (bytes >= limits.snapshotsBelow) {
        this.#waitForRoom(limits.snapshotsBelow);
        return;
      }
      const texts = results.next(outbox.reach(position)) ?? [];
      // What it says may be errors alone.
      for (const frame of [...texts, ...outbox.take(position)]) {
        frames.push(frame);
        bytes += frame.length;
      }
    }
  }

  #waitForRoom(below: number): void {
    if (this.#waitsForRoom) return;
    this.#waitsForRoom = true;
    this.#options.outlet.drained(below, () => {
      this.#waitsForRoom = false;
      this.#options.roomMade();
    });
  }
}
