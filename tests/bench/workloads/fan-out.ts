import { type Engine, onEachEngine } from "../harness/engines.ts";
import { type Audience, type Delivered, Listeners } from "../harness/live-load.ts";
import { runPaced } from "../harness/paced-load.ts";
import { BEHIND_PROXY } from "../harness/people.ts";
import { post } from "../harness/post.ts";
import { declare, HEADERS } from "../harness/posts.ts";
import { BENCH_KEY, residentBytes, type Served, serveCeiling, serveGalley } from "../harness/process.ts";
import { type ReportRow, rate, type Workload } from "../harness/report.ts";
import { median } from "../harness/rounds.ts";
import { withServers } from "../harness/servers.ts";

/**
 * B8: every socket shows one query, and is sent each write. Then whether one that reads no more is felt by the others, and
 * what one that is idle takes.
 */
export const fanOut: Workload = {
  name: "fan-out",
  covers: ["B8", "P10"],
  run: (options) => onEachEngine(options, (engine) => fanOutOn(engine, options.smoke)),
};

const COLLECTION = "news";
const DOCUMENTS = 8;
const IN_FLIGHT = 4;
/** Of what was reached, at which latency is told. */
const HALF = 0.5;
const TARGETS = { ofCeiling: 0.8, perCpuSecond: 40_000, p50: 5, p99: 25, rise: 1.1 } as const;
const MEBIBYTE = 2 ** 20;

const JSON_HEADERS = { ...HEADERS, "content-type": "application/json" };
const HELLO = { t: "hello", v: 1, token: BENCH_KEY };

interface Size {
  readonly sockets: number;
  /** How often all sockets are opened, and rounds until they are closed: to open them takes longer than to measure. */
  readonly openings: number;
  readonly rounds: number;
  readonly seconds: number;
}

function sizesOf(engine: Engine["name"], smoke: boolean): readonly Size[] {
  if (smoke) return [{ sockets: 20, openings: 1, rounds: 1, seconds: 0.1 }];
  const thousand = { sockets: 1000, openings: 6, rounds: 1, seconds: 0.7 };
  // What a store tells is sent by the same code, whichever it is.
  if (engine === "mongodb") return [thousand];
  return [{ ...thousand, sockets: 100 }, thousand, { sockets: 10_000, openings: 3, rounds: 2, seconds: 1 }];
}

function fanOutOn({ name, folder, env }: Engine, smoke: boolean): Promise<ReportRow[]> {
  return withServers(async (serve) => {
    const galley = await serve(serveGalley(folder, { ...env, ...BEHIND_PROXY }));
    const ceiling = await serve(serveCeiling("fan-out", {}));
    await declare(galley.url, COLLECTION, []);
    const on = name === "sqlite" ? "SQLite" : "MongoDB";
    const rows: ReportRow[] = [];
    for (const size of sizesOf(name, smoke)) rows.push(...(await compared(galley, ceiling, size, on)));
    if (name === "mongodb") return rows;
    rows.push(await idleRow(galley, smoke ? 50 : 5000));
    rows.push(await stoppedRow(galley, smoke ? { sockets: 10, rounds: 0, seconds: 0.3 } : STOPPED));
    return rows;
  });
}

function showing(server: Served, sockets: number): Audience {
  // A document that is replaced by its like is not written.
  const since = performance.now();
  return {
    ...{ server, sockets, ready: '"snapshot"' },
    says: () => [HELLO, { t: "sub", s: 1, q: { collection: COLLECTION, find: {} } }],
    write: (seq) => ({
      method: "PUT",
      path: `/v1/documents/${COLLECTION}/d${seq % DOCUMENTS}`,
      headers: JSON_HEADERS,
      body: JSON.stringify({ seq, since, ...post(seq) }),
    }),
  };
}

/** As many bytes a frame as Galley sends. */
function framed(server: Served, sockets: number): Audience {
  const around = { t: "commit", pos: `${"0".repeat(8)}.${"0".repeat(16)}`, prev: `${"0".repeat(8)}.${"0".repeat(16)}` };
  const stamps = { _id: "d1", _v: 1_000_000, _createdAt: new Date(0), _updatedAt: new Date(0), w: "AAAAAAAAAAAA" };
  return {
    ...{ server, sockets, ready: '"welcome"' },
    says: () => [HELLO],
    write: (seq) => ({
      ...{ method: "POST", path: "/", headers: {} },
      body: JSON.stringify({ ...around, ...stamps, seq, since: 1000.123456, ...post(seq) }),
    }),
  };
}

interface Round {
  readonly flood: Delivered;
  readonly half: Delivered;
}

/** Galley and the ceiling in turn; more than so many sockets are not open at once. */
async function compared(galley: Served, ceiling: Served, size: Size, on: string): Promise<ReportRow[]> {
  const ours: Round[] = [];
  const theirs: Round[] = [];
  for (let opening = 0; opening < size.openings; opening++) {
    ours.push(...(await roundsOf(showing(galley, size.sockets), size)));
    theirs.push(...(await roundsOf(framed(ceiling, size.sockets), size)));
  }
  // The first warms up.
  if (ours.length > 1) for (const rounds of [ours, theirs]) rounds.shift();
  return rowsOf(`B8 fan-out on ${on}, ${size.sockets} sockets`, size.sockets, ours, theirs);
}

async function roundsOf(audience: Audience, { rounds, seconds }: Size): Promise<Round[]> {
  const listeners = await Listeners.open(audience);
  const measured: Round[] = [];
  try {
    while (measured.length < rounds) {
      const flood = await listeners.flood(seconds, IN_FLIGHT);
      const perSecond = flood.deliveries / audience.sockets / flood.seconds;
      measured.push({ flood, half: await listeners.pace(seconds, Math.max(1, perSecond * HALF)) });
    }
    return measured;
  } finally {
    await listeners.close();
  }
}

function rowsOf(what: string, sockets: number, ours: readonly Round[], theirs: readonly Round[]): ReportRow[] {
  const perCpu = (of: readonly Round[]) => of.map(({ flood }) => flood.deliveries / flood.cpu);
  const [mine, other] = [perCpu(ours), perCpu(theirs)];
  const latency = (of: readonly Round[], at: "p50" | "p99") => median(of.map(({ half }) => half[at]));
  const wrong = [...ours, ...theirs].reduce((sum, { flood, half }) => sum + flood.wrong + half.wrong, 0);
  const ratio = median(mine) / median(other);
  const enough = sockets !== 1000 || median(mine) >= TARGETS.perCpuSecond;
  const told = (of: readonly Round[], rates: readonly number[]) =>
    `${rate(median(rates))} deliveries/CPU-s, at half load p50 ${latency(of, "p50").toFixed(1)} ms, p99 ${latency(of, "p99").toFixed(1)} ms`;
  const row = { ours: told(ours, mine), ceiling: `L6 ${told(theirs, other)}` };
  return [
    {
      ...{ what, ...row, ratio },
      spread: (Math.max(...mine) - Math.min(...mine)) / median(mine),
      target: sockets === 1000 ? ">= 0.80, >= 40k" : ">= 0.80",
      met: ratio >= TARGETS.ofCeiling && enough && wrong === 0,
      note: `${rate(median(ours.map(({ flood }) => flood.deliveries / flood.seconds)))} deliveries/s, wrong ${wrong}`,
    },
    {
      ...{ what: `${what}, at half load`, ...row },
      ratio: latency(ours, "p99"),
      target: "p50 <= 5 ms, p99 <= 25 ms",
      met: latency(ours, "p50") <= TARGETS.p50 && latency(ours, "p99") <= TARGETS.p99 && wrong === 0,
      note: `wrong ${wrong}`,
    },
  ];
}

/** What a socket takes that shows a query nothing happens to. */
async function idleRow(galley: Served, sockets: number): Promise<ReportRow> {
  const before = residentBytes(galley.pid);
  const listeners = await Listeners.open(showing(galley, sockets));
  const each = (residentBytes(galley.pid) - before) / sockets / 1024;
  await listeners.close();
  return {
    what: `B8 memory of an idle socket, ${sockets} of them`,
    ours: `${each.toFixed(1)} KiB resident`,
    ceiling: "-",
    ratio: Math.max(0, each),
    target: "told",
    met: true,
    note: `the server before it ${(before / MEBIBYTE).toFixed(0)} MiB, wrong 0`,
  };
}

const STOPPED = { sockets: 1000, rounds: 5, seconds: 3 };
/** Writes a second that all are sent, and that the first alone is sent. */
const PER_SECOND = { light: 30, heavy: 15 };
const HEAVY = "heavy";
const HEAVY_CHARACTERS = 200_000;

/** P10: the first one is sent much more than the others, and reads it, or does not. */
async function stoppedRow(galley: Served, { sockets, rounds, seconds }: typeof STOPPED): Promise<ReportRow> {
  await declare(galley.url, HEAVY, []);
  const taken = { reads: [] as number[], stopped: [] as number[] };
  let wrong = 0;
  for (let round = 0; round <= rounds; round++) {
    for (const kind of ["reads", "stopped"] as const) {
      const listeners = await Listeners.open(withHeavy(showing(galley, sockets)), 1);
      if (kind === "stopped") listeners.crowd.members[0]?.stop();
      const [half] = await Promise.all([listeners.pace(seconds, PER_SECOND.light), writeHeavy(galley, seconds)]);
      wrong += half.wrong;
      if (round > 0 || rounds === 0) taken[kind].push(half.p99);
      await listeners.close();
    }
  }
  const [stopped, reads] = [median(taken.stopped), median(taken.reads)];
  return {
    what: `P10 ${sockets - 1} sockets beside one that reads no more`,
    ours: `p99 ${stopped.toFixed(2)} ms`,
    ceiling: `p99 ${reads.toFixed(2)} ms beside one that reads`,
    ratio: stopped / reads,
    spread: (Math.max(...taken.stopped) - Math.min(...taken.stopped)) / stopped,
    target: "<= 1.10",
    met: stopped <= reads * TARGETS.rise && wrong === 0,
    note: `wrong ${wrong}`,
  };
}

/** The first one shows large documents too. */
function withHeavy(audience: Audience): Audience {
  const heavy = { t: "sub", s: 2, q: { collection: HEAVY, find: {} } };
  return { ...audience, says: (n) => [...audience.says(n), ...(n === 0 ? [heavy] : [])] };
}

/** More than a network takes for somebody who reads nothing, within seconds. */
async function writeHeavy(galley: Served, seconds: number): Promise<void> {
  const body = JSON.stringify({ text: "x".repeat(HEAVY_CHARACTERS) });
  const write = { method: "PUT", path: `/v1/documents/${HEAVY}/one`, headers: JSON_HEADERS, body } as const;
  await runPaced({
    ...{ url: galley.url, connections: 1, seconds, perSecond: PER_SECOND.heavy, request: () => write },
    check: (status) => status < 300,
  });
}
