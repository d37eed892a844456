/** `npm run bench [-- names…] [--smoke]`: measures, prints one table, keeps the figures in tests/bench/results. */
import { printTable, type ReportRow, saveResults } from "./harness/report.ts";
import { WORKLOADS } from "./workloads.ts";

const names = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const smoke = process.argv.includes("--smoke");
const unknown = names.filter((name) => !WORKLOADS.some((w) => w.name === name));
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(", ")}; there are ${WORKLOADS.map((w) => w.name).join(", ")}`);
  process.exit(2);
}
const chosen = WORKLOADS.filter((w) => (names.length === 0 ? !w.byNameOnly : names.includes(w.name)));
const all: ReportRow[] = [];
for (const workload of chosen) {
  console.log(`${workload.name} (${workload.covers}) …`);
  const rows = await workload.run({ smoke });
  if (!smoke) saveResults(workload.name, rows);
  all.push(...rows);
}
printTable(all);
