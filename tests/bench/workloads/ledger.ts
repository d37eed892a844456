import { integrityOf, killRounds } from "../../support/kill-rounds.ts";
import { chooseSeed } from "../../support/seeded.ts";
import { withFolder } from "../harness/folder.ts";
import type { Workload } from "../harness/report.ts";

/** F01 at length: 100 rounds of 1,000 concurrent writes, each cut by kill -9, compared with the store. */
export const ledger: Workload = {
  name: "ledger",
  covers: "F01, 100 kills",
  byNameOnly: true,
  run: ({ smoke }) =>
    withFolder(async (folder) => {
      const seed = chooseSeed();
      const { breaches, cutOff, writes, slowestStart } = await killRounds({ folder, rounds: smoke ? 1 : 100, seed });
      const integrity = integrityOf(folder);
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
