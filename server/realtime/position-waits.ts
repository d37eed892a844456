import type { Position } from "../stores/document-store.ts";

/** How often is looked, where no commit brings the position. */
const LOOK_MILLISECONDS = 20;

interface Wait {
  readonly position: Position;
  readonly limit: NodeJS.Timeout;
  readonly resolve: (reached: boolean) => void;
}

/** Those who wait until the tail has reached a position. What clients name may lie anywhere, so a wait costs next to nothing. */
export class PositionWaits {
  readonly #now: () => Position;
  readonly #waiting = new Set<Wait>();
  /** The lowest that is waited for: below it nobody need be looked at. */
  #lowest: Position | undefined;
  #looking: NodeJS.Timeout | undefined;

  /** @param now where the tail stands */
  constructor(now: () => Position) {
    this.#now = now;
  }

  /** Resolves to whether it is reached within that many milliseconds. One of another history is taken as reached. */
  wait(position: Position, milliseconds: number): Promise<boolean> {
    if (this.#isReached(position)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const limit = setTimeout(() => this.#end(wait, false), milliseconds).unref();
      const wait: Wait = { position, limit, resolve };
      this.#waiting.add(wait);
      if (this.#lowest === undefined || position < this.#lowest) this.#lowest = position;
      // No commit need follow: the store may learn that nothing more happened up to there.
      this.#looking ??= setInterval(() => this.look(), LOOK_MILLISECONDS).unref();
    });
  }

  /** The tail may have moved. */
  look(): void {
    if (this.#lowest === undefined || !this.#isReached(this.#lowest)) return;
    for (const wait of this.#waiting) if (this.#isReached(wait.position)) this.#end(wait, true);
    this.#lowest = undefined;
    for (const { position } of this.#waiting) {
      if (this.#lowest === undefined || position < this.#lowest) this.#lowest = position;
    }
  }

  /** Nothing will be reached any more. */
  close(): void {
    for (const wait of this.#waiting) this.#end(wait, false);
  }

  #isReached(position: Position): boolean {
    const now = this.#now();
    return historyOf(position) !== historyOf(now) || position <= now;
  }

  #end(wait: Wait, reached: boolean): void {
    clearTimeout(wait.limit);
    this.#waiting.delete(wait);
    wait.resolve(reached);
    if (this.#waiting.size > 0) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
    this.#lowest = undefined;
  }
}

function historyOf(position: Position): string {
  return position.slice(0, position.lastIndexOf("."));
}
