/** What a benchmark tells: rows of ours against a ceiling, with the target that benchmarks.md names. */

import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { ROOT } from "../../support/own-modules.ts";
import type { SharedMongod } from "./engines.ts";

export interface ReportRow {
  readonly what: string;
  readonly ours: string;
  readonly ceiling: string;
  /** Ours over the ceiling, or the figure itself where the target is absolute. */
  readonly ratio: number;
  readonly target: string;
  readonly met: boolean;
  readonly spread?: number;
  readonly note?: string;
  /** Kept with the results, too many for the table. */
  readonly figures?: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export interface BenchOptions {
  /** Each workload in a few seconds, to keep it working; its figures mean nothing. */
  readonly smoke: boolean;
  readonly mongod: SharedMongod;
}

export interface Workload {
  readonly name: string;
  /** Benchmarks and proofs by their numbers, as the rows' names begin; their order is the table's. */
  readonly covers: readonly string[];
  /** Long proofs run by name only. */
  readonly byNameOnly?: boolean;
  /** It judges nothing, so docs/performance.md leaves it out. */
  readonly unlisted?: boolean;
  run(options: BenchOptions): Promise<ReportRow[]>;
}

export function printTable(rows: readonly ReportRow[]): void {
  const header = ["workload", "ours", "ceiling", "ratio", "spread", "target", "met", "note"];
  const cells = rows.map((row) => [
    row.what,
    row.ours,
    row.ceiling,
    row.ratio.toFixed(2),
    row.spread === undefined ? "" : `${Math.round(row.spread * 100)} %`,
    row.target,
    row.met ? "yes" : "NO",
    row.note ?? "",
  ]);
  const widths = header.map((title, i) => Math.max(title.length, ...cells.map((line) => (line[i] as string).length)));
  for (const line of [header, ...cells])
    console.log(line.map((cell, i) => cell.padEnd(widths[i] as number)).join("  "));
}

/** What a workload's last run has left. */
export interface KeptResults {
  readonly node: string;
  readonly machine?: string;
  /** Of the machine when the run began and when it ended: how many wanted a core, the run itself among them. */
  readonly load?: { readonly before: number; readonly after: number };
  readonly at: string;
  readonly rows: readonly ReportRow[];
}

export function resultsFile(name: string): string {
  return join(ROOT, "tests/bench/results", `${name}.json`);
}

export function saveResults(name: string, rows: readonly ReportRow[], before: number): void {
  const file = resultsFile(name);
  mkdirSync(dirname(file), { recursive: true });
  const [cpu] = cpus();
  const machine = `${cpus().length} cores${cpu ? ` of ${cpu.model.trim()}` : ""}`;
  const load = { before, after: currentLoad() };
  const kept: KeptResults = { node: process.version, machine, load, at: new Date().toISOString(), rows };
  writeFileSync(file, `${JSON.stringify(kept, undefined, 2)}\n`);
}

/** How many wanted a core in the last minute. */
export function currentLoad(): number {
  return Number((loadavg()[0] ?? 0).toFixed(1));
}

/** 45231 as `45.2k`. */
export function rate(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(1)}M`;
  return perSecond >= 1000 ? `${(perSecond / 1000).toFixed(1)}k` : perSecond.toFixed(0);
}
