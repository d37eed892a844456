import { request } from "undici";
import { type Engine, onEachEngine } from "../harness/engines.ts";
import type { Load } from "../harness/load.ts";
import { declare, HEADERS, importPosts } from "../harness/posts.ts";
import { serveCeiling, serveGalley } from "../harness/process.ts";
import type { ReportRow, Workload } from "../harness/report.ts";
import { type Contestant, type Figures, interleave } from "../harness/rounds.ts";
import { atLeast, type Comparison, compare, TOLD } from "../harness/rows.ts";
import { withServers } from "../harness/servers.ts";

const PAGE = 20;
const INDEXES = [{ paths: ["author", "-createdAt"] }, { paths: ["-createdAt"] }];

type PageLoad = Omit<Load, "seconds" | "url">;

/** B5: 20 posts of an author, newest first, by an index; page 1, page 500, a filter of three conditions; two sizes. */
export const page: Workload = {
  name: "page",
  covers: ["B5"],
  run: (options) => onEachEngine(options, (engine) => pageOn(engine, options.smoke ? SMOKE : SIZES[engine.name])),
};

interface Sizes {
  readonly smoke: boolean;
  readonly small: Size;
  readonly large: Size;
  /** The page that is deep in the collection. */
  readonly deep: number;
}

/** So many posts; each author has a whole page of them at least. */
interface Size {
  readonly count: number;
  readonly authors: number;
}

const SMALL = { count: 1000, authors: 50 };
const MILLION = { small: SMALL, large: { count: 1_000_000, authors: 1000 }, deep: 500, smoke: false };
const SIZES: Readonly<Record<Engine["name"], Sizes>> = { sqlite: MILLION, mongodb: MILLION };
const SMOKE = { small: { count: 100, authors: 5 }, large: { count: 1000, authors: 50 }, deep: 5, smoke: true };

function pageOn(engine: Engine, { smoke, small, large, deep }: Sizes): Promise<ReportRow[]> {
  const { name, folder, env, ceilingEnv, databasePid } = engine;
  return withServers(async (serve) => {
    const posts = { BENCH_COUNT: String(large.count), BENCH_AUTHORS: String(large.authors) };
    const ceiling = await serve(serveCeiling(name, { ...ceilingEnv, ...posts }));
    const galley = await serve(serveGalley(folder, env));
    for (const [collection, { count, authors }] of Object.entries({ small, large })) {
      await declare(galley.url, collection, INDEXES);
      await importPosts(galley.url, collection, count, authors);
    }
    const after = await cursorOf(galley.url, "large", deep - 1);
    const author = (n: number, of: Size) => `author-${(n * 389) % of.authors}`;
    const three = (n: number) => ({ author: author(n, large), status: "published", likes: { $gte: 10 } });
    const contestants: Contestant[] = [
      load("page 1 of large", "large", (n) => ({ filter: { author: author(n, large) } })),
      { name: CEILINGS[name], server: ceiling, load: theirs((n) => author(n, large)) },
      load("page 1 of small", "small", (n) => ({ filter: { author: author(n, small) } })),
      load("newest, page 1", "large", () => ({})),
      load("newest, deep", "large", () => ({ after })),
      load("three conditions", "large", (n) => ({ filter: three(n) }), smoke ? 1 : PAGE),
    ];
    function load(name: string, collection: string, query: (n: number) => Query, least = PAGE): Contestant {
      return { name, server: galley, load: ours(collection, query, least) };
    }
    const rounds = smoke ? { rounds: 0, seconds: 0.05 } : { rounds: 5, seconds: 2 };
    const figures = await interleave(contestants, { ...rounds, databasePid });
    return rowsOf(name, figures, { smoke, small, large, deep });
  });
}

const CEILINGS = { sqlite: "L3", mongodb: "L4" } as const;

interface Query {
  readonly filter?: object;
  readonly after?: string;
}

function ours(collection: string, query: (n: number) => Query, least: number): PageLoad {
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
    check: (status, body) => status === 200 && documentsIn(body) >= least,
  };
}

function theirs(author: (n: number) => string): PageLoad {
  return {
    connections: 16,
    request: (n) => ({ method: "GET", path: `/page?author=${author(n)}`, headers: {} }),
    check: (status, body) => status === 200 && documentsIn(body) === PAGE,
  };
}

function documentsIn(body: string): number {
  return body.startsWith('{"documents":[') ? body.split('"_id":').length - 1 : 0;
}

/** The cursor after `pages` pages of the newest posts. */
async function cursorOf(url: string, collection: string, pages: number): Promise<string> {
  let after: string | undefined;
  for (let n = 0; n < pages; n++) {
    const { path } = ours(collection, () => (after === undefined ? {} : { after }), PAGE).request(n);
    const { body } = await request(url + path, { headers: HEADERS });
    const answer = (await body.json()) as { documents: { title: string }[]; next: string };
    if (answer.documents.length !== PAGE) throw new Error(`page ${n + 1} holds ${answer.documents.length} documents`);
    after = answer.next;
  }
  if (after === undefined) throw new Error("the pages ended early");
  return after;
}

function rowsOf(
  engine: Engine["name"],
  figures: ReadonlyMap<string, Figures>,
  { small, large, deep }: Sizes,
): ReportRow[] {
  const p50 = (most: number) => ({
    ratio: (ours: Figures, other: Figures) => ours.p50 / other.p50,
    target: `p50 <= ${most} x`,
    met: (_ours: Figures, _other: Figures, ratio: number) => ratio <= most,
  });
  const on = engine === "sqlite" ? "SQLite" : "MongoDB";
  const ceiling = CEILINGS[engine];
  const sizes = `${small.count} -> ${large.count}`;
  const comparisons: Comparison[] = [
    { what: `B5 page on ${on}`, ours: "page 1 of large", ceiling, ...atLeast(0.6) },
    { what: `B5 page on ${on}, growth ${sizes}`, ours: "page 1 of large", ceiling: "page 1 of small", ...p50(2) },
    { what: `B5 page on ${on}, page ${deep}`, ours: "newest, deep", ceiling: "newest, page 1", ...p50(1.2) },
    { what: `B5 page on ${on}, three conditions`, ours: "three conditions", ceiling, ...TOLD },
  ];
  return comparisons.map((comparison) => compare(figures, comparison));
}
