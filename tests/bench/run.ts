/**
 * `npm run bench [-- names…] [--smoke]`: measures, prints one table, keeps the figures in tests/bench/results and writes
 * them into docs/performance.md.
 */
import { createSharedMongod } from "./harness/engines.ts";
import { leaveWithoutCleanUp } from "./harness/leave.ts";
import { writePerformancePage } from "./harness/performance-page.ts";
import { currentLoad, printTable, type ReportRow, saveResults } from "./harness/report.ts";
import { WORKLOADS } from "./workloads.ts";

leaveWithoutCleanUp();
const names = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const smoke = process.argv.includes("--smoke");
const unknown = names.filter((name) => !WORKLOADS.some((w) => w.name === name));
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(", ")}; there are ${WORKLOADS.map((w) => w.name).join(", ")}`);
  process.exit(2);
}
const chosen = WORKLOADS.filter((w) => (names.length === 0 ? !w.byNameOnly : names.includes(w.name)));
const mongod = createSharedMongod();
const all: ReportRow[] = [];
try {
  for (const workload of chosen) {
    const began = performance.now();
    const load = currentLoad();
    console.log(`${workload.name} (${workload.covers.join(", ")}) …`);
    const rows = await workload.run({ smoke, mongod });
    console.log(`  took ${((performance.now() - began) / 1000).toFixed(0)} s`);
    if (!smoke) saveResults(workload.name, rows, load);
    all.push(...rows);
  }
} catch (error) {
  // Node would leave before it tells what was not caught: see leave.ts.
  console.error(error);
  process.exitCode = 1;
} finally {
  await mongod.close();
}
if (!smoke) writePerformancePage(WORKLOADS);
printTable(all);
