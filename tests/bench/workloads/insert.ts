import { withFolder } from "../harness/folder.ts";
import { declare, HEADERS, post } from "../harness/posts.ts";
import { serveCeiling, serveGalley } from "../harness/process.ts";
import { type ReportRow, rate, type Workload } from "../harness/report.ts";
import { interleave } from "../harness/rounds.ts";

/** B3: POST of 0.7 KB documents, each answered when it is on disk. */
export const insert: Workload = {
  name: "insert",
  covers: "B3",
  run: ({ smoke }) =>
    withFolder(async (folder) => {
      const galley = await serveGalley(folder);
      const ceiling = await serveCeiling("sqlite", { BENCH_FOLDER: folder, BENCH_COUNT: "0" });
      try {
        await declare(galley.url, "posts", [{ paths: ["author", "-createdAt"] }]);
        const rows: ReportRow[] = [];
        for (const connections of smoke ? [4] : [64, 1]) {
          const of = (path: string, headers: Record<string, string>) => ({
            connections,
            request: (n: number) => ({
              method: "POST" as const,
              path,
              headers: { ...headers, "content-type": "application/json" },
              body: JSON.stringify(post(n)),
            }),
            check: (status: number, body: string, n: number) =>
              status === 201 && body.includes(`"title":"Post number ${n}"`),
          });
          const figures = await interleave(
            [
              { name: "galley", server: galley, load: of("/v1/documents/posts", HEADERS) },
              { name: "L3", server: ceiling, load: of("/posts", {}) },
            ],
            smoke ? { rounds: 1, seconds: 0.2 } : { rounds: 5, seconds: 3 },
          );
          const [ours, l3] = [figures.get("galley"), figures.get("L3")];
          if (!ours || !l3) throw new Error("no figures");
          const ratio = ours.perCpuSecond / l3.perCpuSecond;
          rows.push({
            what: `B3 insert, ${connections} in flight`,
            ours: `${rate(ours.perCpuSecond)}/CPU-s, p50 ${ours.p50.toFixed(2)} ms, p99 ${ours.p99.toFixed(2)} ms`,
            ceiling: `L3 ${rate(l3.perCpuSecond)}/CPU-s, p50 ${l3.p50.toFixed(2)} ms`,
            ratio,
            spread: ours.spread,
            target: connections === 64 ? ">= 1.50" : "told",
            met: (connections !== 64 || ratio >= 1.5) && ours.wrong === 0,
            note: `${rate(ours.perSecond)}/s, L3 ${rate(l3.perSecond)}/s, wrong ${ours.wrong}`,
          });
        }
        return rows;
      } finally {
        await Promise.all([galley, ceiling].map((server) => server.end("SIGTERM")));
      }
    }),
};
