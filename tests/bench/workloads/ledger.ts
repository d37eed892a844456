import { describeRounds, faultRounds, type RoundsReport } from "../../support/fault-rounds.ts";
import { startGalleyBehindProxy, startGalleyOn } from "../../support/galley-on-mongodb.ts";
import { integrityOf, type KillReport, killRounds } from "../../support/kill-rounds.ts";
import { useOwnMongod } from "../../support/mongod.ts";
import { heavyFaults, lightFaults } from "../../support/mongodb-faults.ts";
import { useReplicaSet } from "../../support/replica-set.ts";
import { chooseSeed } from "../../support/seeded.ts";
import { onEachEngine } from "../harness/engines.ts";
import type { ReportRow, Workload } from "../harness/report.ts";
import { withTeardown } from "../harness/teardown.ts";

/** The write ledger at length (promises.md T5, T7): whatever breaks, what was answered is what is stored. */
export const ledger: Workload = {
  name: "ledger",
  covers: ["F01", "T7"],
  byNameOnly: true,
  async run(options) {
    const { smoke } = options;
    const seed = chooseSeed();
    return [
      ...(await onEachEngine(options, async ({ name, folder, env }) => {
        const report = await killRounds({
          folder,
          env,
          seed,
          ...(smoke ? { rounds: 1, writes: 100 } : { rounds: 100 }),
        });
        return [killRow(name, seed, report, name === "sqlite" ? integrityOf(folder) : "ok")];
      })),
      ...(await allRounds(smoke, seed)),
    ];
  },
};

/** Rounds mostly wait, for time-outs and elections: several databases go through theirs at once, each by a seed of its own. */
async function allRounds(smoke: boolean, seed: number): Promise<ReportRow[]> {
  if (smoke) return lightRounds(2, seed);
  const lanes = Array.from({ length: LANES }, (_, lane) => lightRounds(LIGHT_ROUNDS / LANES, seed + lane + 1));
  return (await Promise.all([...lanes, heavyRounds(HEAVY_ROUNDS, seed)])).flat();
}

const LANES = 4;
const LIGHT_ROUNDS = 1000;
const HEAVY_ROUNDS = 100;

/** Faults of commands and connections, on one node. */
function lightRounds(rounds: number, seed: number): Promise<ReportRow[]> {
  return withTeardown(async (t) => {
    const mongod = await useOwnMongod(t);
    if (!mongod) return [];
    const { host } = mongod.process;
    const { proxy, galley } = await startGalleyBehindProxy(t, host);
    const faults = lightFaults(t, host, proxy);
    return [roundsRow("T7 light faults", seed, await faultRounds({ url: () => galley.url, faults, rounds, seed }))];
  });
}

/** Faults of whole processes, in a set of three. */
function heavyRounds(rounds: number, seed: number): Promise<ReportRow[]> {
  return withTeardown(async (t) => {
    const set = await useReplicaSet(t);
    if (!set) return [];
    const galley = await startGalleyOn(t, set.url);
    const faults = heavyFaults(set, galley);
    return [roundsRow("T7 heavy faults", seed, await faultRounds({ url: () => galley.url, faults, rounds, seed }))];
  });
}

function killRow(engine: string, seed: number, report: KillReport, integrity: unknown): ReportRow {
  for (const breach of report.breaches) console.error(breach);
  const { writes, cutOff, slowestStart, breaches } = report;
  return {
    what: `F01 kill -9 under load, ${engine}`,
    ours: `${writes} writes, ${cutOff} cut off, slowest start ${slowestStart.toFixed(0)} ms`,
    ceiling: "-",
    ratio: breaches.length,
    target: "0 breaches",
    met: breaches.length === 0 && integrity === "ok",
    note: `seed ${seed}, integrity ${String(integrity)}`,
  };
}

function roundsRow(what: string, seed: number, report: RoundsReport): ReportRow {
  for (const breach of report.breaches) console.error(breach);
  console.error(describeRounds(seed, report));
  const { breaches, writes, refused, unknown, slowestAnswer, slowestRecovery, schedule } = report;
  return {
    what,
    ours: `${writes} writes, ${refused} refused, ${unknown} unknown, ${schedule.length} rounds`,
    ceiling: "-",
    ratio: breaches.length,
    target: "0 breaches",
    met: breaches.length === 0,
    note: `seed ${seed}, slowest answer ${slowestAnswer.toFixed(0)} ms, recovery ${slowestRecovery.toFixed(0)} ms`,
  };
}
