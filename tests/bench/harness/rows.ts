/** Rows of the table, made from the figures of contestants. */
import { type ReportRow, rate } from "./report.ts";
import { type Figures, figuresOf } from "./rounds.ts";

/** One comparison of ours with a ceiling. */
export interface Comparison {
  readonly what: string;
  readonly ours: string;
  readonly ceiling: string;
  /** What is compared; requests per CPU-second of the server unless given. */
  readonly ratio?: (ours: Figures, ceiling: Figures) => number;
  readonly target: string;
  readonly met: (ours: Figures, ceiling: Figures, ratio: number) => boolean;
  readonly note?: string;
}

/** Nothing is asked of a figure but that every answer is right. */
export const TOLD = { target: "told", met: () => true } as const;

/** Requests per CPU-second, at least this much of the ceiling. */
export function atLeast(share: number) {
  const met = (_ours: Figures, _ceiling: Figures, ratio: number) => ratio >= share;
  return { target: `>= ${share.toFixed(2)}`, met };
}

/** The one-connection target of MongoDB reads: what Galley may add to the driver's own time. */
export function addsAtMost(milliseconds: number) {
  return {
    ratio: (ours: Figures, ceiling: Figures) => ours.p50 / ceiling.p50,
    target: `p50 <= ceiling + ${milliseconds} ms`,
    met: (ours: Figures, ceiling: Figures) => ours.p50 <= ceiling.p50 + milliseconds,
  };
}

export function compare(figures: ReadonlyMap<string, Figures>, comparison: Comparison): ReportRow {
  const ours = figuresOf(figures, comparison.ours);
  const ceiling = figuresOf(figures, comparison.ceiling);
  const ratio = comparison.ratio?.(ours, ceiling) ?? ours.perCpuSecond / ceiling.perCpuSecond;
  const notes = [comparison.note, databaseNote(ours, ceiling), `wrong ${ours.wrong + ceiling.wrong}`];
  return {
    what: comparison.what,
    ours: describe(ours),
    ceiling: `${comparison.ceiling} ${describe(ceiling)}`,
    ratio,
    spread: Math.max(ours.spread, ceiling.spread),
    target: comparison.target,
    met: comparison.met(ours, ceiling, ratio) && ours.wrong + ceiling.wrong === 0,
    note: notes.filter((note) => note !== undefined).join(", "),
    figures: { [comparison.ours]: flat(ours), [comparison.ceiling]: flat(ceiling) },
  };
}

export function describe({ perCpuSecond, p50, p99 }: Figures): string {
  return `${rate(perCpuSecond)}/CPU-s, p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`;
}

function databaseNote(ours: Figures, ceiling: Figures): string | undefined {
  if (ours.databaseMicroseconds === undefined || ceiling.databaseMicroseconds === undefined) return undefined;
  return `mongod ${ours.databaseMicroseconds.toFixed(0)} µs a request, ceiling's ${ceiling.databaseMicroseconds.toFixed(0)}`;
}

/** The figures as they are kept: numbers, rounded to what a measurement can tell. */
export function flat({ kinds, ...figures }: Figures): Record<string, number> {
  const all = Object.entries(figures);
  for (const [kind, latencies] of Object.entries(kinds))
    for (const [name, value] of Object.entries(latencies)) all.push([`${kind} ${name}`, value]);
  return Object.fromEntries(all.map(([name, value]) => [name, Number((value as number).toPrecision(4))]));
}
