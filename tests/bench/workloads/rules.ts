import { type Engine, onEachEngine } from "../harness/engines.ts";
import type { Load } from "../harness/load.ts";
import { signUpMany } from "../harness/people.ts";
import { post, postId } from "../harness/post.ts";
import { declare, HEADERS, importLines } from "../harness/posts.ts";
import { serveCeiling, serveGalley } from "../harness/process.ts";
import type { ReportRow, Workload } from "../harness/report.ts";
import { type Contestant, interleave } from "../harness/rounds.ts";
import { atLeast, type Comparison, compare, TOLD } from "../harness/rows.ts";
import { withServers } from "../harness/servers.ts";

const PAGE = 20;
const OWN = { author: "$auth.id" };
/** Everybody may read what is public; what is owned is its owner's. */
const RULES = {
  format: 1,
  collections: { public: { list: true, get: true }, owned: { list: OWN, get: "list" } },
};

/** B1 and B5 by a signed token under an owner rule, beside the same of a key and of anybody. */
export const rules: Workload = {
  name: "rules",
  covers: ["B1", "B2", "B5"],
  run: (options) => onEachEngine(options, (engine) => rulesOn(engine, options.smoke)),
};

function rulesOn({ name, folder, env, ceilingEnv, databasePid }: Engine, smoke: boolean): Promise<ReportRow[]> {
  return withServers(async (serve) => {
    const count = smoke ? 500 : 100_000;
    // Of the ceiling's authors each has as many posts as a page needs.
    const size = { BENCH_COUNT: String(count), BENCH_AUTHORS: String(count / 100) };
    const ceiling = await serve(serveCeiling(name, { ...ceilingEnv, ...size }));
    const galley = await serve(serveGalley(folder, env));
    const [owner] = await signUpMany(galley.url, 1, () => "owner@example.org");
    if (!owner) throw new Error("nobody signed up");
    for (const collection of Object.keys(RULES.collections)) {
      await declare(galley.url, collection, [{ paths: ["author", "-createdAt"] }]);
      await importLines(galley.url, collection, postsOf(owner.user.id, count));
    }
    await publish(galley.url);

    const token = { authorization: `Bearer ${owner.accessToken}` };
    const pick = (n: number) => postId((n * 48_271) % count);
    const reading = (path: string, headers: Record<string, string>): Reading => ({
      request: (n) => ({ method: "GET", path: path + pick(n), headers }),
      check: (status, body, n) => status === 200 && body.includes(`"_id":"${pick(n)}"`),
    });
    const paging = (path: string, headers: Record<string, string>): Reading => ({
      request: () => ({ method: "GET", path, headers }),
      check: (status, body) => status === 200 && body.split('"_id":').length - 1 === PAGE,
    });
    const page = `?sort=-createdAt&limit=${PAGE}`;
    const contestant = (what: string, load: Reading, connections: number, server = galley): Contestant => ({
      name: what,
      server,
      load: { ...load, connections },
    });
    const contestants = [
      contestant("read, ceiling", reading("/posts/", {}), 64, ceiling),
      contestant("read, key", reading("/v1/documents/owned/", HEADERS), 64),
      contestant("read, anybody", reading("/v1/documents/public/", {}), 64),
      contestant("read, owner", reading("/v1/documents/owned/", token), 64),
      contestant("page, ceiling", paging("/page?author=author-1", {}), 16, ceiling),
      contestant("page, key", paging(`/v1/documents/owned${page}&filter=${filterOf(owner.user.id)}`, HEADERS), 16),
      contestant("page, owner", paging(`/v1/documents/owned${page}`, token), 16),
    ];
    const rounds = smoke ? { rounds: 0, seconds: 0.05 } : { rounds: 5, seconds: 2 };
    const figures = await interleave(contestants, { ...rounds, databasePid });
    return comparisonsOn(name).map((comparison) => compare(figures, comparison));
  });
}

type Reading = Pick<Load, "request" | "check">;

function* postsOf(author: string, count: number): Generator<string> {
  for (let n = 0; n < count; n++) yield `${JSON.stringify({ _id: postId(n), ...post(n), author })}\n`;
}

function filterOf(author: string): string {
  return encodeURIComponent(JSON.stringify({ author }));
}

async function publish(url: string): Promise<void> {
  const answer = await fetch(`${url}/v1/admin/rules/publish`, {
    method: "POST",
    headers: { ...HEADERS, "content-type": "application/json" },
    body: JSON.stringify({ rules: RULES, ifVersion: 0, acknowledge: ["owner_not_scalar"] }),
  });
  if (answer.status !== 200) throw new Error(await answer.text());
}

function comparisonsOn(engine: Engine["name"]): Comparison[] {
  const [number, on, ceiling] = engine === "sqlite" ? ["B1", "SQLite", "L3"] : ["B2", "MongoDB", "L4"];
  const sqlite = engine === "sqlite";
  const beside = (what: string, ours: string, theirs: string, target: object) =>
    ({ what, ours, ceiling: theirs, ...TOLD, ...target }) as Comparison;
  return [
    beside(
      `${number} read on ${on}, public, against ${ceiling}`,
      "read, anybody",
      "read, ceiling",
      sqlite ? atLeast(0.7) : {},
    ),
    beside(
      `${number} read on ${on}, token and owner rule, against ${ceiling}`,
      "read, owner",
      "read, ceiling",
      sqlite ? atLeast(0.55) : {},
    ),
    beside(`${number} read on ${on}, token and owner rule, against a key`, "read, owner", "read, key", {}),
    beside(`B5 page on ${on}, token and owner rule, against ${ceiling}`, "page, owner", "page, ceiling", atLeast(0.6)),
    beside(`B5 page on ${on}, token and owner rule, against a key`, "page, owner", "page, key", {}),
  ];
}
