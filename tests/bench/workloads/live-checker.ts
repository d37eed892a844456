import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Engine, mongodb, SQLITE } from "../../support/engines.ts";
import { type CheckReport, checkBeside } from "../../support/live-checker/check.ts";
import { followFile } from "../../support/live-checker/file-log.ts";
import { type Send, setUp } from "../../support/live-checker/load.ts";
import { type Checked, makeHolders, record } from "../../support/live-checker/run.ts";
import { followMongo } from "../../support/live-checker/stream-log.ts";
import { World } from "../../support/live-checker/world.ts";
import { chooseSeed } from "../../support/seeded.ts";
import type { Skippable } from "../../support/teardown.ts";
import { Connection } from "../harness/connection.ts";
import type { LoadRequest } from "../harness/load.ts";
import { serveOwnGalley } from "../harness/own-galley.ts";
import { BENCH_KEY, cpuSeconds } from "../harness/process.ts";
import type { ReportRow, Workload } from "../harness/report.ts";
import { withTeardown } from "../harness/teardown.ts";

/** A million together; one on MongoDB costs thrice as much. `GALLEY_CHECKED_COMMITS` of each are fewer, where there is less time. */
const COMMITS = { sqlite: 900_000, mongodb: 100_000 };
const SMOKE_COMMITS = 200;
/** Commits of a round, after which all clients are new ones. */
const ROUND = 5000;
/** What a query may be told that takes too long, for the machine and not for what it asks. */
const errors = ["timeout", "unavailable"];
/** Many commits are under way at a time, which the embedded store syncs together. */
const WRITERS = 16;
/** Each socket asks, leaves, drops or stalls about every hundredth commit. */
const CHURN = 10;

/** The live checker at length (promises.md T6): every result is right at every position that its socket has reached. */
export const liveChecker: Workload = {
  name: "live-checker",
  covers: ["T6"],
  byNameOnly: true,
  async run({ smoke, mongod }): Promise<ReportRow[]> {
    const given = smoke ? SMOKE_COMMITS : process.env.GALLEY_CHECKED_COMMITS;
    const commitsOn = (engine: keyof typeof COMMITS) => Number(given ?? COMMITS[engine]);
    const rows = [await checkedRow(() => SQLITE, commitsOn("sqlite"))];
    const server = await mongod.open();
    if (server) rows.push(await checkedRow((t) => mongodb(t, server), commitsOn("mongodb")));
    return rows;
  },
};

function checkedRow(engineOf: (t: Skippable) => Engine, commits: number) {
  return withTeardown(async (t): Promise<ReportRow> => {
    const engine = engineOf(t);
    const seed = chooseSeed();
    const checked = await serveChecked(t, engine);
    const world = new World(checked.log.orderOf);
    const began = checked.cpu();
    const faults: string[] = [];
    const sums: Record<string, number> = {};
    const rate = () => Math.round((sums.commits ?? 0) / (checked.cpu() - began));
    /** Of the round before, beside which the next one is recorded. */
    let checking = Promise.resolve();
    for (let round = 0, left = commits; left > 0; round++) {
      const holders = await makeHolders(checked.send, 4, checked.key);
      const options = {
        seed: seed + round * 1000,
        commits: Math.min(ROUND, left),
        writers: WRITERS,
        churn: CHURN,
        holders,
      };
      const input = await record(checked, { ...options, sdk: 2, outruns: 1, errors, world });
      left -= input.commits.length;
      await checking;
      checking = checkBeside(input).then((report) => {
        addTo(sums, report);
        faults.push(...report.faults);
        console.log(
          `  ${engine.name}: ${JSON.stringify(sums)}, ${report.faults.length} differences, seed ${options.seed}, ${rate()} commits a CPU-second`,
        );
      });
    }
    await checking;
    for (const fault of faults.slice(0, 10)) console.error(fault.slice(0, 2000));
    return {
      what: `T6 live checker, ${engine.name}`,
      ours: `${sums.commits} commits, ${sums.frames} frames`,
      ceiling: "-",
      ratio: faults.length,
      target: "0 differences",
      met: faults.length === 0,
      note: `seed ${seed}, ${sums.resumed} resumed, ${rate()} commits a CPU-second with the checker`,
      figures: { sums },
    };
  });
}

/** A Galley in a process of its own, so that it serves on one core while what it said is checked on another. */
async function serveChecked(t: Skippable, engine: Engine): Promise<Checked & { cpu(): number }> {
  const folder = mkdtempSync(join(tmpdir(), "galley-checked-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const env = engine.env(folder);
  const path = join(folder, "commits");
  const { GALLEY_MONGODB_URL: mongodb } = env;
  const log = mongodb === undefined ? followFile(path) : await followMongo(t, mongodb);
  t.teardown(() => log.close());
  const galley = await serveOwnGalley("checked-galley", folder, { ...env, ...(!mongodb && { CHECKER_LOG: path }) });
  t.teardown(() => galley.end("SIGKILL"));
  const send = sender(t, galley.url);
  await setUp(send);
  return {
    ...{ urls: () => [galley.url], key: BENCH_KEY, log, send },
    cpu() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6 + cpuSeconds(galley.pid);
    },
  };
}

/** As the full key, over connections that are used again. */
function sender(t: Skippable, url: string): Send {
  const idle: Connection[] = [];
  t.teardown(() => idle.forEach((connection) => void connection.close()));
  const authorization = `Bearer ${BENCH_KEY}`;
  return async (method, path, body) => {
    const connection = idle.pop() ?? new Connection(url);
    const headers: Record<string, string> = {};
    if (!path.startsWith("/v1/auth/")) headers.authorization = authorization;
    if (body !== undefined) headers["content-type"] = "application/json";
    const answer = await connection.send({
      ...{ method: method as LoadRequest["method"], path, headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    idle.push(connection);
    return { status: answer.status, body: answer.body === "" ? undefined : JSON.parse(answer.body) };
  };
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
