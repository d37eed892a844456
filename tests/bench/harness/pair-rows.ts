/** Promise T13: whether one of two kinds of request takes longer than the other, told by pairs that were sent one after the other. */
import { type Engine, onEachEngine } from "./engines.ts";
import { type Interval, medianInterval } from "./interval.ts";
import type { BenchOptions, ReportRow } from "./report.ts";
import { median } from "./rounds.ts";

/** Milliseconds. */
const BOUND = 1;
const LEAK = 3;

export interface Pairs {
  /** As in `T13 sign-in`. */
  readonly what: string;
  /** Milliseconds that the request which finds something took longer, pair by pair. */
  readonly differences: readonly number[];
  /** Milliseconds of every answer. */
  readonly times: readonly number[];
  readonly wrong: number;
}

interface PairSize {
  readonly pairs: number;
  /** Fewer find a planted leak already: it lies farther from the bound than the bound from 0. */
  readonly pairsWithLeak: number;
}

const FULL_SIZE: PairSize = { pairs: 2000, pairsWithLeak: 500 };
const SMOKE_SIZE: PairSize = { pairs: 6, pairsWithLeak: 6 };
/** Pairs before them, which warm up. */
const WARM_UP = 0.05;

/** How many pairs come first and are not counted. */
export function warmUpOf(pairs: number): number {
  return Math.ceil(pairs * WARM_UP);
}

/** @param on the engine */
export type RowOf = (pairs: Pairs, on: string) => ReportRow;

/** The pairs of a workload on each engine, and then once more with a leak planted, which they must find. */
export async function withAndWithoutLeak(
  { smoke, mongod }: BenchOptions,
  rowsOn: (engine: Engine, size: { pairs: number; leak: number }, row: RowOf) => Promise<ReportRow[]>,
): Promise<ReportRow[]> {
  const { pairs, pairsWithLeak } = smoke ? SMOKE_SIZE : FULL_SIZE;
  return [
    ...(await onEachEngine({ mongod }, (engine) => rowsOn(engine, { pairs, leak: 0 }, plainRow))),
    ...(await onEachEngine({ mongod }, (engine) => rowsOn(engine, { pairs: pairsWithLeak, leak: LEAK }, leakingRow))),
  ];
}

function plainRow({ what, differences, times, wrong }: Pairs, on: string): ReportRow {
  const interval = medianInterval(differences);
  const farthest = Math.max(Math.abs(interval.low), Math.abs(interval.high));
  return {
    what: `${what}, ${on}`,
    ours: described(interval),
    ceiling: "-",
    ratio: farthest,
    target: `within ±${BOUND} ms`,
    met: farthest <= BOUND && wrong === 0,
    note: noteOf(differences, times, wrong),
  };
}

function leakingRow({ what, differences, times, wrong }: Pairs, on: string): ReportRow {
  const interval = medianInterval(differences);
  return {
    what: `${what} with a leak of ${LEAK} ms, ${on}`,
    ours: described(interval),
    ceiling: "-",
    ratio: Math.max(0, interval.low),
    target: `found: above ${BOUND} ms`,
    met: interval.low > BOUND && wrong === 0,
    note: noteOf(differences, times, wrong),
  };
}

function noteOf(differences: readonly number[], times: readonly number[], wrong: number): string {
  return `${differences.length} pairs, an answer takes ${median(times).toFixed(1)} ms, wrong ${wrong}`;
}

function described({ median, low, high }: Interval): string {
  return `median ${signed(median)} ms, 95 % from ${signed(low)} to ${signed(high)} ms`;
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}
