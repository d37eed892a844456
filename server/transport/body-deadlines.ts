/** A body that is on its way. */
export interface AwaitedBody {
  /** It has arrived, or nobody waits for it any more. */
  end(): void;
}

/**
 * Requests whose bodies have to arrive in time. One timer looks at the oldest of them: a timer for each would cost a small
 * request as much as finding its route.
 */
export class BodyDeadlines {
  readonly #milliseconds: number;
  /** The oldest first, since all have the same time. */
  readonly #waiting = new Set<{ readonly due: number; readonly late: () => void }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
  }

  /** @param late is called if the body has not arrived by then */
  begin(late: () => void): AwaitedBody {
    const entry = { due: performance.now() + this.#milliseconds, late };
    this.#waiting.add(entry);
    if (!this.#timer) this.#lookIn(this.#milliseconds);
    return { end: () => void this.#waiting.delete(entry) };
  }

  #lookIn(milliseconds: number): void {
    // What it waits for holds a socket, and that keeps the process alive.
    this.#timer = setTimeout(() => this.#look(), milliseconds).unref();
  }

  #look(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const entry of this.#waiting) {
      if (entry.due > now) {
        this.#lookIn(Math.ceil(entry.due - now));
        return;
      }
      this.#waiting.delete(entry);
      entry.late();
    }
  }
}
