/** How long a report serves this node, counted from when it was sent. */
const LEASE = 4000;

/**
 * The right of this node to serve: a report of its own, sent less than 4 s ago, has come back to it by its own tail. So it
 * has passed every commit before that report; and if its process stood still, its network is cut or its stream is, its
 * own clock, which never goes back, tells that it has not.
 */
export interface Lease {
  /** Notes that a report is sent. @returns its number */
  send(): number;
  /** The report with this number has come back. */
  came(sequence: number): void;
  held(): boolean;
  /** Milliseconds since it was seen that it is not held any more. */
  lostFor(): number;
  /** Milliseconds since the report was sent that came back last. */
  readonly age: number;
}

/** @param onChange told when the lease is lost, and when it is held again; not of the first one */
export function createLease(monotonic: () => number, onChange: (held: boolean) => void): Lease {
  /** When the reports were sent that have not come back. */
  const sent = new Map<number, number>();
  let sequence = 0;
  let from = Number.NEGATIVE_INFINITY;
  let told: boolean | undefined;
  let lostAt = 0;

  /** Also called before it begins anew, since nobody may have looked in between. */
  function note(): boolean {
    const now = monotonic();
    const held = now - from < LEASE;
    if (held !== told && (held || told !== undefined)) {
      if (!held) lostAt = now;
      if (told !== undefined) onChange(held);
      told = held;
    }
    return held;
  }

  return {
    send() {
      const now = monotonic();
      for (const [number, time] of sent) if (now - time >= LEASE) sent.delete(number);
      sequence += 1;
      sent.set(sequence, now);
      return sequence;
    },
    came(number) {
      const time = sent.get(number);
      if (time === undefined) return;
      for (const earlier of sent.keys()) if (earlier <= number) sent.delete(earlier);
      note();
      from = Math.max(from, time);
      note();
    },
    held: note,
    lostFor: () => monotonic() - lostAt,
    get age() {
      return monotonic() - from;
    },
  };
}
