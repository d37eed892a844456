import { request } from "undici";
import { seeded } from "../../support/seeded.ts";
import { type Engine, onEachEngine } from "../harness/engines.ts";
import type { LoadRequest } from "../harness/load.ts";
import { postId } from "../harness/post.ts";
import { declare, HEADERS, importPosts } from "../harness/posts.ts";
import { serveGalley } from "../harness/process.ts";
import type { ReportRow, Workload } from "../harness/report.ts";
import { type Figures, figuresOf, interleave } from "../harness/rounds.ts";
import { describe, flat } from "../harness/rows.ts";
import { withServers } from "../harness/servers.ts";
import { zipf } from "../harness/zipf.ts";

/** B6: reads, pages and updates at once, of documents of which a few are wanted by all. */
export const mixed: Workload = {
  name: "mixed",
  covers: ["B6"],
  run: (options) => onEachEngine(options, (engine) => mixedOn(engine, options.smoke)),
};

const IN_FLIGHT = 64;
const EXPONENT = 0.99;
const SEED = 6;
const JSON_HEADERS = { ...HEADERS, "content-type": "application/json" };
/** How many requests are drawn beforehand; a load goes round them. */
const DRAWN = 200_000;

type Kind = "read" | "query" | "update";

function mixedOn({ name, folder, env, databasePid }: Engine, smoke: boolean): Promise<ReportRow[]> {
  return withServers(async (serve) => {
    const count = smoke ? 500 : 100_000;
    const galley = await serve(serveGalley(folder, env));
    await declare(galley.url, "posts", [{ paths: ["author", "-createdAt"] }]);
    await importPosts(galley.url, "posts", count);
    const drawn = draw(count, smoke ? DRAWN / 100 : DRAWN);
    const at = (n: number) => drawn[n % drawn.length] as Drawn;
    let updated = 0;
    const load = {
      connections: IN_FLIGHT,
      kind: (n: number) => at(n).kind,
      request: (n: number) => requestOf(at(n)),
      check(status: number, body: string, n: number) {
        const { kind, document } = at(n);
        if (kind === "update" && status === 200) updated++;
        const mark = kind === "query" ? '{"documents":[{' : `"_id":"${postId(document)}"`;
        return status === 200 && body.includes(mark);
      },
    };
    const rounds = smoke ? { rounds: 0, seconds: 0.2 } : { rounds: 5, seconds: 4 };
    const figures = await interleave([{ name: "galley", server: galley, load }], { ...rounds, databasePid });
    const lost = updated - (await viewsOf(galley.url));
    return [row(name === "sqlite" ? "SQLite" : "MongoDB", figuresOf(figures, "galley"), lost)];
  });
}

interface Drawn {
  readonly kind: Kind;
  readonly document: number;
}

/** 80 % read, 15 % query, 5 % update. The popular ones lie anywhere among the ids. */
function draw(count: number, length: number): Drawn[] {
  const random = seeded(SEED);
  const rank = zipf(count, EXPONENT, random);
  return Array.from({ length }, () => {
    const share = random();
    return { kind: share < 0.8 ? "read" : share < 0.95 ? "query" : "update", document: (rank() * 48_271) % count };
  });
}

function requestOf({ kind, document }: Drawn): LoadRequest {
  const path = `/v1/documents/posts/${postId(document)}`;
  switch (kind) {
    case "read":
      return { method: "GET", path, headers: HEADERS };
    case "update":
      return { method: "PATCH", path, headers: JSON_HEADERS, body: '{"$inc":{"views":1}}' };
    case "query": {
      const question = { filter: { author: `author-${document % 1000}` }, sort: ["-createdAt"], limit: 20 };
      return {
        method: "POST",
        path: "/v1/documents/posts/query",
        headers: JSON_HEADERS,
        body: JSON.stringify(question),
      };
    }
  }
}

/** How many updates are stored. */
async function viewsOf(url: string): Promise<number> {
  const { body } = await request(`${url}/v1/documents/posts/aggregate`, {
    method: "POST",
    headers: JSON_HEADERS,
    body: JSON.stringify({ group: [], out: { views: { sum: "views" } } }),
  });
  const { groups } = (await body.json()) as { groups: { out: { views: number } }[] };
  return groups[0]?.out.views ?? 0;
}

function row(on: string, figures: Figures, lost: number): ReportRow {
  const { p50, p99, kinds } = figures;
  const each = Object.entries(kinds).map(([kind, of]) => `${kind} ${of.p50.toFixed(1)} / ${of.p99.toFixed(1)} ms`);
  const wrong = figures.wrong + Math.abs(lost);
  return {
    what: `B6 mixed on ${on}, 64 in flight`,
    ours: describe(figures),
    ceiling: "-",
    ratio: p99 / p50,
    spread: figures.spread,
    target: "p99 <= 5 x p50",
    met: p99 <= 5 * p50 && wrong === 0,
    note: `p50 / p99: ${each.sort().join(", ")}; without live queries, updates lost ${lost}, wrong ${wrong}`,
    figures: { galley: flat(figures) },
  };
}
