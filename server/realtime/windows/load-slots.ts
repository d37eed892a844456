import { Running } from "./running.ts";
import { Turns } from "./turns.ts";

/** A piece of work that waits, or runs. */
export interface Place {
  /** Somebody else waits for it too: it is done at the turn that comes first. */
  also(asker: string): void;
  /** Forgets it, if it has not begun. */
  leave(): void;
}

interface Work {
  readonly run: () => Promise<void>;
}

/** Work of which only so much runs at once: of each asker in turn, first come, first served. */
export class LoadSlots {
  readonly #waiting = new Turns<Work>();
  readonly #running: Running;

  constructor(most: number) {
    this.#running = new Running(most);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Runs it as soon as there is room, not before the caller is done.
   * @param run settles, and never rejects
   */
  enter(run: () => Promise<void>, asker: string): Place {
    const work = { run };
    this.#waiting.add(work, asker);
    queueMicrotask(() => this.#next());
    return {
      also: (other) => {
        if (!this.#waiting.has(work)) return;
        this.#waiting.add(work, other);
        queueMicrotask(() => this.#next());
      },
      leave: () => this.#waiting.delete(work),
    };
  }

  #next(): void {
    while (!this.#running.isFull) {
      const next = this.#waiting.take({ serves: (asker) => this.#running.hasRoom(asker) });
      if (!next) return;
      void this.#running.run(next.asker, next.work.run).finally(() => this.#next());
    }
  }
}
