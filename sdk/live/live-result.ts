import type { ApiError } from "../error.ts";
import type { Live, LiveState } from "../types/live.ts";
import { changesBetween } from "./changes.ts";
import type { Taker } from "./teller.ts";

type Next<R> = (state: LiveState<R>) => void;

/** One that watches a question, as the app holds it. */
export class LiveResult<R> implements Live<R>, Taker {
  state: LiveState<R>;
  readonly ready: Promise<R>;
  readonly #next: Next<R> | undefined;
  readonly #first: LiveState<R>;
  #settle!: (state: LiveState<R>) => void;
  #closed = false;
  #told: LiveState<R> | undefined;
  /** The state from which the newest tells what changed. */
  #before: LiveState<R> | undefined;
  readonly #leave: () => ApiError;
  #wake: (() => void)[] = [];

  /** @param leave called once, when it is closed; answers what is told to whoever still waits for `ready` */
  constructor(first: LiveState<R>, next: Next<R> | undefined, leave: () => ApiError) {
    this.state = first;
    this.#first = first;
    this.#next = next;
    this.#leave = leave;
    this.ready = new Promise((resolve, reject) => {
      this.#settle = ({ data, error }) => (error ? reject(error) : data !== undefined && resolve(data));
    });
    this.ready.catch(() => {});
  }

  hold(state: LiveState<unknown>): void {
    if (this.#closed) return;
    const seen = this.#told ?? this.#first;
    const next = state as LiveState<R>;
    // A state that was held and is not told is passed over.
    this.state = this.state === seen ? next : { ...next, changes: changesBetween(seen.data, next.data) };
    this.#before = seen;
  }

  tell(): void {
    if (this.#closed || this.#told === this.state) return;
    this.#told = this.state;
    this.#settle(this.state);
    this.#awaken();
    try {
      this.#next?.(this.state);
    } catch (error) {
      // The platform's to report: it must harm neither other callbacks nor the connection.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  readonly close = (): void => {
    if (this.#closed) return;
    this.#closed = true;
    this.#settle({ ...this.#first, error: this.#leave() });
    this.#awaken();
  };

  [Symbol.dispose](): void {
    this.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LiveState<R>, void> {
    try {
      for (let seen = this.#first; !this.#closed && !seen.error; ) {
        if (this.state === seen) await new Promise<void>((resolve) => this.#wake.push(resolve));
        else {
          const next = this.state;
          // Whoever takes their time passes over states; what changed is told from the one that they saw.
          yield this.#before === seen ? next : { ...next, changes: changesBetween(seen.data, next.data) };
          seen = next;
        }
      }
    } finally {
      this.close();
    }
  }

  #awaken(): void {
    for (let wake = this.#wake.shift(); wake; wake = this.#wake.shift()) wake();
  }
}
