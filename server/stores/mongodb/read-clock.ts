import { setImmediate as nextTurn } from "node:timers/promises";
import { GalleyError } from "#protocol/errors";
import type { Budget } from "../document-store.ts";
import { TimeIsUp } from "./time-limit.ts";

/** How often it is looked whether the caller of a query that waits for MongoDB has gone. */
const LOOK_MILLISECONDS = 100;
/** MongoDB ends a command at its time by itself; beyond this it is no longer waited for. */
const GRACE_MILLISECONDS = 500;
/** How long a query may keep the event loop to itself. */
const SLICE_MILLISECONDS = 8;

/** The time of one query, which ends at its deadline, or when its caller has gone. */
export class ReadClock {
  readonly #deadline: number;
  readonly #signal: Budget["signal"];
  #sliceEnd = 0;

  constructor({ milliseconds, signal }: Budget) {
    this.#deadline = performance.now() + milliseconds;
    this.#signal = signal;
  }

  /** Milliseconds that are left, for MongoDB's `maxTimeMS`, which takes 0 for no limit. */
  get left(): number {
    return Math.max(1, Math.ceil(this.#deadline - performance.now()));
  }

  /** @throws GalleyError `timeout` */
  check(): void {
    if (this.#signal?.aborted) throw new GalleyError("timeout", "the caller has gone");
    if (performance.now() >= this.#deadline) throw new GalleyError("timeout", "the query took longer than it may");
  }

  /**
   * Waits for a command no longer than there is time.
   *
   * @param stop called when it is not waited for any more
   * @param givenUp is told if its server was lost, and may never answer
   * @throws GalleyError `timeout`; TimeIsUp if it was given up
   */
  async wait<T>(command: Promise<T>, stop: () => void, givenUp?: Set<() => void>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    let watch: NodeJS.Timeout | undefined;
    let giveUp = () => {};
    try {
      const end = new Promise<never>((_, reject) => {
        const give = () => {
          stop();
          const message = this.#signal?.aborted ? "the caller has gone" : "the query took longer than it may";
          reject(new GalleyError("timeout", message));
        };
        timer = setTimeout(give, Math.min(this.left + GRACE_MILLISECONDS, MOST_MILLISECONDS));
        giveUp = () => {
          stop();
          reject(new TimeIsUp());
        };
        givenUp?.add(giveUp);
        if (this.#signal) watch = setInterval(() => this.#signal?.aborted && give(), LOOK_MILLISECONDS);
      });
      const result = await Promise.race([command, end]);
      this.check();
      this.#sliceEnd = performance.now() + SLICE_MILLISECONDS;
      return result;
    } finally {
      clearTimeout(timer);
      clearInterval(watch);
      givenUp?.delete(giveUp);
    }
  }

  /** Whether this query has had the event loop for long. Ask after each small piece of work, and then {@link pause}. */
  get due(): boolean {
    return performance.now() >= this.#sliceEnd;
  }

  /** Lets others run. @throws GalleyError `timeout` */
  async pause(): Promise<void> {
    await nextTurn();
    this.check();
    this.#sliceEnd = performance.now() + SLICE_MILLISECONDS;
  }
}

/** Timers take no more. */
const MOST_MILLISECONDS = 2 ** 31 - 1;
