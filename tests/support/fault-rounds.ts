/** The fault driver (promises.md T7): rounds of writes, each broken by a fault of a seeded schedule, held against the store. */
import { Ledger, sendTo } from "./ledger.ts";
import { pick, type Random, seeded } from "./seeded.ts";
import { PROCESS_KEY } from "./server-process.ts";
import { until } from "./until.ts";
import { startWriters } from "./writers.ts";

/** Something that goes wrong. Does it at once; resolves to what mends it, called when the writers have gone on for a while. */
export type Fault = (random: Random) => Promise<() => Promise<void>>;

export interface Rounds {
  /** Where Galley is now. */
  readonly url: () => string;
  /** By the name that the report tells. */
  readonly faults: Readonly<Record<string, Fault>>;
  readonly rounds: number;
  readonly seed: number;
  readonly writers?: number;
  /** Begins the names of the rounds' collections, where other rounds run on the same database; `ledger` if left out. */
  readonly name?: string;
}

export interface RoundsReport {
  /** What does not agree with the store, in words, with its round. */
  readonly breaches: readonly string[];
  /** What befell each round. */
  readonly schedule: readonly string[];
  readonly writes: number;
  /** Writes that the faults refused, and those whose end they left unknown before they were resolved. */
  readonly refused: number;
  readonly unknown: number;
  /** Milliseconds of the slowest answer, and of the slowest way back to a confirmed write. */
  readonly slowestAnswer: number;
  readonly slowestRecovery: number;
}

/** Confirmed writes before a fault, and answers of any kind before it is mended, at most. */
const WRITES = 60;

export async function faultRounds({
  url,
  faults,
  rounds,
  seed,
  writers = 5,
  name: prefix = "ledger",
}: Rounds): Promise<RoundsReport> {
  const random = seeded(seed);
  const send = sendTo(url, PROCESS_KEY);
  const breaches: string[] = [];
  const schedule: string[] = [];
  const sums = { writes: 0, refused: 0, unknown: 0, slowestAnswer: 0, slowestRecovery: 0 };
  for (let round = 0; round < rounds; round++) {
    const ledger = new Ledger(`${prefix}-${round}`, send);
    const before = Math.floor(random() * WRITES);
    const during = Math.floor(random() * WRITES);
    const name = pick(random, Object.keys(faults));
    schedule.push(`${before} ${name} ${during}`);
    const load = startWriters(ledger, `r${round}`, writers, seed + round);
    await until(() => ledger.ends.applied >= before, 60, `round ${round}: a write before "${name}"`);
    const mend = await (faults[name] as Fault)(random);
    const answered = sum(ledger.ends) + during;
    await until(() => sum(ledger.ends) >= answered, 60, `round ${round}: an answer during "${name}"`);
    await mend();
    const mended = performance.now();
    const applied = ledger.ends.applied;
    await until(() => ledger.ends.applied > applied, 60, `round ${round}: a write after "${name}"`);
    sums.slowestRecovery = Math.max(sums.slowestRecovery, performance.now() - mended);
    await load.stop();
    sums.writes += sum(ledger.ends);
    sums.refused += ledger.ends.not_applied;
    sums.unknown += ledger.ends.unknown;
    sums.slowestAnswer = Math.max(sums.slowestAnswer, ledger.slowest);
    await ledger.settle();
    for (const breach of await ledger.breaches()) breaches.push(`round ${round} (${schedule[round]}): ${breach}`);
  }
  return { breaches, schedule, ...sums };
}

function sum(ends: Readonly<Record<string, number>>): number {
  return Object.values(ends).reduce((total, count) => total + count, 0);
}

/** A report in one line, for a test's comment. */
export function describeRounds(seed: number, report: RoundsReport): string {
  const { writes, refused, unknown, slowestAnswer, slowestRecovery, schedule } = report;
  const times = `slowest answer ${slowestAnswer.toFixed(0)} ms, slowest recovery ${slowestRecovery.toFixed(0)} ms`;
  return `seed ${seed}: ${writes} writes, ${refused} refused, ${unknown} unknown; ${times}; ${schedule.join(", ")}`;
}
