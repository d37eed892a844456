/** How long a report serves this node, counted from when it was sent. */
const LEASE = 4000;

/**
 * The right of this node to serve: a report of its own, sent less than 4 s ago, has come back to it by its own tail. So it
 * has passed every commit before that report; and if its process stood still, its network is cut or its stream is, its
 * own clock tells that it has not.
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

/** A wall clock that is ahead of the other by so much, since it was looked at last, has not merely ticked. */
const SUSPENDED = 500;

/**
 * Milliseconds of a clock that never goes back, and runs on while the machine is suspended: then only the wall clock does.
 * That one may be set, too; setting it forward costs no more than a lease.
 */
export function leaseClock(monotonic = () => performance.now(), wall = () => Date.now()): () => number {
  let last = monotonic();
  let lastWall = wall();
  let now = 0;
  // Every request asks: nothing is made here.
  return () => {
    const next = monotonic();
    const nextWall = wall();
    const run = next - last;
    const told = nextWall - lastWall;
    now += told > run + SUSPENDED ? told : run;
    last = next;
    lastWall = nextWall;
    return now;
  };
}

/** @param onChange told when the lease is lost, and when it is held again; not of the first one */
export function createLease(clock: () => number, onChange: (held: boolean) => void): Lease {
  /** When the reports were sent that have not come back. */
  const sent = new Map<number, number>();
  let sequence = 0;
  let from = Number.NEGATIVE_INFINITY;
  let told: boolean | undefined;
  let lostAt = 0;

  /** Also called before it begins anew, since nobody may have looked in between. */
  function note(): boolean {
    const now = clock();
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
      const now = clock();
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
    lostFor: () => clock() - lostAt,
    get age() {
      return clock() - from;
    },
  };
}
