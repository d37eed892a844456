/** How often something may happen: that many times at once, and then as fast as they come back, all in that time. */
export interface Rate {
  readonly times: number;
  readonly seconds: number;
}

const MOST_KEYS = 100_000;
/** Milliseconds by which arithmetic may be wrong. */
const ROUNDING = 1e-3;

/**
 * Token buckets by key, in memory. A bucket is one number: the time at which it will be full again, which says how much of
 * it is gone (the generic cell rate algorithm, ITU-T I.371).
 *
 * Of too many keys some are forgotten, and whoever is forgotten has a full bucket. So that nobody empties a bucket and then
 * has it forgotten by making up keys, those less than half gone go first, longest idle first: to have one forgotten that is
 * more than half gone takes as many others that are, each of which costs half a bucket of tries. Who has so many
 * addresses has no need of it.
 */
export class RateTable {
  readonly #most: number;
  /** When a bucket is full again, in epoch milliseconds. */
  readonly #fuller = new IdleFirst();
  readonly #emptier = new IdleFirst();

  constructor(most = MOST_KEYS) {
    this.#most = most;
  }

  /** Buckets held. */
  get size(): number {
    return this.#fuller.size + this.#emptier.size;
  }

  /**
   * Milliseconds until it may happen again; 0: now.
   * @param together how often at once
   */
  wait(key: string, { times, seconds }: Rate, now: number, together = 1): number {
    const whole = seconds * 1000;
    const wait = this.#gone(key, whole, now) + (together * whole) / times - whole;
    return wait > ROUNDING ? wait : 0;
  }

  /**
   * Counts that it happened. What happened although it should not, as failures of requests that ran side by side, has to be
   * waited for as well.
   */
  count(key: string, { times, seconds }: Rate, now: number, together = 1): void {
    const whole = seconds * 1000;
    const gone = Math.min(this.#gone(key, whole, now) + (together * whole) / times, 2 * whole);
    const [into, outOf] = gone > whole / 2 ? [this.#emptier, this.#fuller] : [this.#fuller, this.#emptier];
    outOf.delete(key);
    into.use(key, now + gone);
    if (this.size > this.#most) this.#forgetOne();
  }

  /** What is missing from a bucket, in the milliseconds until it is back. */
  #gone(key: string, whole: number, now: number): number {
    const gone = (this.#fuller.get(key) ?? this.#emptier.get(key) ?? now) - now;
    // More than ever goes: the clock was set back, and who knows by how much.
    return gone > 2 * whole ? 0 : Math.max(0, gone);
  }

  #forgetOne(): void {
    // The one that has just been counted stays, so that a newcomer's bucket can empty at all.
    if (this.#fuller.size > 1 || this.#emptier.size === 0) this.#fuller.forgetOne();
    else this.#emptier.forgetOne();
  }
}

/** A map in the order of last use, which forgets what was used longest ago. */
class IdleFirst extends Map<string, number> {
  /** Goes on where it stopped: each time from the start it would pass by all that were deleted. */
  #idle = this.keys();

  use(key: string, value: number): void {
    this.delete(key);
    this.set(key, value);
  }

  forgetOne(): void {
    let next = this.#idle.next();
    if (next.done) {
      this.#idle = this.keys();
      next = this.#idle.next();
    }
    if (!next.done) this.delete(next.value);
  }
}
