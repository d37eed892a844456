import { withFolder } from "../harness/folder.ts";
import { declare, HEADERS, importPosts, postId } from "../harness/posts.ts";
import { serveCeiling, serveGalley } from "../harness/process.ts";
import { type ReportRow, rate, type Workload } from "../harness/report.ts";
import { interleave } from "../harness/rounds.ts";

/** B1: GET by id, at random, of 100,000 documents, with a service key. */
export const read: Workload = {
  name: "read",
  covers: "B1",
  run: ({ smoke }) =>
    withFolder(async (folder) => {
      const count = smoke ? 500 : 100_000;
      const galley = await serveGalley(folder);
      const ceiling = await serveCeiling("sqlite", { BENCH_FOLDER: folder, BENCH_COUNT: String(count) });
      const stored = await serveCeiling("stored-string", {});
      const constant = await serveCeiling("constant", {});
      try {
        await declare(galley.url, "posts", []);
        await importPosts(galley.url, "posts", count);
        const rows: ReportRow[] = [];
        for (const connections of smoke ? [4] : [64, 1, 512]) {
          const pick = (n: number) => postId((n * 48_271) % count);
          const of = (path: string, headers: Record<string, string>) => ({
            connections,
            request: (n: number) => ({ method: "GET" as const, path: path + pick(n), headers }),
            check: (status: number, body: string, n: number) => status === 200 && body.includes(`"_id":"${pick(n)}"`),
          });
          const anything = { ...of("/", {}), check: (status: number) => status === 200 };
          const figures = await interleave(
            [
              { name: "galley", server: galley, load: of("/v1/documents/posts/", HEADERS) },
              { name: "L3", server: ceiling, load: of("/posts/", {}) },
              { name: "L2", server: stored, load: anything },
              { name: "L1", server: constant, load: anything },
            ],
            smoke ? { rounds: 1, seconds: 0.2 } : { rounds: 5, seconds: 3 },
          );
          const [ours, l3] = [figures.get("galley"), figures.get("L3")];
          if (!ours || !l3) throw new Error("no figures");
          const others = ["L2", "L1"].map((name) => `${name} ${rate(figures.get(name)?.perCpuSecond ?? 0)}`).join(", ");
          rows.push({
            what: `B1 read, ${connections} connections`,
            ours: `${rate(ours.perCpuSecond)}/CPU-s, p50 ${ours.p50.toFixed(2)} ms, p99 ${ours.p99.toFixed(2)} ms`,
            ceiling: `L3 ${rate(l3.perCpuSecond)}/CPU-s, p50 ${l3.p50.toFixed(2)} ms`,
            ratio: ours.perCpuSecond / l3.perCpuSecond,
            spread: ours.spread,
            target: ">= 0.70",
            met: ours.perCpuSecond / l3.perCpuSecond >= 0.7 && ours.wrong === 0,
            note: `${others}, wrong ${ours.wrong}`,
          });
        }
        return rows;
      } finally {
        await Promise.all([galley, ceiling, stored, constant].map((server) => server.end("SIGTERM")));
      }
    }),
};
