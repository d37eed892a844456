import { killRounds } from "../../support/kill-rounds.ts";
import { withFolder } from "../harness/folder.ts";
import type { Workload } from "../harness/report.ts";

/** F01 at length: 100 rounds of 1,000 concurrent writes, each cut by kill -9, compared with the store. */
export const ledger: Workload = {
  name: "ledger",
  covers: "F01, 100 kills",
  byNameOnly: true,
  run: ({ smoke }) =>
    withFolder(async (folder) => {
      const seed = Number(process.env.GALLEY_TEST_SEED ?? Date.now() % 100_000);
      const { breaches, cutOff, writes, slowestStart, integrity } = await killRounds(folder, smoke ? 1 : 100, seed);
      for (const breach of breaches) console.error(breach);
      return [
        {
          what: "F01 kill -9 under load",
          ours: `${writes} writes, ${cutOff} cut off, slowest start ${slowestStart.toFixed(0)} ms`,
          ceiling: "-",
          ratio: breaches.length,
          target: "0 breaches",
          met: breaches.length === 0 && integrity === "ok",
          note: `seed ${seed}, integrity ${String(integrity)}`,
        },
      ];
    }),
};
