import { type Engine, onEachEngine } from "../harness/engines.ts";
import { postId } from "../harness/post.ts";
import { declare, HEADERS, importPosts } from "../harness/posts.ts";
import { serveCeiling, serveGalley } from "../harness/process.ts";
import { type ReportRow, rate, type Workload } from "../harness/report.ts";
import { type Contestant, type Figures, figuresOf, interleave } from "../harness/rounds.ts";
import { addsAtMost, atLeast, type Comparison, compare, TOLD } from "../harness/rows.ts";
import { withServers } from "../harness/servers.ts";

/** B1, B2: GET by id, at random, of 100,000 documents, with a service key. */
export const read: Workload = {
  name: "read",
  covers: ["B1", "B2"],
  run: (options) => onEachEngine(options, (engine) => readOn(engine, options.smoke)),
};

function readOn({ name, folder, env, ceilingEnv, databasePid }: Engine, smoke: boolean): Promise<ReportRow[]> {
  return withServers(async (serve) => {
    const count = smoke ? 500 : 100_000;
    const ceiling = (program: string) => serve(serveCeiling(program, { ...ceilingEnv, BENCH_COUNT: String(count) }));
    const galley = await serve(serveGalley(folder, env));
    const pick = (n: number) => postId((n * 48_271) % count);
    const load = (path: string, headers: Record<string, string> = {}) => ({
      request: (n: number) => ({ method: "GET" as const, path: path + pick(n), headers }),
      check: (status: number, body: string, n: number) => status === 200 && body.includes(`"_id":"${pick(n)}"`),
    });
    const anything = { ...load("/"), check: (status: number) => status === 200 };
    const contestants = [{ name: "galley", server: galley, load: load("/v1/documents/posts/", HEADERS) }];
    if (name === "sqlite") {
      contestants.push({ name: "L3", server: await ceiling("sqlite"), load: load("/posts/") });
      contestants.push({ name: "L2", server: await ceiling("stored-string"), load: anything });
      contestants.push({ name: "L1", server: await ceiling("constant"), load: anything });
    } else {
      // In order: the second finds what the first has stored.
      contestants.push({ name: "L4", server: await ceiling("mongodb"), load: load("/posts/") });
      contestants.push({ name: "L4c", server: await ceiling("mongodb-merged"), load: load("/posts/") });
    }
    await declare(galley.url, "posts", []);
    await importPosts(galley.url, "posts", count);
    const rows: ReportRow[] = [];
    for (const connections of smoke ? [64] : [64, 1, 512]) {
      const loads = contestants.map((one): Contestant => ({ ...one, load: { ...one.load, connections } }));
      const rounds = smoke ? { rounds: 0, seconds: 0.05 } : { rounds: 5, seconds: 2 };
      const figures = await interleave(loads, { ...rounds, databasePid });
      rows.push(...COMPARISONS[name](connections, figures).map((comparison) => compare(figures, comparison)));
    }
    return rows;
  });
}

const COMPARISONS = {
  sqlite(connections: number, figures: ReadonlyMap<string, Figures>): Comparison[] {
    const others = ["L2", "L1"].map((name) => `${name} ${rate(figuresOf(figures, name).perCpuSecond)}`).join(", ");
    const what = `B1 read on SQLite, ${connections} connections`;
    return [{ what, ours: "galley", ceiling: "L3", ...atLeast(0.7), note: others }];
  },
  mongodb(connections: number): Comparison[] {
    const what = `B2 read on MongoDB, ${connections} connections`;
    if (connections === 1) return [{ what, ours: "galley", ceiling: "L4", ...addsAtMost(0.1) }];
    const targets = connections === 64 ? [atLeast(4), atLeast(0.7)] : [TOLD, TOLD];
    return ["L4", "L4c"].map((ceiling, i) => ({ what, ours: "galley", ceiling, ...(targets[i] ?? TOLD) }));
  },
};
