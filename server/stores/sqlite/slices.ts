import { GalleyError } from "#protocol/errors";
import type { Budget } from "../document-store.ts";

/** How long queries together may keep the event loop to themselves before others run. */
const SLICE_MS = 8;

/** Work that pauses now and then by `yield`, and ends with its result. */
export type Work<T> = Generator<undefined, T, undefined>;

/** Runs reads in the main thread, long ones bit by bit. */
export interface Slices {
  /**
   * Runs work: at once, if this turn of the event loop has time left, and then whenever a turn has some.
   *
   * @throws GalleyError `timeout` at its budget's end or if its caller has gone
   */
  run<T>(work: Work<T>, clock: QueryClock): Promise<T>;
}

/** The time of one query. Work asks {@link QueryClock.due} after each step and pauses when it says so. */
export class QueryClock {
  readonly #deadline: number;
  readonly #signal: { readonly aborted: boolean } | undefined;
  #end = 0;

  constructor({ milliseconds, signal }: Budget) {
    this.#deadline = performance.now() + milliseconds;
    this.#signal = signal;
  }

  /** Begins a slice. @throws GalleyError `timeout` */
  begin(now: number, milliseconds: number): void {
    if (this.#signal?.aborted) throw new GalleyError("timeout", "the caller has gone");
    if (now >= this.#deadline) throw new GalleyError("timeout", "the query took longer than it may");
    this.#end = Math.min(now + milliseconds, this.#deadline);
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

/**
 * Many queries share the time of a turn. Were each given a slice of its own, a burst of them would hold everything else
 * up for as many slices.
 */
export function createSlices(): Slices {
  /** Queries to go on with, each for one slice. */
  let waiting: (() => void)[] = [];
  let spent = 0;
  let scheduled = false;

  function spend(slice: () => void): void {
    const began = performance.now();
    slice();
    spent += performance.now() - began;
    schedule();
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      spent = 0;
      const round = waiting;
      waiting = [];
      for (let i = 0; i < round.length; i++) {
        if (spent >= SLICE_MS) {
          // Those that had no turn come before those that had one.
          waiting = [...round.slice(i), ...waiting];
          return;
        }
        spend(round[i] as () => void);
      }
    });
  }

  return {
    run: (work, clock) =>
      new Promise((resolve, reject) => {
        const slice = () => {
          try {
            clock.begin(performance.now(), SLICE_MS - spent);
            const step = work.next();
            if (step.done) resolve(step.value);
            else waiting.push(slice);
          } catch (error) {
            work.return(undefined as never);
            reject(error);
          }
        };
        if (spent < SLICE_MS && waiting.length === 0) spend(slice);
        else waiting.push(slice);
        schedule();
      }),
  };
}
