import { type Engine, onEachEngine } from "../harness/engines.ts";
import { type LoadRequest, runLoad } from "../harness/load.ts";
import { post, postId } from "../harness/post.ts";
import { declare, HEADERS } from "../harness/posts.ts";
import { serveGalley } from "../harness/process.ts";
import { type ReportRow, rate, type Workload } from "../harness/report.ts";
import { compareEnds, type Sample, watch } from "../harness/watch.ts";

/** T14: ten minutes of everything that documents can do, over the same 5,000 of them; nothing may grow. */
export const soak: Workload = {
  name: "soak",
  covers: ["T14"],
  byNameOnly: true,
  run: (options) => onEachEngine(options, (engine) => soakOn(engine, options.smoke ? SMOKE : LONG)),
};

interface Length {
  readonly seconds: number;
  /** After so many requests each connection is closed and another opened. */
  readonly life: number;
  readonly everyMs: number;
}

const LONG: Length = { seconds: 600, life: 20_000, everyMs: 250 };
const SMOKE: Length = { seconds: 1, life: 50, everyMs: 20 };
const DOCUMENTS = 5000;
const CONNECTIONS = 16;

async function soakOn({ name, folder, env }: Engine, { seconds, life, everyMs }: Length): Promise<ReportRow[]> {
  const galley = await serveGalley(folder, env);
  try {
    await declare(galley.url, "posts", [{ paths: ["author", "-createdAt"] }]);
    const watching = watch(galley, folder, everyMs);
    const end = performance.now() + seconds * 1000;
    const totals = { requests: 0, wrong: 0 };
    let from = 0;
    while (performance.now() < end) {
      const left = (end - performance.now()) / 1000;
      const load = { url: galley.url, connections: CONNECTIONS, seconds: left, requests: life };
      const start = from;
      const measured = await runLoad({ ...load, request: (n) => requestOf(start + n), check: isRight });
      totals.requests += measured.requests;
      totals.wrong += measured.wrong;
      from += measured.requests;
    }
    const samples = await watching.stop();
    const note = `${rate(totals.requests / seconds)}/s, wrong ${totals.wrong}`;
    return FIGURES.filter(({ figure }) => figure !== "wal" || name === "sqlite").map((figure) =>
      rowOf(name, samples, figure, note, totals.wrong),
    );
  } finally {
    await galley.end("SIGTERM");
  }
}

interface Figure {
  readonly figure: keyof Sample;
  readonly what: string;
  readonly unit: string;
  /** Of the samples that the told value is above. */
  readonly share: number;
  /** How far its noise goes. */
  readonly most: (early: number) => number;
}

/** What may not grow. */
const FIGURES: readonly Figure[] = [
  { figure: "memory", what: "resident memory", unit: "MiB", share: 0.5, most: (early) => early * 1.1 + 8 },
  { figure: "handles", what: "open handles", unit: "", share: 0.5, most: (early) => early + 4 },
  { figure: "wal", what: "log of SQLite", unit: "MiB", share: 0.5, most: (early) => early * 1.5 + 16 },
  { figure: "delay", what: "event-loop delay p95", unit: "ms", share: 0.95, most: (early) => early * 2 + 5 },
];

function rowOf(
  engine: string,
  samples: readonly Sample[],
  { figure, what, unit, share, most }: Figure,
  note: string,
  wrong: number,
): ReportRow {
  const { early, late } = compareEnds(samples, figure, share);
  const peak = samples.reduce((highest, sample) => Math.max(highest, sample[figure]), 0);
  return {
    what: `T14 ${engine}: ${what}`,
    ours: `${early.toFixed(1)} -> ${late.toFixed(1)} ${unit}, peak ${peak.toFixed(1)}`,
    ceiling: "-",
    ratio: early === 0 ? 1 : late / early,
    target: `<= ${most(early).toFixed(1)}`,
    met: late <= most(early) && wrong === 0,
    note,
  };
}

const JSON_HEADERS = { ...HEADERS, "content-type": "application/json" };

/** The `n`-th request: each document is created, read, changed, asked for and deleted again in turn. */
function requestOf(n: number): LoadRequest {
  const id = postId(Math.floor(n / 10) % DOCUMENTS);
  const path = `/v1/documents/posts/${id}`;
  const keyed: Record<string, string> = n % 200 < 10 ? { "idempotency-key": `soak-${n}` } : {};
  switch (n % 10) {
    case 0:
      return { method: "PUT", path, headers: { ...JSON_HEADERS, ...keyed }, body: JSON.stringify(post(n)) };
    case 1:
    case 2:
      return {
        method: "PATCH",
        path: `${path}?upsert=true`,
        headers: { ...JSON_HEADERS, ...keyed },
        body: '{"$inc":{"likes":1},"$set":{"tags":["a","b"]}}',
      };
    case 3: {
      const filter = { author: `author-${n % 1000}`, likes: { $gte: n % 100 } };
      const body = JSON.stringify({ filter, sort: ["-createdAt"], limit: 20 });
      return { method: "POST", path: "/v1/documents/posts/query", headers: JSON_HEADERS, body };
    }
    case 4: {
      const body = JSON.stringify({ filter: { author: `author-${n % 1000}` } });
      return { method: "POST", path: "/v1/documents/posts/count", headers: JSON_HEADERS, body };
    }
    case 5: {
      const change = { op: "update", collection: "posts", update: { $inc: { likes: 1 } }, upsert: true };
      const operations = [0, 1, 2].map((i) => ({ ...change, id: postId((n + i * 777) % DOCUMENTS) }));
      return {
        method: "POST",
        path: "/v1/batch",
        headers: JSON_HEADERS,
        body: JSON.stringify({ operations }),
      };
    }
    case 6:
      return { method: "DELETE", path, headers: HEADERS };
    default:
      return { method: "GET", path: `/v1/documents/posts/${postId((n * 31) % DOCUMENTS)}`, headers: HEADERS };
  }
}

/** A document may be absent, or contended for; nothing else may go wrong. */
function isRight(status: number): boolean {
  return status < 300 || status === 404 || status === 409;
}
