/** Something that is looked at once a round, and that waits for something now and then. */
export interface Turning {
  /** Once a round. */
  beat(): void;
}

/**
 * One timer for all sockets: each second it looks at a part of them, and at what was to be done by then. A socket costs no
 * timer of its own, and thousands are not looked at in one turn.
 */
export interface Wheel {
  add(one: Turning): void;
  remove(one: Turning): void;
  /** Does something so many seconds from now, or up to one later. @returns forgets it */
  after(seconds: number, then: () => void): () => void;
  /** Does something once a second. */
  each(then: () => void): void;
  close(): void;
}

/** Calls back each second until the function that it returns is called. */
export type EverySecond = (then: () => void) => () => void;

/** @param round seconds until everything was looked at once */
export function createWheel(round: number, everySecond: EverySecond = onTimer): Wheel {
  const parts = Array.from({ length: round }, () => new Set<Turning>());
  const places = new Map<Turning, Set<Turning>>();
  const due = new Map<number, Set<() => void>>();
  const always: (() => void)[] = [];
  let second = 0;

  const stop = everySecond(() => {
    second++;
    const now = due.get(second);
    due.delete(second);
    for (const then of now ?? []) then();
    for (const then of always) then();
    for (const one of [...partAt(second)]) one.beat();
  });

  function partAt(when: number): Set<Turning> {
    return parts[when % round] as Set<Turning>;
  }

  return {
    add(one) {
      // The part that was looked at last: its first beat comes after a whole round.
      const part = partAt(second);
      part.add(one);
      places.set(one, part);
    },
    remove(one) {
      places.get(one)?.delete(one);
      places.delete(one);
    },
    after(seconds, then) {
      // The second that runs has begun some time ago.
      const when = second + Math.max(1, Math.ceil(seconds)) + 1;
      const set = due.get(when) ?? new Set();
      due.set(when, set.add(then));
      return () => void set.delete(then);
    },
    each: (then) => void always.push(then),
    close: stop,
  };
}

function onTimer(then: () => void): () => void {
  const timer = setInterval(then, 1000);
  // Sockets keep a process alive; this does not.
  timer.unref();
  return () => clearInterval(timer);
}
