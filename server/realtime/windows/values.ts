/** Computed at once; others wait. */
const AT_ONCE = 4;

/** A value that can be computed again. */
export interface Computed {
  /** Settles, and never rejects. */
  compute(): Promise<void>;
}

export interface ValuesOptions {
  /** Milliseconds between two computations of one value, and of all. */
  readonly spacing: number;
  readonly interval: number;
}

/** Stale values of a node: computed again oldest first, none too often, and not too many in a second. */
export class Values {
  readonly #options: ValuesOptions;
  /** In the order in which they became stale. */
  readonly #stale = new Set<Computed>();
  readonly #running = new Set<Computed>();
  /** When each was computed last; only of those that may not be computed yet. */
  readonly #last = new WeakMap<Computed, number>();
  #timer: NodeJS.Timeout | undefined;
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
    this.#stale.add(value);
    this.#arm();
  }

  forget(value: Computed): void {
    this.#stale.delete(value);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stale.clear();
  }

  #arm(): void {
    if (this.#timer || this.#stale.size === 0 || this.#running.size >= AT_ONCE) return;
    let soonest = Number.POSITIVE_INFINITY;
    for (const value of this.#stale) {
      soonest = Math.min(soonest, this.#due(value));
      if (soonest <= this.#next) break;
    }
    if (soonest === Number.POSITIVE_INFINITY) return;
    const wait = Math.max(0, Math.max(soonest, this.#next) - performance.now());
    this.#timer = setTimeout(() => this.#run(), wait).unref();
  }

  /** Infinity while it is computed: what it was stale for may be in that already, or not. */
  #due(value: Computed): number {
    if (this.#running.has(value)) return Number.POSITIVE_INFINITY;
    return (this.#last.get(value) ?? 0) + this.#options.spacing;
  }

  #run(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const value of this.#stale) {
      if (this.#due(value) > now) continue;
      this.#stale.delete(value);
      this.#running.add(value);
      this.#last.set(value, now);
      this.#next = now + this.#options.interval;
      this.#computed++;
      void value.compute().finally(() => {
        this.#running.delete(value);
        this.#arm();
      });
      break;
    }
    this.#arm();
  }
}
