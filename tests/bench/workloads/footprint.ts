import { setTimeout as delay } from "node:timers/promises";
import { startGalley } from "../../support/server-process.ts";
import { type Engine, onEachEngine } from "../harness/engines.ts";
import { residentBytes, whenReady } from "../harness/process.ts";
import type { ReportRow, Workload } from "../harness/report.ts";
import { median } from "../harness/rounds.ts";

/** B15: from the start of the process to the first 200 of a store that answers, and memory when nothing happens. */
export const footprint: Workload = {
  name: "footprint",
  covers: ["B15"],
  run: (options) => onEachEngine(options, (engine) => footprintOn(engine, options.smoke)),
};

const MOST_MILLISECONDS = 400;
const MOST_MEBIBYTES = { sqlite: 90, mongodb: 130 } as const;

async function footprintOn({ name, folder, env }: Engine, smoke: boolean): Promise<ReportRow[]> {
  const starts: number[] = [];
  const memory: number[] = [];
  for (let round = 0; round < (smoke ? 1 : 6); round++) {
    const began = performance.now();
    const galley = await startGalley(folder, env);
    try {
      await whenReady(galley);
      // The first start makes the files and secrets; it is the warm-up.
      if (round > 0 || smoke) starts.push(performance.now() - began);
      await delay(smoke ? 50 : 3000);
      if (round > 0 || smoke) memory.push(residentBytes(galley.pid) / 2 ** 20);
    } finally {
      await galley.end("SIGTERM");
    }
  }
  const on = name === "sqlite" ? "SQLite" : "MongoDB";
  return [
    row(`B15 start to first 200 on ${on}`, starts, "ms", MOST_MILLISECONDS),
    row(`B15 idle memory on ${on}`, memory, "MiB", MOST_MEBIBYTES[name]),
  ];
}

function row(what: string, values: readonly number[], unit: string, most: number): ReportRow {
  const value = median(values);
  return {
    what,
    ours: `${value.toFixed(0)} ${unit}`,
    ceiling: "-",
    ratio: value,
    target: `<= ${most} ${unit}`,
    met: value <= most,
    spread: (Math.max(...values) - Math.min(...values)) / value,
  };
}
