import { setTimeout as wait } from "node:timers/promises";
import { GalleyError } from "#protocol/errors";
import type { Position } from "../../stores/document-store.ts";
import type { Identified } from "./identity.ts";

export interface RenewalOptions {
  /** Who it is now; at once where that is known. */
  readonly renew: () => Identified | Promise<Identified>;
  /** @param times that it was asked for, since a position; undefined: nobody knows since when */
  readonly renewed: (found: Identified, times: number, at: Position | undefined) => void;
  /** It is nobody any more, or nobody can tell. */
  readonly failed: (error: unknown) => void;
}

/** What fails for a moment is tried again, for about 30 s in all. */
const TRIES = { most: 35, firstDelay: 50, mostDelay: 1000 };

/**
 * Asks who a socket's principal is now, when something was written that may have changed it. While it is on, nothing may be
 * sent; what is answered is never older than the last time that it was asked for.
 */
export class Renewal {
  readonly #options: RenewalOptions;
  #running: Promise<void> | undefined;
  #times = 0;
  #at: Position | undefined;
  #asked = 0;
  /** Raised where what runs is of no use any more. */
  #turn = 0;

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  get isOn(): boolean {
    return this.#running !== undefined;
  }

  /** Resolves when it is off again, whatever came of it. */
  ask(at: Position | undefined): Promise<void> {
    if (this.#times++ === 0 || at === undefined) this.#at = at;
    this.#asked++;
    if (this.#running) return this.#running;
    const found = this.#renew();
    if (found instanceof Promise) {
      this.#running = this.#run(found);
      return this.#running;
    }
    this.#finish(found);
    return Promise.resolve();
  }

  /** Whoever it was asked for is not of interest any more. @returns how often it was asked for, and was not answered */
  cancel(): number {
    const times = this.#times;
    this.#turn++;
    this.#running = undefined;
    this.#times = 0;
    return times;
  }

  async #run(first: Promise<Identified>): Promise<void> {
    const turn = this.#turn;
    let asking: Identified | Promise<Identified> = first;
    let delay = TRIES.firstDelay;
    let asked = this.#asked;
    for (let tries = 1; ; ) {
      try {
        const found = await asking;
        if (turn !== this.#turn) return;
        if (asked === this.#asked) {
          this.#finish(found);
          return;
        }
      } catch (error) {
        if (turn !== this.#turn) return;
        if (++tries > TRIES.most || !isPassing(error)) {
          this.#fail(error);
          return;
        }
        await wait(delay, undefined, { ref: false });
        if (turn !== this.#turn) return;
        delay = Math.min(delay * 2, TRIES.mostDelay);
      }
      asked = this.#asked;
      asking = this.#renew();
    }
  }

  #renew(): Identified | Promise<Identified> {
    try {
      return this.#options.renew();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #finish(found: Identified): void {
    const times = this.#times;
    this.#running = undefined;
    this.#times = 0;
    this.#options.renewed(found, times, this.#at);
  }

  #fail(error: unknown): void {
    this.#running = undefined;
    this.#times = 0;
    this.#options.failed(error);
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof GalleyError && (error.code === "unavailable" || error.code === "timeout");
}
