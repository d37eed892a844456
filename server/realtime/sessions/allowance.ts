/** So many at once, and then so many each second. */
export class Allowance {
  readonly #burst: number;
  readonly #perMillisecond: number;
  #left: number;
  #at: number;

  /** @param now milliseconds of a clock that never goes back */
  constructor(burst: number, perSecond: number, now: number) {
    this.#burst = burst;
    this.#perMillisecond = perSecond / 1000;
    this.#left = burst;
    this.#at = now;
  }

  /** Whether there is one left; it is taken then. */
  take(now: number): boolean {
    this.#left = Math.min(this.#burst, this.#left + (now - this.#at) * this.#perMillisecond);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
