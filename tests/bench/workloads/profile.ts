import { type Engine, onEachEngine } from "../harness/engines.ts";
import { type LoadRequest, runLoad } from "../harness/load.ts";
import { post, postId } from "../harness/post.ts";
import { declare, HEADERS, importPosts } from "../harness/posts.ts";
import { cpuSeconds, type Served } from "../harness/process.ts";
import { STAGES, type Stage, type StageTime, stageTimes, type Window } from "../harness/profile-stages.ts";
import { bundleForProfile, profilesOf, serveProfiled } from "../harness/profiled-galley.ts";
import type { ReportRow, Workload } from "../harness/report.ts";

/** The request path, itemised: microseconds of each stage, from samples of the program as it is shipped. */
export const profile: Workload = {
  name: "profile",
  covers: ["profile"],
  byNameOnly: true,
  unlisted: true,
  async run(options) {
    await bundleForProfile();
    return onEachEngine(options, (engine) => profileOn(engine, options.smoke));
  },
};

const IN_FLIGHT = 64;
const DOCUMENTS = 10_000;
const AUTHORS = 100;

interface Weighed {
  readonly name: string;
  readonly window: Window;
  readonly requests: number;
  readonly wrong: number;
  readonly cpu: number;
}

async function profileOn({ name, folder, env }: Engine, smoke: boolean): Promise<ReportRow[]> {
  const galley = await serveProfiled(folder, env);
  const weighed: Weighed[] = [];
  try {
    const count = smoke ? 500 : DOCUMENTS;
    await declare(galley.url, "posts", [{ paths: ["author", "-createdAt"] }]);
    await importPosts(galley.url, "posts", count, AUTHORS);
    for (const kind of kinds(count)) weighed.push(await weigh(galley, kind, smoke));
  } finally {
    await galley.end("SIGTERM"); // which writes the profiles
  }
  const profiles = profilesOf(folder);
  const on = name === "sqlite" ? "SQLite" : "MongoDB";
  const itemised = weighed.map((one) => ({ ...one, times: stageTimes(profiles, one.window) }));
  if (!smoke) console.log(tableOf(on, itemised));
  return itemised.flatMap((one) => rowsOf(`profile of ${one.name} on ${on}`, one));
}

interface Itemised extends Weighed {
  readonly times: ReadonlyMap<Stage, StageTime>;
}

/** A table in Markdown, for a page of docs/decisions. */
function tableOf(on: string, itemised: readonly Itemised[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const perRequest = (microseconds: number, { requests }: Weighed) => (microseconds / requests).toFixed(1);
  const stages = STAGES.map((stage) =>
    line([stage, ...itemised.map((one) => perRequest(one.times.get(stage)?.microseconds ?? 0, one))]),
  );
  return [
    line([`µs a request on ${on}`, ...itemised.map(({ name }) => name)]),
    line(["---", ...itemised.map(() => "---:")]),
    ...stages,
    line(["**sampled**", ...itemised.map((one) => perRequest(sampled(one), one))]),
    line(["**CPU of the process**", ...itemised.map((one) => perRequest(one.cpu * 1e6, one))]),
  ].join("\n");
}

function sampled({ times }: Itemised): number {
  return [...times.values()].reduce((sum, { microseconds }) => sum + microseconds, 0);
}

interface Kind {
  readonly name: string;
  readonly status: number;
  request(n: number): LoadRequest;
}

function kinds(count: number): Kind[] {
  return [
    {
      name: "GET by id",
      status: 200,
      request: (n) => ({
        method: "GET",
        path: `/v1/documents/posts/${postId((n * 48_271) % count)}`,
        headers: HEADERS,
      }),
    },
    {
      name: "page of 20",
      status: 200,
      request(n) {
        const filter = JSON.stringify({ author: `author-${n % AUTHORS}` });
        const parameters = new URLSearchParams({ filter, sort: "-createdAt", limit: "20" });
        return { method: "GET", path: `/v1/documents/posts?${parameters}`, headers: HEADERS };
      },
    },
    {
      name: "insert",
      status: 201,
      request: (n) => ({
        method: "POST",
        path: "/v1/documents/posts",
        headers: { ...HEADERS, "content-type": "application/json" },
        body: JSON.stringify(post(n)),
      }),
    },
  ];
}

/** The first two seconds are the compiler's. */
async function weigh({ url, pid }: Served, { name, status, request }: Kind, smoke: boolean): Promise<Weighed> {
  const load = (seconds: number) =>
    runLoad({ url, connections: IN_FLIGHT, seconds, request, check: (answered) => answered === status });
  await load(smoke ? 0.1 : 2);
  const cpu = cpuSeconds(pid);
  const from = microseconds();
  const { requests, wrong, firstWrong } = await load(smoke ? 0.2 : 8);
  if (firstWrong !== undefined) console.error(firstWrong);
  return { name, window: { from, to: microseconds() }, requests, wrong, cpu: cpuSeconds(pid) - cpu };
}

/** Of the monotonic clock, which is that of the profiles too. */
function microseconds(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

const TOP = 4;

function rowsOf(what: string, one: Itemised): ReportRow[] {
  const { requests, wrong, cpu, times } = one;
  const all = sampled(one);
  const row = (stage: string, total: number, note: string): ReportRow => ({
    what: `${what}: ${stage}`,
    ours: `${(total / requests).toFixed(2)} µs`,
    ceiling: "-",
    ratio: all === 0 ? 0 : total / all,
    target: "told",
    met: wrong === 0,
    note,
  });
  const stages = [...times].filter(([, { microseconds }]) => microseconds > 0);
  return [
    ...stages.map(([stage, { microseconds, functions }]) => row(stage, microseconds, topOf(functions, requests))),
    row("all threads, sampled", all, `${((cpu * 1e6) / requests).toFixed(1)} µs of CPU, wrong ${wrong}`),
  ];
}

/** The functions that took most themselves. */
function topOf(functions: ReadonlyMap<string, number>, requests: number): string {
  const sorted = [...functions].sort(([, a], [, b]) => b - a).slice(0, TOP);
  return sorted.map(([name, time]) => `${name} ${(time / requests).toFixed(2)}`).join("; ");
}
