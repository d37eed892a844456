/** Milliseconds between two looks at a socket; live-queries.md 10.5. */
const BEAT = 25_000;
/** Looks at a part of the sockets each second, so that thousands are not looked at in one turn. */
const PARTS = 25;

/** Something that is looked at now and then. */
export interface Beating {
  /** About every 25 s. */
  beat(): void;
}

/** One timer for all sockets. */
export interface Beats {
  add(one: Beating): void;
  remove(one: Beating): void;
  close(): void;
}

export function createBeats(milliseconds = BEAT): Beats {
  const parts = Array.from({ length: PARTS }, () => new Set<Beating>());
  const places = new Map<Beating, Set<Beating>>();
  let turn = 0;
  const timer = setInterval(() => {
    turn = (turn + 1) % PARTS;
    for (const one of [...(parts[turn] ?? [])]) one.beat();
  }, milliseconds / PARTS);
  // Sockets keep a process alive; this does not.
  timer.unref();

  return {
    add(one) {
      // The part that has just been looked at: its first beat comes after a whole round.
      const part = parts[turn] as Set<Beating>;
      part.add(one);
      places.set(one, part);
    },
    remove(one) {
      places.get(one)?.delete(one);
      places.delete(one);
    },
    close: () => clearInterval(timer),
  };
}
