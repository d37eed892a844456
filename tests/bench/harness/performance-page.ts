/** The figures of docs/performance.md, which stand there exactly as the last runs kept them. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../support/own-modules.ts";
import { type KeptResults, type ReportRow, resultsFile, type Workload } from "./report.ts";

export const PAGE = join(ROOT, "docs/performance.md");
const BEGIN = "<!-- Written by `npm run bench`; changes by hand are lost. -->";
const END = "<!-- End of what is written. -->";

/** The page with its tables made anew from tests/bench/results. @throws Error if the page does not mark their place */
export function withTables(page: string, workloads: readonly Workload[]): string {
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined)
    throw new Error(`expects ${BEGIN} and ${END} in docs/performance.md`);
  const listed = workloads.filter(({ unlisted }) => !unlisted);
  const sections = listed.map((workload) => section(workload, readResults(workload.name)));
  return `${before}${BEGIN}\n\n${sections.join("\n")}\n${END}${after}`;
}

export function writePerformancePage(workloads: readonly Workload[]): void {
  writeFileSync(PAGE, withTables(readFileSync(PAGE, "utf8"), workloads));
}

function readResults(name: string): KeptResults | undefined {
  const file = resultsFile(name);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as KeptResults) : undefined;
}

function section({ name, covers }: Workload, kept: KeptResults | undefined): string {
  const lines = covers.flatMap((number) => {
    const rows = kept?.rows.filter(({ what }) => what.startsWith(number) && !/^\d/.test(what.slice(number.length)));
    return rows?.length ? rows.map(line) : [`| ${number} | not measured yet | | | | | | |`];
  });
  const load = kept?.load && `, load ${kept.load.before} before it and ${kept.load.after} after it`;
  const machine = `${kept?.machine ?? "machine unknown"}${load ?? ""}`;
  const when = kept ? `${kept.at.slice(0, 10)}, Node ${kept.node.slice(1)}, ${machine}.` : "";
  return [
    `### ${name}\n`,
    ...(when ? [`${when}\n`] : []),
    "| | ours | ceiling | ratio | spread | target | met | |",
    "|---|---|---|---|---|---|---|---|",
    ...lines,
    "",
  ].join("\n");
}

function line({ what, ours, ceiling, ratio, spread, target, met, note }: ReportRow): string {
  const cells = [
    what,
    ours,
    ceiling,
    ratio.toFixed(2),
    spread === undefined ? "" : `${Math.round(spread * 100)} %`,
    target,
    met ? "yes" : "**no**",
    note ?? "",
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
