import { type Engine, mongodb, SQLITE } from "../../support/engines.ts";
import type { CheckReport } from "../../support/live-checker/check.ts";
import { checkedApp } from "../../support/live-checker/in-process.ts";
import { makeHolders, runChecked } from "../../support/live-checker/run.ts";
import { World } from "../../support/live-checker/world.ts";
import { chooseSeed } from "../../support/seeded.ts";
import type { ReportRow, Workload } from "../harness/report.ts";
import { withTeardown } from "../harness/teardown.ts";

/** Of each engine. `GALLEY_CHECKED_COMMITS` makes it shorter, where there is less time. */
const COMMITS = 500_000;
const SMOKE_COMMITS = 200;
/** Commits of a round, after which all clients are new ones. */
const ROUND = 5000;

/** The live checker at length (promises.md T6): every result is right at every position that its socket has reached. */
export const liveChecker: Workload = {
  name: "live-checker",
  covers: ["T6"],
  byNameOnly: true,
  async run({ smoke, mongod }): Promise<ReportRow[]> {
    const commits = smoke ? SMOKE_COMMITS : Number(process.env.GALLEY_CHECKED_COMMITS ?? COMMITS);
    const rows = [await checkedRow(() => SQLITE, commits)];
    const server = await mongod.open();
    if (server) rows.push(await checkedRow((t) => mongodb(t, server), commits));
    return rows;
  },
};

function checkedRow(engineOf: (t: { teardown(run: () => unknown): void }) => Engine, commits: number) {
  return withTeardown(async (t): Promise<ReportRow> => {
    const engine = engineOf(t);
    const seed = chooseSeed();
    const checked = await checkedApp(t, engine);
    const world = new World(checked.log.orderOf);
    const faults: string[] = [];
    const sums: Record<string, number> = {
      commits: 0,
      frames: 0,
      changes: 0,
      states: 0,
      answers: 0,
      sockets: 0,
      resumed: 0,
    };
    for (let round = 0; (sums.commits ?? 0) < commits; round++) {
      const left = commits - (sums.commits ?? 0);
      const holders = await makeHolders(checked.send, 4, checked.key);
      const options = { seed: seed + round * 1000, commits: Math.min(ROUND, left), holders, sdk: 2, world };
      const report = await runChecked(checked, options);
      addTo(sums, report);
      faults.push(...report.faults);
      console.log(
        `  ${engine.name}: ${JSON.stringify(sums)}, ${report.faults.length} differences, seed ${options.seed}`,
      );
    }
    for (const fault of faults.slice(0, 10)) console.error(fault.slice(0, 2000));
    return {
      what: `T6 live checker, ${engine.name}`,
      ours: `${sums.commits} commits, ${sums.frames} frames`,
      ceiling: "-",
      ratio: faults.length,
      target: "0 differences",
      met: faults.length === 0,
      note: `seed ${seed}, ${sums.resumed} resumed`,
      figures: { sums },
    };
  });
}

function addTo(sums: Record<string, number>, { tally, commits, states }: CheckReport): void {
  const { frames, changes, answers, sockets, resumed, resets } = tally;
  const told = Object.fromEntries(Object.entries(resets).map(([reason, count]) => [`reset ${reason}`, count]));
  for (const [name, count] of Object.entries({
    commits,
    states,
    frames,
    changes,
    answers,
    sockets,
    resumed,
    ...told,
  })) {
    sums[name] = (sums[name] ?? 0) + count;
  }
}
