/** What a benchmark tells: rows of ours against a ceiling, with the target that benchmarks.md names. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

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
}

export interface BenchOptions {
  /** Each workload in a few seconds, to keep it working; its figures mean nothing. */
  readonly smoke: boolean;
}

export interface Workload {
  readonly name: string;
  readonly covers: string;
  /** Long proofs run by name only. */
  readonly byNameOnly?: boolean;
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

export function saveResults(name: string, rows: readonly ReportRow[]): void {
  const folder = join(import.meta.dirname, "..", "results");
  mkdirSync(folder, { recursive: true });
  const about = { node: process.version, at: new Date().toISOString() };
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify({ ...about, rows }, undefined, 2)}\n`);
}

/** 45231 as `45.2k`. */
export function rate(perSecond: number): string {
  return perSecond >= 1000 ? `${(perSecond / 1000).toFixed(1)}k` : perSecond.toFixed(0);
}
