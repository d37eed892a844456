import { setTimeout as delay } from "node:timers/promises";
import { withFolder } from "../harness/folder.ts";
import { residentBytes, serveGalley } from "../harness/process.ts";
import type { Workload } from "../harness/report.ts";
import { median } from "../harness/rounds.ts";

/** B15: from the start of the process to the first 200, and memory when nothing happens. */
export const footprint: Workload = {
  name: "footprint",
  covers: "B15",
  run: ({ smoke }) =>
    withFolder(async (folder) => {
      const starts: number[] = [];
      const memory: number[] = [];
      for (let round = 0; round < (smoke ? 1 : 6); round++) {
        const began = performance.now();
        const galley = await serveGalley(folder);
        const { status } = await fetch(`${galley.url}/v1/health`);
        if (status !== 200) throw new Error(`health answered ${status}`);
        // The first start makes the files and secrets; it is the warm-up.
        if (round > 0 || smoke) starts.push(performance.now() - began);
        await delay(smoke ? 100 : 3000);
        if (round > 0 || smoke) memory.push(residentBytes(galley.pid) / 2 ** 20);
        await galley.end("SIGTERM");
      }
      const start = median(starts);
      const idle = median(memory);
      return [
        {
          what: "B15 start to first 200",
          ours: `${start.toFixed(0)} ms`,
          ceiling: "-",
          ratio: start,
          target: "<= 400 ms",
          met: start <= 400,
          spread: (Math.max(...starts) - Math.min(...starts)) / start,
        },
        {
          what: "B15 idle memory",
          ours: `${idle.toFixed(0)} MiB`,
          ceiling: "-",
          ratio: idle,
          target: "<= 90 MiB",
          met: idle <= 90,
        },
      ];
    }),
};
