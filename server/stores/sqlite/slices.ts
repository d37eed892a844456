import { GalleyError } from "#protocol/errors";
import type { Budget } from "../document-store.ts";

/** How long one query may keep the event loop to itself. */
const SLICE_MS = 8;

/** Work that pauses now and then by `yield`, and ends with its result. */
export type Work<T> = Generator<undefined, T, undefined>;

/** Runs long reads bit by bit in the main thread. */
export interface Slices {
  /**
   * Runs work: at once as far as it comes within one slice, then a slice each turn of the event loop, in turn with
   * everybody else's.
   *
   * @throws GalleyError `timeout` at its budget's end or if its caller has gone
   */
  run<T>(work: Work<T>, clock: QueryClock): Promise<T>;
}

/** The time of one query. Work asks {@link QueryClock.due} after each step and pauses when it says so. */
export class QueryClock {
  readonly #deadline: number;
  readonly #signal: AbortSignal | undefined;
  #end = 0;

  constructor({ milliseconds, signal }: Budget) {
    this.#deadline = performance.now() + milliseconds;
    this.#signal = signal;
  }

  /** Begins a slice. @throws GalleyError `timeout` */
  begin(): void {
    const now = performance.now();
    if (this.#signal?.aborted) throw new GalleyError("timeout", "the caller has gone");
    if (now >= this.#deadline) throw new GalleyError("timeout", "the query took longer than it may");
    this.#end = Math.min(now + SLICE_MS, this.#deadline);
  }

  /** Whether it is time to let others run. */
  get due(): boolean {
    return performance.now() >= this.#end;
  }

  /** Milliseconds that are left. */
  get left(): number {
    return Math.max(0, this.#deadline - performance.now());
  }
}

export function createSlices(): Slices {
  const waiting: (() => void)[] = [];
  let scheduled = false;

  function schedule(): void {
    if (scheduled || waiting.length === 0) return;
    scheduled = true;
    // One slice a turn however many wait: the delay of everything else does not grow with the number of long reads.
    setImmediate(() => {
      scheduled = false;
      waiting.shift()?.();
      schedule();
    });
  }

  return {
    async run(work, clock) {
      try {
        for (;;) {
          clock.begin();
          const step = work.next();
          if (step.done) return step.value;
          await new Promise<void>((resolve) => {
            waiting.push(resolve);
            schedule();
          });
        }
      } catch (error) {
        work.return(undefined as never);
        throw error;
      }
    },
  };
}
