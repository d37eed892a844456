import { SQLITE } from "../../support/engines.ts";
import { chooseSeed } from "../../support/seeded.ts";
import { openTwoWorlds } from "../../support/two-worlds.ts";
import type { ReportRow, Workload } from "../harness/report.ts";

const SESSIONS = 2000;
const SMOKE_SESSIONS = 5;

/** Promise P15 at length (promises.md T2, T3): what is hidden changes no answer, and shows in none. */
export const twoWorlds: Workload = {
  name: "two-worlds",
  covers: ["T2"],
  byNameOnly: true,
  async run({ smoke }): Promise<ReportRow[]> {
    const seed = chooseSeed();
    const sessions = smoke ? SMOKE_SESSIONS : SESSIONS;
    const worlds = await openTwoWorlds(SQLITE);
    const { report } = worlds;
    try {
      for (let i = 0; i < sessions; i++) await worlds.run(seed + i, i % 4 === 0);
    } finally {
      await worlds.close();
    }
    const { faults, answers, normalised, clashes, frames } = report;
    for (const fault of faults.slice(0, 10)) console.error(fault);
    const compared = Object.values(answers).reduce((sum, count) => sum + count, 0);
    return [
      {
        what: "T2 two worlds",
        ours: `${compared} answers in ${sessions} sessions`,
        ceiling: "-",
        ratio: faults.length,
        target: "0 differ or show what is hidden",
        met: faults.length === 0,
        note: `seed ${seed}, wrong ${faults.length}, ended by a clash ${clashes}`,
        figures: { answers, normalised, live: { lines: frames } },
      },
    ];
  },
};
