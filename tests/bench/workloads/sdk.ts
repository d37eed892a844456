import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Client } from "@galley/sdk";
import { WebSocket } from "ws";
import { ROOT } from "../../support/own-modules.ts";
import { until } from "../../support/until.ts";
import { withFolder } from "../harness/folder.ts";
import { medianInterval } from "../harness/interval.ts";
import { type Post, post, postId } from "../harness/post.ts";
import { HEADERS } from "../harness/posts.ts";
import { BENCH_KEY, type Served, serveGalley } from "../harness/process.ts";
import type { ReportRow, Workload } from "../harness/report.ts";
import { median } from "../harness/rounds.ts";
import { withServers } from "../harness/servers.ts";
import { flood } from "./sdk-flood.ts";

/** B17: what a call of the SDK adds to a bare `fetch`, and a live result to a bare `ws`; what a page folds without a stutter. */
export const sdk: Workload = {
  name: "sdk",
  covers: ["B17"],
  async run({ smoke }) {
    const calls = await withFolder((folder) =>
      withServers(async (serve) => callRows(await serve(serveGalley(folder)), smoke)),
    );
    return [...calls, ...(await flood(smoke))];
  },
};

/** Microseconds. */
const MOST_ADDED = 30;
const DOCUMENTS = 100;
/** That are not counted: what is called once a piece of news is compiled after one or two thousand of them. */
const WARM_UP = 3;
const JSON_TYPE = { ...HEADERS, "content-type": "application/json" };

/** The same thing done twice. */
interface Contest {
  readonly what: string;
  readonly pairs: number;
  ours(n: number): Promise<boolean>;
  bare(n: number): Promise<boolean>;
}

interface Schema {
  posts: Omit<Post, "createdAt"> & { createdAt: Date };
  told: Schema["posts"];
  watched: Schema["posts"];
}

async function callRows({ url }: Served, smoke: boolean): Promise<ReportRow[]> {
  // As it is shipped: a loader of TypeScript would slow down every closure that it makes.
  const module = pathToFileURL(join(ROOT, "sdk/dist/node/index.js")).href;
  const { createClient } = (await import(module)) as typeof import("@galley/sdk");
  const open = () => createClient<Schema>({ url, serviceKey: BENCH_KEY, WebSocket: WebSocket as never });
  // One that watches shows its own writes, which is more than what a bare socket does.
  const [db, watcher] = [open(), open()];
  await Promise.all(Array.from({ length: DOCUMENTS }, (_, n) => store(url, "posts", n)));
  const watching = await watch(url, watcher);
  const rows: ReportRow[] = [];
  try {
    for (const contest of [getting(url, db), creating(url, db), watching.contest]) {
      const size = smoke ? { warmUp: 0, rounds: 1, pairs: 5 } : { warmUp: WARM_UP, rounds: 5, pairs: contest.pairs };
      rows.push(await rowOf(contest, size));
    }
  } finally {
    watching.close();
    watcher.close();
    db.close();
  }
  return rows;
}

async function store(url: string, collection: string, n: number): Promise<string> {
  const body = JSON.stringify({ _id: postId(n), ...post(n), author: "author-1" });
  const answer = await fetch(`${url}/v1/documents/${collection}`, { method: "POST", headers: JSON_TYPE, body });
  const text = await answer.text();
  if (answer.status !== 201) throw new Error(text);
  return text;
}

function getting(url: string, db: Client<Schema>): Contest {
  const posts = db.collection("posts");
  return {
    what: "get",
    pairs: 1500,
    ours: async (n) => (await posts.get(postId(n % DOCUMENTS)))?.title === `Post number ${n % DOCUMENTS}`,
    async bare(n) {
      const answer = await fetch(`${url}/v1/documents/posts/${postId(n % DOCUMENTS)}`, { headers: HEADERS });
      const { title } = (await answer.json()) as Post;
      return title === `Post number ${n % DOCUMENTS}`;
    },
  };
}

function creating(url: string, db: Client<Schema>): Contest {
  const posts = db.collection("posts");
  return {
    what: "create",
    pairs: 500,
    async ours(n) {
      const { createdAt, ...rest } = post(n);
      const made = await posts.create({ ...rest, createdAt: new Date(createdAt.$date) });
      return made.title === rest.title;
    },
    async bare(n) {
      const body = JSON.stringify({ _id: `bare-${postId(n)}`, ...post(n) });
      const answer = await fetch(`${url}/v1/documents/posts`, { method: "POST", headers: JSON_TYPE, body });
      const made = (await answer.json()) as Post;
      return made.title === `Post number ${n}`;
    },
  };
}

/** From a write to its news: of two collections alike, the SDK watches one and a bare socket the other. */
async function watch(url: string, db: Client<Schema>): Promise<{ readonly contest: Contest; close(): void }> {
  const heard = new Map<string, () => void>();
  const filter = { author: "author-1" };
  for (const collection of ["watched", "told"]) await store(url, collection, 0);
  const live = db
    .collection("watched")
    .find(filter, { sort: "-createdAt", limit: 20 })
    .live(({ data, changes }) => {
      if (data)
        for (const { type, document } of changes) if (type === "added") heard.get(`watched ${document._id}`)?.();
    });
  await live.ready;
  let frames = 0;
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/live`);
  socket.on("open", () => {
    socket.send(JSON.stringify({ t: "hello", v: 1, token: BENCH_KEY }));
    const find = { filter, sort: ["-createdAt"], limit: 20 };
    socket.send(JSON.stringify({ t: "sub", s: 1, q: { collection: "told", find } }));
  });
  socket.on("message", (text: Buffer) => {
    const frame = JSON.parse(String(text)) as { w?: Record<string, { up?: [number, { _id: string }][] }> };
    frames++;
    for (const { up } of Object.values(frame.w ?? {})) for (const [, { _id }] of up ?? []) heard.get(`told ${_id}`)?.();
  });
  await until(() => frames > 1, 20, "the bare socket's first answer");
  /** Newer than all that are there. */
  const first = 1_000_000;
  const written = async (collection: "watched" | "told", n: number): Promise<boolean> => {
    const key = `${collection} ${postId(first + n)}`;
    const told = new Promise<boolean>((resolve) => heard.set(key, () => resolve(true)));
    const answer = store(url, collection, first + n);
    const isTold = await told;
    heard.delete(key);
    await answer;
    return isTold;
  };
  return {
    contest: { what: "write to news", pairs: 500, ours: (n) => written("watched", n), bare: (n) => written("told", n) },
    close() {
      live.close();
      socket.close();
    },
  };
}

/** Milliseconds of both, and of what ours took longer, pair by pair. */
interface Round {
  readonly ours: number[];
  readonly bare: number[];
  readonly added: number[];
  wrong: number;
}

/** In rounds. */
interface Size {
  readonly warmUp: number;
  readonly rounds: number;
  readonly pairs: number;
}

async function rowOf(contest: Contest, size: Size): Promise<ReportRow> {
  const taken: Round[] = [];
  for (let round = 0; round < size.warmUp + size.rounds; round++) {
    const one: Round = { ours: [], bare: [], added: [], wrong: 0 };
    for (let i = 0; i < size.pairs; i++) {
      const n = round * size.pairs + i;
      const times = { ours: 0, bare: 0 };
      // Now one comes first, now the other.
      for (const who of i % 2 ? (["ours", "bare"] as const) : (["bare", "ours"] as const)) {
        const began = performance.now();
        const isRight = await contest[who](n);
        times[who] = performance.now() - began;
        if (!isRight) one.wrong++;
      }
      one.ours.push(times.ours);
      one.bare.push(times.bare);
      one.added.push(times.ours - times.bare);
    }
    if (round >= size.warmUp) taken.push(one);
  }
  const micro = (values: readonly number[]) => medianInterval(values).median * 1000;
  const adds = taken.map(({ added }) => micro(added));
  const all = medianInterval(taken.flatMap(({ added }) => added));
  const wrong = taken.reduce((sum, one) => sum + one.wrong, 0);
  const middle = (of: "ours" | "bare") => `p50 ${(median(taken.map((one) => micro(one[of]))) / 1000).toFixed(3)} ms`;
  const added = median(adds);
  return {
    what: `B17 ${contest.what}`,
    ours: middle("ours"),
    ceiling: `${contest.what === "write to news" ? "bare ws" : "bare fetch"} ${middle("bare")}`,
    ratio: Math.max(0, added),
    spread: (Math.max(...adds) - Math.min(...adds)) / Math.max(1, Math.abs(added)),
    target: `<= ${MOST_ADDED} µs added`,
    met: added <= MOST_ADDED && wrong === 0,
    note: `median of ${taken.length * size.pairs} pairs, 95 % from ${(all.low * 1000).toFixed(0)} to ${(all.high * 1000).toFixed(0)} µs; wrong ${wrong}`,
  };
}
