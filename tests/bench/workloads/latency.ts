import { onEachEngine } from "../harness/engines.ts";
import { type Audience, type Delivered, Listeners } from "../harness/live-load.ts";
import { BEHIND_PROXY } from "../harness/people.ts";
import { post } from "../harness/post.ts";
import { declare, HEADERS } from "../harness/posts.ts";
import { BENCH_KEY, type Served, serveCeiling, serveGalley } from "../harness/process.ts";
import type { BenchOptions, ReportRow, Workload } from "../harness/report.ts";
import { median } from "../harness/rounds.ts";
import { withServers } from "../harness/servers.ts";
import { withTwoNodes } from "../harness/two-nodes.ts";

/** B11: from the moment that a write is due to its event at a socket of the same node, and of another one. */
export const latency: Workload = {
  name: "latency",
  covers: ["B11"],
  async run(options) {
    const rows = await onEachEngine(options, ({ name, folder, env, ceilingEnv }) =>
      withServers(async (serve) => {
        const galley = await serve(serveGalley(folder, { ...env, ...BEHIND_PROXY }));
        const contest = {
          on: `one node, ${name === "sqlite" ? "SQLite" : "MongoDB"}`,
          written: galley,
          watched: galley,
        };
        if (name === "sqlite") return [await rowOf(contest, undefined, options.smoke)];
        return [await rowOf(contest, await serve(serveCeiling("change-stream", ceilingEnv)), options.smoke)];
      }),
    );
    return [...rows, ...(await onTwoNodes(options))];
  },
};

function onTwoNodes({ smoke, ...options }: BenchOptions): Promise<ReportRow[]> {
  let url = "";
  const start = (folder: string, env: NodeJS.ProcessEnv) => {
    url = env.GALLEY_MONGODB_URL ?? "";
    return serveGalley(folder, { ...env, ...BEHIND_PROXY });
  };
  return withTwoNodes(options, start, ({ nodes }) => {
    const [written, watched] = nodes as readonly [Served, Served];
    return withServers(async (serve) => {
      const ceiling = await serve(serveCeiling("change-stream", { BENCH_MONGODB_URL: url }));
      return [await rowOf({ on: "two nodes, MongoDB", written, watched }, ceiling, smoke)];
    });
  });
}

const PER_SECOND = 200;
const ADDED = 2;
const COLLECTION = "events";
const SOCKETS = 4;

interface Contest {
  readonly on: string;
  readonly written: Served;
  readonly watched: Served;
}

function watching({ written, watched }: Contest): Audience {
  const since = performance.now();
  const find = { filter: { author: "author-1" }, sort: ["-_createdAt"], limit: 20 };
  return {
    ...{ server: watched, writer: written, sockets: SOCKETS, ready: '"snapshot"' },
    says: () => [
      { t: "hello", v: 1, token: BENCH_KEY },
      { t: "sub", s: 1, q: { collection: COLLECTION, find } },
    ],
    write: (seq) => ({
      method: "POST",
      path: `/v1/documents/${COLLECTION}`,
      headers: { ...HEADERS, "content-type": "application/json" },
      body: JSON.stringify({ seq, since, ...post(seq), author: "author-1" }),
    }),
  };
}

function streamed(server: Served): Audience {
  return {
    ...{ server, sockets: SOCKETS, ready: '"welcome"' },
    says: () => [{ t: "hello", v: 1 }],
    write: (seq) => ({ method: "POST", path: "/", headers: {}, body: JSON.stringify({ seq, ...post(seq) }) }),
  };
}

/** @param ceiling undefined: there is none to compare with, so the figures are told */
async function rowOf(contest: Contest, ceiling: Served | undefined, smoke: boolean): Promise<ReportRow> {
  await declare(contest.written.url, COLLECTION, [{ paths: ["author", "-_createdAt"] }]);
  const audiences = [watching(contest), ...(ceiling ? [streamed(ceiling)] : [])];
  const listening = await Promise.all(audiences.map((audience) => Listeners.open(audience)));
  const [rounds, seconds] = smoke ? [0, 0.2] : [5, 3];
  const taken = audiences.map((): Delivered[] => []);
  try {
    for (let round = 0; round <= rounds; round++) {
      for (const [i, listeners] of listening.entries()) {
        const one = await listeners.pace(seconds, PER_SECOND);
        if (round > 0 || smoke) taken[i]?.push(one);
      }
    }
  } finally {
    for (const listeners of listening) await listeners.close();
  }
  const [ours = [], theirs = []] = taken;
  const at = (of: readonly Delivered[], figure: "p50" | "p95" | "p99") => median(of.map((one) => one[figure]));
  const told = (of: readonly Delivered[]) =>
    `p50 ${at(of, "p50").toFixed(2)} ms, p95 ${at(of, "p95").toFixed(2)} ms, p99 ${at(of, "p99").toFixed(2)} ms`;
  const wrong = taken.flat().reduce((sum, one) => sum + one.wrong, 0);
  const medians = ours.map(({ p50 }) => p50);
  return {
    what: `B11 write to event, ${contest.on}`,
    ours: told(ours),
    ceiling: ceiling ? `change stream ${told(theirs)}` : "-",
    ratio: ceiling ? at(ours, "p50") / at(theirs, "p50") : at(ours, "p50"),
    spread: (Math.max(...medians) - Math.min(...medians)) / median(medians),
    target: ceiling ? `p50 <= change stream + ${ADDED} ms` : "told",
    met: (!ceiling || at(ours, "p50") <= at(theirs, "p50") + ADDED) && wrong === 0,
    note: `${PER_SECOND} writes a second, wrong ${wrong}`,
  };
}
