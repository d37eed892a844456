import { GalleyError } from "#protocol/errors";
import type { ListQuestion } from "../contract.ts";
import type { JoinEnd, Joins, LoadReason, Reading } from "./window-join.ts";

const LAST_RETRY_MILLISECONDS = 5000;
/** How often in a row a question may take too long before that is its answer. */
const MOST_TIMEOUTS = 3;

export interface WindowReadsOptions {
  readonly joins: Joins;
  readonly question: ListQuestion;
  /** Who waits for what is read. */
  readonly askers: () => Iterable<string>;
  /** Rows of a read. */
  readonly capacity: number;
  /** Milliseconds between two refills. */
  readonly spacing: number;
  /** Milliseconds before the first retry. */
  readonly retry: number;
  /** `failed`: with what no waiting mends. */
  readonly end: JoinEnd;
}

/** The reads of one window: one at a time, not too often, and again after a while where the store is away. */
export class WindowReads {
  readonly #options: WindowReadsOptions;
  #reading: Reading | undefined;
  #timer: NodeJS.Timeout | undefined;
  #last = Number.NEGATIVE_INFINITY;
  #failures = 0;

  constructor(options: WindowReadsOptions) {
    this.#options = options;
  }

  /** Reads, unless it is about to. */
  want(reason: LoadReason): void {
    if (this.#reading || this.#timer) return;
    const { spacing } = this.#options;
    this.#later(reason === "load" ? 0 : this.#last + spacing - performance.now(), reason);
  }

  /** Somebody else waits for it. */
  also(asker: string): void {
    this.#reading?.also(asker);
  }

  /** Gives up what is under way or planned. */
  stop(): void {
    this.#reading?.stop();
    this.#reading = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#failures = 0;
  }

  #later(milliseconds: number, reason: LoadReason): void {
    if (milliseconds <= 0) this.#begin(reason);
    else this.#timer = setTimeout(() => this.#begin(reason), milliseconds).unref();
  }

  #begin(reason: LoadReason): void {
    const { joins, question, askers, capacity, retry, end } = this.#options;
    this.#timer = undefined;
    this.#last = performance.now();
    this.#reading = joins.start(
      { question, capacity, reason, askers: askers() },
      {
        done: (joined) => {
          this.#reading = undefined;
          this.#failures = 0;
          end.done(joined);
        },
        failed: (error) => {
          this.#reading = undefined;
          this.#failures++;
          if (isPassing(error, this.#failures)) this.#later(retryAfter(retry, this.#failures), reason);
          else end.failed(error);
        },
      },
    );
  }
}

/** Whether the same read may go well later. @param failures in a row */
export function isPassing(error: unknown, failures: number): boolean {
  if (!(error instanceof GalleyError)) return false;
  const { code, details } = error;
  // The position that was read at is known no more: there will be a new one.
  if (details.reason === "history_lost" || code === "unavailable") return true;
  return code === "timeout" && failures < MOST_TIMEOUTS;
}

export function retryAfter(first: number, failures: number): number {
  return Math.min(LAST_RETRY_MILLISECONDS, first * 2 ** (failures - 1));
}
