import { type Engine, onEachEngine } from "../harness/engines.ts";
import { post } from "../harness/post.ts";
import { declare, HEADERS } from "../harness/posts.ts";
import { serveCeiling, serveGalley } from "../harness/process.ts";
import { type ReportRow, rate, type Workload } from "../harness/report.ts";
import { type Contestant, type Figures, figuresOf, interleave } from "../harness/rounds.ts";
import { atLeast, type Comparison, compare, TOLD } from "../harness/rows.ts";
import { withServers } from "../harness/servers.ts";
import { checkedInserts } from "./checked-inserts.ts";

/** B3, B4: POST of 0.7 KB documents, each answered when it is on disk, of a majority's on MongoDB. */
export const insert: Workload = {
  name: "insert",
  covers: ["B3", "B4"],
  run: (options) => onEachEngine(options, (engine) => insertOn(engine, options.smoke)),
};

const JSON_TYPE = { "content-type": "application/json" };

function insertOn({ name, folder, env, ceilingEnv, databasePid }: Engine, smoke: boolean): Promise<ReportRow[]> {
  return withServers(async (serve) => {
    const ceiling = (program: string) => serve(serveCeiling(program, { ...ceilingEnv, BENCH_COUNT: "0" }));
    const galley = await serve(serveGalley(folder, env));
    const load = (path: string, headers: Record<string, string> = {}) => ({
      request: (n: number) => ({
        method: "POST" as const,
        path,
        headers: { ...headers, ...JSON_TYPE },
        body: JSON.stringify(post(n)),
      }),
      check: (status: number, body: string, n: number) => status === 201 && body.includes(`"title":"Post number ${n}"`),
    });
    const contestants = [{ name: "galley", server: galley, load: load("/v1/documents/posts", HEADERS) }];
    if (name === "sqlite") {
      contestants.push({ name: "L3", server: await ceiling("sqlite"), load: load("/posts") });
    } else {
      contestants.push({ name: "L4", server: await ceiling("mongodb"), load: load("/posts") });
      contestants.push({ name: "L4c", server: await ceiling("mongodb-merged"), load: load("/posts") });
    }
    await declare(galley.url, "posts", [{ paths: ["author", "-createdAt"] }]);
    const rows: ReportRow[] = [];
    for (const connections of smoke ? [64] : [64, 1]) {
      const loads = contestants.map((one): Contestant => ({ ...one, load: { ...one.load, connections } }));
      const rounds = smoke ? { rounds: 0, seconds: 0.05 } : { rounds: 5, seconds: 3 };
      const figures = await interleave(loads, { ...rounds, databasePid });
      rows.push(...COMPARISONS[name](connections, figures).map((comparison) => compare(figures, comparison)));
    }
    await declare(galley.url, "checked", []);
    const what = name === "sqlite" ? "B3 on SQLite" : "B4 on MongoDB";
    return [...rows, await checkedInserts(galley.url, what, smoke ? 300 : 20_000)];
  });
}

const COMPARISONS = {
  sqlite(connections: number, figures: ReadonlyMap<string, Figures>): Comparison[] {
    const what = `B3 insert on SQLite, ${connections} in flight`;
    const target = connections === 64 ? atLeast(1.5) : TOLD;
    return [{ what, ours: "galley", ceiling: "L3", ...target, note: perSecond(figures, "L3") }];
  },
  mongodb(connections: number, figures: ReadonlyMap<string, Figures>): Comparison[] {
    const what = `B4 insert on MongoDB, ${connections} in flight`;
    const targets = connections === 64 ? [atLeast(3), atLeast(0.6)] : [TOLD, TOLD];
    return ["L4", "L4c"].map((ceiling, i) => {
      const note = perSecond(figures, ceiling);
      return { what, ours: "galley", ceiling, ...(targets[i] ?? TOLD), note };
    });
  },
};

function perSecond(figures: ReadonlyMap<string, Figures>, ceiling: string): string {
  const [ours, theirs] = ["galley", ceiling].map((name) => rate(figuresOf(figures, name).perSecond));
  return `${ours}/s, ${ceiling} ${theirs}/s`;
}
