import { resultHash } from "#protocol/delta";
import type { Have } from "#protocol/frames";
import { until } from "../../support/until.ts";
import { Connection } from "../harness/connection.ts";
import { Crowd } from "../harness/crowd.ts";
import { type Engine, onEachEngine } from "../harness/engines.ts";
import { KnownFrames } from "../harness/known-frames.ts";
import { serveOwnGalley } from "../harness/own-galley.ts";
import { BEHIND_PROXY } from "../harness/people.ts";
import { postId } from "../harness/post.ts";
import { declare, HEADERS, importPosts } from "../harness/posts.ts";
import { BENCH_KEY, cpuSeconds, type Served } from "../harness/process.ts";
import type { ReportRow, Workload } from "../harness/report.ts";

/**
 * B16: thousands of sockets are cut at once and come back at once with what they hold, while documents are written. Then
 * the server stops and another takes its place.
 */
export const storm: Workload = {
  name: "storm",
  covers: ["B16"],
  run: (options) => onEachEngine(options, (engine) => stormOn(engine, options.smoke ? SMOKE : FULL)),
};

interface Size {
  readonly sockets: number;
  /** Distinct questions; as many authors. */
  readonly questions: number;
  readonly posts: number;
}

const FULL: Size = { sockets: 5000, questions: 100, posts: 5000 };
const SMOKE: Size = { sockets: 20, questions: 4, posts: 40 };
const SECONDS = 5;
const WAIT = 120;
const LIMIT = 20;
const DRAINING = 1012;
const WRITE_MILLISECONDS = 5;

const JSON_HEADERS = { ...HEADERS, "content-type": "application/json" };

interface Frame {
  readonly t: string;
  readonly pos: string;
  readonly shape?: string;
  readonly rows?: readonly Row[];
  readonly w?: string | Readonly<Record<string, Delta>>;
}

interface Delta {
  readonly prev: string;
  readonly up?: readonly (readonly [number, Row])[];
}

interface Row {
  readonly _id: string;
  readonly _v: number;
}

async function stormOn({ name, folder, env }: Engine, size: Size): Promise<ReportRow[]> {
  const on = name === "sqlite" ? "SQLite" : "MongoDB";
  const start = () => serveOwnGalley("counting-galley", folder, { ...env, ...BEHIND_PROXY });
  let galley = await start();
  try {
    await declare(galley.url, "posts", [{ paths: ["author", "-createdAt"] }]);
    await importPosts(galley.url, "posts", size.posts, size.questions);
    const people = new Clients(size);
    const crowd = await people.enter(galley);

    const writing = keepWriting(galley, size);
    await crowd.close();
    await writing.wrote(size.questions);
    const before = await readsOf(galley);
    const spent = cpuOf(galley);
    const began = performance.now();
    const again = await people.enter(galley);
    const seconds = (performance.now() - began) / 1000;
    const cpu = cpuOf(galley).map((now, i) => now - (spent[i] as number));
    const reads = (await readsOf(galley)) - before;
    const refused = await writing.stop();
    const missed = await people.missed(galley);
    const wrong = missed + refused + people.gaps;
    const rows = [stormRow({ on, size, seconds, cpu, reads, wrong })];

    const drained = keepWriting(galley, size);
    await drained.wrote(size.questions);
    const since = performance.now();
    await galley.end("SIGTERM");
    await drained.stop();
    await until(() => again.members.every(({ isGone }) => isGone), WAIT);
    const stopped = (performance.now() - since) / 1000;
    const { farewells, gaps } = people;
    galley = await start();
    const last = await people.enter(galley);
    rows.push(drainRow({ on, size, farewells, stopped, gaps, missed: await people.missed(galley) }));
    await last.close();
    return rows;
  } finally {
    await galley.end("SIGTERM");
  }
}

/** What each client holds of its question, folded from what it is told. */
class Clients {
  readonly #size: Size;
  readonly #rows: Row[][];
  readonly #shapes: string[];
  /** How far each has been told. */
  readonly #positions: string[];
  /** How many were told `bye`, and then closed with its code. */
  farewells = 0;
  /** How often one was told a change that follows on one it was not told. */
  gaps = 0;

  constructor(size: Size) {
    this.#size = size;
    this.#rows = Array.from({ length: size.sockets }, () => []);
    this.#shapes = Array.from({ length: size.sockets }, () => "");
    this.#positions = Array.from({ length: size.sockets }, () => "");
  }

  /** All at once, with what they hold. Resolves when each shows its question again. */
  async enter({ url }: Served): Promise<Crowd> {
    const { sockets } = this.#size;
    const known = new KnownFrames((text) => JSON.parse(text) as Frame);
    const bye = new Uint8Array(sockets);
    let live = 0;
    const crowd = await Crowd.open({
      ...{ url, count: sockets, atOnce: 500 },
      says: (n) => [
        { t: "hello", v: 1, token: BENCH_KEY },
        { t: "sub", s: 1, q: questionOf(n, this.#size), ...this.#have(n) },
      ],
      take: (n, bytes, start, end) => {
        // What most are told is like nothing that others are told.
        const isOwn = bytes.toString("latin1", start, start + CURRENT.length) === CURRENT;
        const frame = isOwn ? (JSON.parse(bytes.toString("latin1", start, end)) as Frame) : known.of(bytes, start, end);
        if (frame.t === "snapshot" || frame.t === "current") live++;
        if (frame.t === "bye") bye[n] = 1;
        this.#fold(n, frame);
      },
      closed: (n, code) => {
        if (code === DRAINING && bye[n] === 1) this.farewells++;
      },
    });
    await until(() => live === sockets, WAIT, `${sockets} live sockets`);
    return crowd;
  }

  /** How many hold something else than what is stored, once nothing is written any more. */
  async missed({ url }: Served): Promise<number> {
    const { questions } = this.#size;
    const stored: string[] = [];
    for (let n = 0; n < questions; n++) stored.push(hashOf(await rowsOf(url, questionOf(n, this.#size).find)));
    const wrong = () => this.#rows.filter((rows, n) => hashOf(rows) !== stored[n % questions]).length;
    await until(() => wrong() === 0, SECONDS).catch(() => {});
    return wrong();
  }

  #have(n: number): { readonly have?: Have } {
    const shape = this.#shapes[n] as string;
    return shape === "" ? {} : { have: { shape, hash: hashOf(this.#rows[n] as Row[]) } };
  }

  #fold(n: number, frame: Frame): void {
    if (frame.rows) this.#rows[n] = [...frame.rows];
    if (frame.shape !== undefined) this.#shapes[n] = frame.shape;
    const stood = this.#positions[n] as string;
    this.#positions[n] = frame.pos;
    if (frame.t !== "commit" || typeof frame.w !== "object") return;
    for (const { prev, up = [] } of Object.values(frame.w)) {
      if (prev > stood) this.gaps++;
      // Only versions change: rows stay where they are.
      for (const [index, row] of up) (this.#rows[n] as Row[])[index] = row;
    }
  }
}

const CURRENT = '{"t":"current"';

/** CPU seconds of a server, and of this process. */
function cpuOf({ pid }: Served): readonly [server: number, clients: number] {
  return [cpuSeconds(pid), cpuSeconds(process.pid)];
}

function questionOf(n: number, { questions }: Size) {
  const find = { filter: { author: `author-${n % questions}` }, sort: ["-createdAt"], limit: LIMIT, select: ["likes"] };
  return { collection: "posts", find };
}

function hashOf(rows: readonly Row[]): string {
  return resultHash(rows.map((row) => JSON.stringify(row)));
}

async function rowsOf(url: string, find: object): Promise<readonly Row[]> {
  const body = JSON.stringify(find);
  const answer = await fetch(`${url}/v1/documents/posts/query`, { method: "POST", headers: JSON_HEADERS, body });
  return ((await answer.json()) as { documents: readonly Row[] }).documents;
}

/** Writes one document after the other, every few milliseconds. */
function keepWriting({ url }: Served, { posts }: Size) {
  const connection = new Connection(url);
  let count = 0;
  let refused = 0;
  let writing = true;
  const run = async () => {
    for (; writing; count++) {
      const n = (count * 48_271) % posts;
      const body = JSON.stringify({ $inc: { likes: 1 } });
      const path = `/v1/documents/posts/${postId(n)}`;
      const sent = connection.send({ method: "PATCH", path, headers: JSON_HEADERS, body });
      const { status } = await sent.catch(() => ({ status: 0 }));
      // Whoever is told that the server stops, or not answered any more, does not go on.
      if (status === 0 || status === 503) return;
      if (status !== 200) refused++;
      await new Promise((resolve) => setTimeout(resolve, WRITE_MILLISECONDS));
    }
  };
  const running = run();
  return {
    wrote: (more: number) => {
      const goal = count + more;
      return until(() => count >= goal);
    },
    /** @returns how many were refused */
    async stop(): Promise<number> {
      writing = false;
      await running;
      connection.close();
      return refused;
    },
  };
}

async function readsOf(galley: Served): Promise<number> {
  const told = () => [...galley.said().matchAll(/reads (\d+) \n/g)];
  const before = told().length;
  process.kill(galley.pid, "SIGUSR2");
  await until(() => told().length > before);
  return Number(told().at(-1)?.[1]);
}

interface Storm {
  readonly on: string;
  readonly size: Size;
  readonly seconds: number;
  /** Seconds of the server, and of all clients. */
  readonly cpu: readonly number[];
  readonly reads: number;
  readonly wrong: number;
}

function stormRow({ on, size: { sockets, questions }, seconds, cpu, reads, wrong }: Storm): ReportRow {
  const [ours = 0, theirs = 0] = cpu.map((all) => ((all / sockets) * 1e6).toFixed(0));
  return {
    what: `B16 ${sockets} sockets come back at once, ${on}`,
    ours: `${seconds.toFixed(2)} s, ${reads} reads`,
    ceiling: `${SECONDS} s, ${questions} questions`,
    ratio: seconds / SECONDS,
    target: "<= 5 s, <= 1 read a question",
    met: seconds <= SECONDS && reads <= questions && wrong === 0,
    note: `${ours} µs of CPU a socket, and ${theirs} of its client; wrong ${wrong}`,
  };
}

interface Drained {
  readonly on: string;
  readonly size: Size;
  readonly farewells: number;
  readonly stopped: number;
  readonly gaps: number;
  readonly missed: number;
}

function drainRow({ on, size: { sockets }, farewells, stopped, gaps, missed }: Drained): ReportRow {
  const wrong = sockets - farewells + gaps + missed;
  return {
    what: `B16 ${sockets} sockets of a server that stops, ${on}`,
    ours: `all closed with bye after ${stopped.toFixed(2)} s`,
    ceiling: "-",
    ratio: stopped,
    target: "every one told, none misses a write",
    met: wrong === 0,
    note: `without bye ${sockets - farewells}, gaps ${gaps}, missed ${missed}, wrong ${wrong}`,
  };
}
