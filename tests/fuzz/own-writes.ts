import { type Report, runSession } from "../support/own-writes/session.ts";

export interface OwnWritesOptions {
  /** How many sessions to play: writes of a client and of others, answers, refusals, frames and drops, in a random order. */
  readonly cases: number;
  /** Of the first session; each further one has the next number. */
  readonly seed: number;
  /** Told from time to time: how many were played so far. */
  readonly progress: (played: number) => void;
}

/** Sessions at once: each mostly waits for a turn of the event loop. */
const AT_ONCE = 24;

/**
 * Plays sessions of one client (tests/support/own-writes) until what its live results show of its own writes breaks a law.
 *
 * @returns the first faults, with their seeds; nothing if there are none
 */
export async function fuzzOwnWrites({ cases, seed, progress }: OwnWritesOptions): Promise<string | undefined> {
  const report: Report = { events: 0, states: 0, faults: [] };
  const { random } = Math;
  // Full jitter may also be none: the waits between tries are not what is tested here.
  Math.random = () => 0;
  let next = 0;
  const playEach = async (): Promise<void> => {
    while (next < cases && report.faults.length === 0) {
      await runSession(seed + next++, report);
      progress(next);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, playEach));
  Math.random = random;
  console.log(`${report.events} events, ${report.states} states judged`);
  return report.faults.length === 0 ? undefined : report.faults.slice(0, 5).join("\n");
}
