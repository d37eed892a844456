import type { Position } from "../../stores/document-store.ts";
import type { WindowState } from "../contract.ts";
import type { LiveLimits } from "./live-limits.ts";
import { currentFrame, resultFrame } from "./result-frames.ts";
import type { SessionCounters } from "./session-counters.ts";
import type { ShownWindow } from "./shown-window.ts";
import type { Subscription } from "./subscription.ts";
import type { WindowNames } from "./window-names.ts";

export interface ResultQueueOptions {
  readonly limits: Pick<LiveLimits, "snapshotBytes">;
  readonly counters: SessionCounters;
  /** It has something to do in the flush of this turn. */
  readonly session: { wake(): void };
  readonly failed: (subscription: Subscription, error: unknown) => void;
  readonly names: WindowNames;
}

/** Subscriptions of a socket whose window is live, and who were not told its result yet; first come, first served. */
export class ResultQueue {
  readonly #options: ResultQueueOptions;
  /** Undefined: none. Most sockets have none most of the time. */
  #ready: Set<Subscription> | undefined;
  /** A result whose texts are being read: one at a time. */
  #waiting = false;

  constructor(options: ResultQueueOptions) {
    this.#options = options;
  }

  add(subscription: Subscription): void {
    this.#ready ??= new Set();
    this.#ready.add(subscription);
  }

  delete(subscription: Subscription): void {
    if (this.#ready?.delete(subscription) && this.#ready.size === 0) this.#ready = undefined;
  }

  /** Whether there is one to be told. */
  get hasNext(): boolean {
    return this.#ready !== undefined && !this.#waiting;
  }

  /** The next result; undefined: none after all, or its texts are being read. @param position that the socket reaches by it */
  next(position: Position): string | undefined {
    for (const one of this.#ready ?? NOBODY) {
      const { shown } = one;
      this.delete(one);
      if (!shown?.isLive) continue;
      try {
        const name = this.#options.names.of(one, shown);
        const state = shown.window.snapshot();
        if (!(state instanceof Promise)) return this.#tell(one, shown, name, state, position);
        this.#wait(one, state);
      } catch (error) {
        this.#options.failed(one, error);
      }
      return undefined;
    }
    return undefined;
  }

  /** Its texts are at hand for a moment: behind others, each of which may have to be read too, it would never be told. */
  #addFirst(one: Subscription): void {
    this.#ready = new Set([one, ...(this.#ready ?? NOBODY)]);
  }

  #wait(one: Subscription, texts: Promise<void>): void {
    const { session, failed } = this.#options;
    const { shown } = one;
    this.#waiting = true;
    const isCurrent = () => shown === one.shown && !one.isGone;
    texts
      .then(
        () => isCurrent() && shown?.isLive && this.#addFirst(one),
        (error) => isCurrent() && failed(one, error),
      )
      .finally(() => {
        this.#waiting = false;
        session.wake();
      });
  }

  #tell(one: Subscription, shown: ShownWindow, name: string, state: WindowState, position: Position): string {
    const { limits } = this.#options;
    const current = currentFrame(one, name, shown.question, state, position);
    if (current !== undefined) return this.#told(one, shown, name, "resumed", current);
    const text = resultFrame(one, name, shown.question, state, position, limits.snapshotBytes);
    return this.#told(one, shown, name, one.have ? "not_resumed" : "snapshots", text);
  }

  #told(
    one: Subscription,
    shown: ShownWindow,
    name: string,
    how: "resumed" | "not_resumed" | "snapshots",
    text: string,
  ): string {
    this.#options.counters[how]++;
    this.#options.names.told(one, shown, name);
    one.have = undefined;
    one.reset = undefined;
    one.wasTold = true;
    one.inStep = true;
    shown.inStep++;
    return text;
  }
}

const NOBODY: readonly never[] = [];
