import { until } from "../../support/until.ts";
import { Crowd } from "../harness/crowd.ts";
import { type Engine, onEachEngine } from "../harness/engines.ts";
import { type Latencies, spreadOf } from "../harness/load.ts";
import { runPaced } from "../harness/paced-load.ts";
import { BEHIND_PROXY } from "../harness/people.ts";
import { post } from "../harness/post.ts";
import { declare, HEADERS, importLines } from "../harness/posts.ts";
import { BENCH_KEY, cpuSeconds, residentBytes, type Served, serveGalley } from "../harness/process.ts";
import type { ReportRow, Workload } from "../harness/report.ts";
import { median } from "../harness/rounds.ts";
import { withServers } from "../harness/servers.ts";

/** B9: thousands of sockets, each with questions that nobody else asks; a write concerns five of all of them. */
export const selective: Workload = {
  name: "selective",
  covers: ["B9"],
  run: (options) => onEachEngine(options, (engine) => selectiveOn(engine, options.smoke ? SMOKE : FULL[engine.name])),
};

interface Size {
  readonly sockets: number;
  readonly perSecond: number;
  readonly rounds: number;
  readonly seconds: number;
}

const FULL: Readonly<Record<Engine["name"], Size>> = {
  sqlite: { sockets: 10_000, perSecond: 500, rounds: 5, seconds: 2 },
  // To read a hundred thousand questions for the first time would take minutes.
  mongodb: { sockets: 1000, perSecond: 500, rounds: 5, seconds: 2 },
};
const SMOKE: Size = { sockets: 20, perSecond: 100, rounds: 0, seconds: 0.3 };
const COLLECTION = "topics";
/** Questions about a topic, each of another socket, and questions of a socket. */
const MATCHES = 5;
const QUESTIONS = 10;
/** How far apart the sockets are that ask about one topic. */
const STRIDE = 317;
const IN_FLIGHT = 32;
const TARGETS = { p50: 10, p99: 50 } as const;
const WAIT = 600;
const SEQ = /"seq":(\d+)/;
const JSON_HEADERS = { ...HEADERS, "content-type": "application/json" };

function selectiveOn({ name, folder, env }: Engine, size: Size): Promise<ReportRow[]> {
  return withServers(async (serve) => {
    const galley = await serve(serveGalley(folder, { ...env, ...BEHIND_PROXY }));
    return measured(galley, size, name === "sqlite" ? "SQLite" : "MongoDB");
  });
}

async function measured(galley: Served, size: Size, on: string): Promise<ReportRow[]> {
  await declare(galley.url, COLLECTION, [{ paths: ["topic", "level"] }]);
  await importLines(galley.url, COLLECTION, documentsOf(size));
  const before = residentBytes(galley.pid);
  const deliveries = new Deliveries();
  const { crowd, seconds } = await enter(galley, size, deliveries);
  const kibibytes = (residentBytes(galley.pid) - before) / 1024 / size.sockets;
  const rounds: Latencies[] = [];
  const cpu = cpuSeconds(galley.pid);
  for (let round = 0; round <= size.rounds; round++) {
    const one = await roundOf(galley, size, deliveries);
    if (round > 0 || size.rounds === 0) rounds.push(one);
  }
  const spent = cpuSeconds(galley.pid) - cpu;
  await crowd.close();
  const [p50, p99] = [median(rounds.map((one) => one.p50)), median(rounds.map((one) => one.p99))];
  const { missed, duplicate, writes } = deliveries;
  const medians = rounds.map((one) => one.p50);
  const microseconds = (spent / writes) * 1e6;
  return [
    {
      what: `B9 ${size.sockets} sockets with ${QUESTIONS} questions each, ${on}`,
      ours: `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`,
      ceiling: "-",
      ratio: p99,
      spread: (Math.max(...medians) - Math.min(...medians)) / p50,
      target: "p50 <= 10 ms, p99 <= 50 ms, missed = duplicate = 0",
      met: p50 <= TARGETS.p50 && p99 <= TARGETS.p99 && missed + duplicate === 0,
      note: `${size.perSecond} writes a second, ${microseconds.toFixed(0)} µs of CPU each; all live after ${seconds.toFixed(0)} s, ${kibibytes.toFixed(0)} KiB a socket; missed ${missed}, duplicate ${duplicate}, wrong ${missed + duplicate}`,
    },
  ];
}

/** How often each write was delivered. */
class Deliveries {
  readonly latencies: number[] = [];
  readonly #counts: number[] = [];
  readonly #due: number[] = [];

  get writes(): number {
    return this.#due.length;
  }

  get missed(): number {
    return this.#counts.filter((count) => count < MATCHES).length;
  }

  get duplicate(): number {
    return this.#counts.filter((count) => count > MATCHES).length;
  }

  /** @returns the number of the next write */
  write(due: number): number {
    this.#counts.push(0);
    return this.#due.push(due) - 1;
  }

  take(text: string): void {
    const seq = Number(SEQ.exec(text)?.[1] ?? Number.NaN);
    const due = this.#due[seq];
    if (due === undefined) return;
    this.#counts[seq] = (this.#counts[seq] ?? 0) + 1;
    this.latencies.push(performance.now() - due);
  }
}

function topicsOf({ sockets }: Size): number {
  return (sockets * QUESTIONS) / MATCHES;
}

function* documentsOf(size: Size): Generator<string> {
  for (let n = 0; n < topicsOf(size); n++) yield `${JSON.stringify({ _id: `t${n}`, topic: `topic-${n}`, level: 9 })}\n`;
}

/** Those of one socket: no two of all are alike, and those about one topic are of different sockets. */
function questionsOf(socket: number, size: Size): object[] {
  const questions: object[] = [];
  for (let level = 0; level < MATCHES; level++) {
    const first = (((socket - level * STRIDE) % size.sockets) + size.sockets) % size.sockets;
    for (let topic = first; topic < topicsOf(size); topic += size.sockets) {
      const find = { filter: { topic: `topic-${topic}`, level: { $gte: level } }, limit: 10 };
      questions.push({ t: "sub", s: questions.length, q: { collection: COLLECTION, find } });
    }
  }
  return questions;
}

async function enter({ url }: Served, size: Size, deliveries: Deliveries) {
  const began = performance.now();
  let live = 0;
  const crowd = await Crowd.open({
    ...{ url, count: size.sockets },
    says: (n) => [{ t: "hello", v: 1, token: BENCH_KEY }, ...questionsOf(n, size)],
    take(_n, bytes, start, end) {
      const text = bytes.toString("latin1", start, end);
      if (text.startsWith('{"t":"commit"')) deliveries.take(text);
      else if (text.startsWith('{"t":"snapshot"')) live++;
    },
  });
  await until(() => live === size.sockets * QUESTIONS, WAIT, "that all is live");
  return { crowd, seconds: (performance.now() - began) / 1000 };
}

async function roundOf(galley: Served, size: Size, deliveries: Deliveries): Promise<Latencies> {
  const { perSecond, seconds } = size;
  deliveries.latencies.length = 0;
  const began = performance.now();
  const load = await runPaced({
    ...{ url: galley.url, connections: IN_FLIGHT, perSecond, seconds },
    request(n) {
      const seq = deliveries.write(began + (n * 1000) / perSecond);
      const topic = (seq * 48_271) % topicsOf(size);
      const body = JSON.stringify({ topic: `topic-${topic}`, level: 9, seq, ...post(seq) });
      return { method: "PUT", path: `/v1/documents/${COLLECTION}/t${topic}`, headers: JSON_HEADERS, body };
    },
    check: (status) => status === 200,
  });
  if (load.wrong > 0) throw new Error(`${load.wrong} writes were refused`);
  // What was lost is not waited for for ever.
  await until(() => deliveries.latencies.length >= load.requests * MATCHES, 20).catch(() => {});
  return spreadOf(deliveries.latencies);
}
