import { request } from "undici";
import { withFolder } from "../harness/folder.ts";
import type { Load } from "../harness/load.ts";
import { declare, HEADERS, importPosts, post } from "../harness/posts.ts";
import { serveCeiling, serveGalley } from "../harness/process.ts";
import { type ReportRow, rate, type Workload } from "../harness/report.ts";
import { type Contestant, type Figures, interleave } from "../harness/rounds.ts";

const PAGE = 20;

type PageLoad = Omit<Load, "seconds" | "url">;

/** B5: 20 posts of an author, newest first, by an index; page 1, page 500, a filter of three conditions; two sizes. */
export const page: Workload = {
  name: "page",
  covers: "B5",
  run: ({ smoke }) =>
    withFolder(async (folder) => {
      const [small, large] = smoke ? [200, 2_000] : [1_000, 1_000_000];
      const galley = await serveGalley(folder);
      const ceiling = await serveCeiling("sqlite", { BENCH_FOLDER: folder, BENCH_COUNT: String(large) });
      try {
        for (const [name, count] of [
          ["small", small],
          ["large", large],
        ] as const) {
          await declare(galley.url, name, [{ paths: ["author", "-createdAt"] }, { paths: ["-createdAt"] }]);
          await importPosts(galley.url, name, count);
        }
        const deep = await cursorOf(galley.url, "large", smoke ? 5 : 499);
        const author = (n: number) => `author-${(n * 389) % 1000}`;
        const contestants: Contestant[] = [
          { name: "page 1 of large", server: galley, load: ours("large", (n) => ({ filter: { author: author(n) } })) },
          { name: "L3", server: ceiling, load: theirs(author) },
          { name: "page 1 of small", server: galley, load: ours("small", (n) => ({ filter: { author: author(n) } })) },
          { name: "newest, page 1", server: galley, load: ours("large", () => ({})) },
          { name: "newest, page 500", server: galley, load: ours("large", () => ({ after: deep })) },
          {
            name: "three conditions",
            server: galley,
            load: ours("large", (n) => ({
              filter: { author: author(n), status: "published", likes: { $gte: 10 } },
            })),
          },
        ];
        const figures = await interleave(contestants, smoke ? { rounds: 1, seconds: 0.1 } : { rounds: 5, seconds: 2 });
        return report(figures);
      } finally {
        await Promise.all([galley, ceiling].map((server) => server.end("SIGTERM")));
      }
    }),
};

function ours(collection: string, query: (n: number) => { filter?: object; after?: string }): PageLoad {
  return {
    connections: 16,
    request: (n) => {
      const { filter = {}, after } = query(n);
      const parameters = new URLSearchParams({
        filter: JSON.stringify(filter),
        sort: "-createdAt",
        limit: String(PAGE),
      });
      if (after !== undefined) parameters.set("after", after);
      return { method: "GET", path: `/v1/documents/${collection}?${parameters}`, headers: HEADERS };
    },
    check: (status, body) => status === 200 && body.startsWith('{"documents":['),
  };
}

function theirs(author: (n: number) => string): PageLoad {
  return {
    connections: 16,
    request: (n) => ({ method: "GET", path: `/page?author=${author(n)}`, headers: {} }),
    check: (status, body) => status === 200 && body.startsWith('{"documents":['),
  };
}

/** The cursor after `pages` pages of the newest posts. */
async function cursorOf(url: string, collection: string, pages: number): Promise<string> {
  let after: string | undefined;
  for (let n = 0; n < pages; n++) {
    const { path } = ours(collection, () => (after === undefined ? {} : { after })).request(n);
    const { body } = await request(url + path, { headers: HEADERS });
    const answer = (await body.json()) as { documents: { title: string }[]; next: string };
    if (answer.documents.length !== PAGE) throw new Error(`page ${n + 1} holds ${answer.documents.length} documents`);
    after = answer.next;
  }
  if (post(0).author !== "author-0" || after === undefined) throw new Error("the pages ended early");
  return after;
}

function report(figures: ReadonlyMap<string, Figures>): ReportRow[] {
  const of = (name: string) => {
    const found = figures.get(name);
    if (!found) throw new Error(`no figures of ${name}`);
    return found;
  };
  const l3 = of("L3");
  const row = (name: string, ratio: number, target: string, met: boolean, note = ""): ReportRow => {
    const { perCpuSecond, p50, spread, wrong } = of(name);
    return {
      what: `B5 ${name}`,
      ours: `${rate(perCpuSecond)}/CPU-s, p50 ${p50.toFixed(2)} ms`,
      ceiling: `L3 ${rate(l3.perCpuSecond)}/CPU-s, p50 ${l3.p50.toFixed(2)} ms`,
      ratio,
      spread,
      target,
      met: met && wrong === 0,
      note: `${note}${note === "" ? "" : ", "}wrong ${wrong}`,
    };
  };
  const share = of("page 1 of large").perCpuSecond / l3.perCpuSecond;
  const growth = of("page 1 of large").p50 / of("page 1 of small").p50;
  const depth = of("newest, page 500").p50 / of("newest, page 1").p50;
  return [
    row("page 1 of large", share, ">= 0.60 of L3", share >= 0.6),
    row("page 1 of small", growth, "large / small p50 <= 2", growth <= 2),
    row("newest, page 500", depth, "page 500 / page 1 p50 <= 1.2", depth <= 1.2),
    row("three conditions", of("three conditions").perCpuSecond / l3.perCpuSecond, "told", true),
  ];
}
