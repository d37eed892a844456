import { Running } from "./running.ts";
import { Turns } from "./turns.ts";

/** Computed at once; others wait. */
const AT_ONCE = 4;

/** A value that can be computed again. */
export interface Computed {
  /** Who waits for it. */
  readonly askers: Iterable<string>;
  /** Settles, and never rejects. */
  compute(): Promise<void>;
}

export interface ValuesOptions {
  /** Milliseconds between two computations of one value, and of all. */
  readonly spacing: number;
  readonly interval: number;
}

/** Stale values of a node: computed again for each asker in turn, oldest first, none too often, and not too many in a second. */
export class Values {
  readonly #options: ValuesOptions;
  readonly #stale = new Turns<Computed>();
  readonly #running = new Running(AT_ONCE);
  readonly #computing = new Set<Computed>();
  /** When each was computed last; only of those that may not be computed yet. */
  readonly #last = new WeakMap<Computed, number>();
  #timer: NodeJS.Timeout | undefined;
  /** When it goes off. */
  #wakes = 0;
  #next = 0;
  #computed = 0;

  constructor(options: ValuesOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#stale.size;
  }

  get computed(): number {
    return this.#computed;
  }

  /** It has become stale. */
  want(value: Computed): void {
    if (this.#stale.has(value)) return;
    for (const asker of value.askers) this.#stale.add(value, asker);
    this.#wakeFor(value);
  }

  /** Somebody else waits for it, if it is stale. */
  also(value: Computed, asker: string): void {
    if (!this.#stale.has(value)) return;
    this.#stale.add(value, asker);
    this.#wakeFor(value);
  }

  forget(value: Computed): void {
    this.#stale.delete(value);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stale.clear();
  }

  #wakeFor(value: Computed): void {
    if (this.#timer && Math.max(this.#due(value), this.#next) < this.#wakes) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    this.#arm();
  }

  #arm(): void {
    if (this.#timer || this.#running.isFull) return;
    let soonest = Number.POSITIVE_INFINITY;
    for (const value of this.#stale.open(this.#serves)) {
      soonest = Math.min(soonest, this.#due(value));
      if (soonest <= this.#next) break;
    }
    if (soonest === Number.POSITIVE_INFINITY) return;
    this.#wakes = Math.max(soonest, this.#next);
    this.#timer = setTimeout(() => this.#run(), Math.max(0, this.#wakes - performance.now())).unref();
  }

  readonly #serves = (asker: string): boolean => this.#running.hasRoom(asker);

  /** Infinity while it is computed: what it was stale for may be in that already, or not. */
  #due(value: Computed): number {
    if (this.#computing.has(value)) return Number.POSITIVE_INFINITY;
    return (this.#last.get(value) ?? 0) + this.#options.spacing;
  }

  #run(): void {
    this.#timer = undefined;
    const now = performance.now();
    const next = this.#stale.take({ serves: this.#serves, takes: (value) => this.#due(value) <= now });
    if (next) {
      const { work: value, asker } = next;
      this.#computing.add(value);
      this.#last.set(value, now);
      this.#next = now + this.#options.interval;
      this.#computed++;
      void this.#running
        .run(asker, () => value.compute())
        .finally(() => {
          this.#computing.delete(value);
          this.#arm();
        });
    }
    this.#arm();
  }
}
