import type { LiveState } from "../types/live.ts";

/** Who is told states. */
export interface Taker {
  /** Nobody is told yet: all results hold a commit before anyone looks at it. */
  hold(state: LiveState<unknown>): void;
  /** Makes its own states of those that it holds. @param told those who will be told in this turn */
  combine?(told: Set<Taker>): void;
  tell(): void;
}

/** What has states to tell. */
export interface Told {
  readonly takers: ReadonlySet<Taker>;
  /** Undefined: as it was told last. */
  next(): LiveState<unknown> | undefined;
}

/** A quarter of a frame of a screen, in milliseconds. */
const DEAR = 4;

/** Tells what has changed, once a turn: all hold the new position before any callback runs. */
export interface Teller {
  mark(told: Told): void;
  /** It combines what it holds, though nothing of that has changed. */
  wake(taker: Taker): void;
  /** Tells it now. */
  flush(): void;
}

export function createTeller(): Teller {
  const dirty = new Set<Told>();
  const awake = new Set<Taker>();
  /** Milliseconds that the states of the last flush took to work out. */
  let cost = 0;

  function flush(): void {
    const began = performance.now();
    const told = new Set<Taker>(awake);
    for (const one of dirty) {
      const state = one.next();
      if (!state) continue;
      for (const taker of one.takers) {
        taker.hold(state);
        told.add(taker);
      }
    }
    dirty.clear();
    awake.clear();
    // Whoever it adds is reached by this loop too.
    for (const taker of told) taker.combine?.(told);
    cost = performance.now() - began;
    for (const taker of told) taker.tell();
  }

  const soon = (): void => {
    if (dirty.size + awake.size > 0) return;
    // Thousands of writes on their way make a state dear, and each answer makes another: then some are passed over.
    if (cost < DEAR) queueMicrotask(flush);
    else setTimeout(flush, cost);
  };
  return {
    flush,
    mark(told) {
      soon();
      dirty.add(told);
    },
    wake(taker) {
      soon();
      awake.add(taker);
    },
  };
}
