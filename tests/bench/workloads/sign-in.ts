import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { type Engine, onEachEngine } from "../harness/engines.ts";
import { type Latencies, runLoad } from "../harness/load.ts";
import { runPaced } from "../harness/paced-load.ts";
import { BEHIND_PROXY, comesFrom, PASSWORD, type SignedIn, signUpMany } from "../harness/people.ts";
import { postId } from "../harness/post.ts";
import { declare, HEADERS, importPosts } from "../harness/posts.ts";
import { cpuSeconds, type Served, serveCeiling, serveGalley } from "../harness/process.ts";
import type { ReportRow, Workload } from "../harness/report.ts";
import { median } from "../harness/rounds.ts";
import { withServers } from "../harness/servers.ts";
import { overload } from "./sign-in-overload.ts";

/**
 * B12: sign-ins by password, with point reads at 30 % of their load beside them. Those reads are B1's, which are SQLite's: on
 * MongoDB, whose server would share these cores with all the rest, the same is told and not judged.
 */
export const signIn: Workload = {
  name: "sign-in",
  covers: ["B12"],
  run: (options) => onEachEngine(options, (engine) => signInOn(engine, options.smoke)),
};

const IN_FLIGHT = [1, 8, 64];
const READ_SHARE = 0.3;
const READ_CONNECTIONS = 64;
/** As server/galley.cjs sets it. */
const POOL = Math.max(8, availableParallelism() + 4);
/** As many as the hash queue allows: passwords/hash-queue.ts. */
const AT_ONCE = Math.max(1, Math.min(availableParallelism() - 1, POOL - 2));
const LEAST_SHARE = 0.9;
const MOST_ADDED = 15;

const emailOf = (n: number) => `person-${n}@example.org`;

/** One turn of a contestant. */
interface Turn {
  /** Passwords that were verified, a second and for a CPU-second of the process. */
  readonly perSecond: number;
  readonly cpuMilliseconds: number;
  readonly latencies?: Latencies;
  readonly reads?: Latencies;
  readonly wrong: number;
}

type Contestant = (seconds: number) => Promise<Turn>;

function signInOn({ name, folder, env }: Engine, smoke: boolean): Promise<ReportRow[]> {
  return withServers(async (serve) => {
    const galley = await serve(serveGalley(folder, { ...env, ...BEHIND_PROXY }));
    const ceilingEnv = { BENCH_AT_ONCE: String(AT_ONCE), UV_THREADPOOL_SIZE: String(POOL) };
    const ceiling = await serve(serveCeiling("argon2", ceilingEnv));
    const posts = smoke ? 500 : 100_000;
    await declare(galley.url, "posts", []);
    await importPosts(galley.url, "posts", posts);
    const people = await signUpMany(galley.url, smoke ? 8 : 256, emailOf);
    const reads = await pacedReads(galley, posts, smoke ? 0.1 : 2);
    // More of one person's at once than the queue lets wait would be refused, and in the short form there are few people.
    const inFlight = smoke ? [8] : IN_FLIGHT;
    const contestants = contestantsOf(inFlight, { galley, ceiling, people, reads });
    const turns = await interleaved(contestants, smoke ? { rounds: 0, seconds: 0.05 } : { rounds: 5, seconds: 4 });
    const on = name === "sqlite" ? "SQLite" : "MongoDB";
    return [
      ...rowsOf(turns, inFlight, on, name === "sqlite"),
      await overload(galley.url, on, people, smoke ? 40 : 200),
    ];
  });
}

/** Reads at their share of what the server answers when it does nothing else. */
async function pacedReads(galley: Served, count: number, warmUp: number) {
  const id = (n: number) => postId((n * 48_271) % count);
  const load = {
    url: galley.url,
    connections: READ_CONNECTIONS,
    request: (n: number) => ({ method: "GET" as const, path: `/v1/documents/posts/${id(n)}`, headers: HEADERS }),
    check: (status: number, body: string, n: number) => status === 200 && body.includes(`"_id":"${id(n)}"`),
  };
  await runLoad({ ...load, seconds: warmUp });
  const full = await runLoad({ ...load, seconds: warmUp });
  const perSecond = (full.requests / full.seconds) * READ_SHARE;
  return (seconds: number) => runPaced({ ...load, seconds, perSecond, sleeps: true });
}

interface Parts {
  readonly galley: Served;
  readonly ceiling: Served;
  readonly people: readonly SignedIn[];
  readonly reads: Awaited<ReturnType<typeof pacedReads>>;
}

function contestantsOf(
  inFlight: readonly number[],
  { galley, ceiling, people, reads }: Parts,
): ReadonlyMap<string, Contestant> {
  const beside =
    (contestant: Contestant): Contestant =>
    async (seconds) => {
      const [turn, { wrong, ...latencies }] = await Promise.all([contestant(seconds), reads(seconds)]);
      return { ...turn, reads: latencies, wrong: turn.wrong + wrong };
    };
  let from = 0;
  const signIns =
    (connections: number): Contestant =>
    async (seconds) => {
      const start = from;
      const cpu = cpuOfBoth(galley.pid);
      const measured = await runLoad({
        ...{ url: galley.url, connections, seconds },
        request: (n) => signInOf(people, start + n),
        check: (status, body) => status === 200 && body.includes('"accessToken"'),
      });
      from += measured.requests;
      if (measured.firstWrong !== undefined) console.error(`sign-in, ${measured.firstWrong}`);
      const { requests, wrong, p50, p95, p99, slowest } = measured;
      const cpuMilliseconds = ((cpuOfBoth(galley.pid) - cpu) * 1000) / requests;
      const latencies = { p50, p95, p99, slowest };
      return { perSecond: requests / measured.seconds, cpuMilliseconds, latencies, wrong };
    };
  const bare: Contestant = async (seconds) => {
    const cpu = cpuSeconds(ceiling.pid);
    const answer = await fetch(`${ceiling.url}/?milliseconds=${seconds * 1000}`);
    const told = (await answer.json()) as { verified: number; seconds: number };
    const cpuMilliseconds = ((cpuSeconds(ceiling.pid) - cpu) * 1000) / told.verified;
    return { perSecond: told.verified / told.seconds, cpuMilliseconds, wrong: 0 };
  };
  const none: Contestant = async () => ({ perSecond: 0, cpuMilliseconds: 0, wrong: 0 });
  return new Map<string, Contestant>([
    ["idle", beside(none)],
    ["L8", beside(bare)],
    ...inFlight.map((connections) => [`${connections}`, beside(signIns(connections))] as const),
    ["L8 alone", bare],
    ["8 alone", signIns(8)],
  ]);
}

/** CPU seconds of a server and of the process that hashes for it (passwords/hash-link.ts). */
function cpuOfBoth(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
  return [pid, ...children.map(Number)].reduce((sum, one) => sum + cpuSeconds(one), 0);
}

/** People take turns, each on the device that they came with. */
function signInOf(people: readonly SignedIn[], n: number) {
  const person = n % people.length;
  const body = { email: emailOf(person), password: PASSWORD, deviceToken: people[person]?.deviceToken };
  return {
    method: "POST" as const,
    path: "/v1/auth/sign-in",
    headers: comesFrom(person),
    body: JSON.stringify(body),
  };
}

/** A B A B; the first round warms up, unless it is the only one. */
async function interleaved(
  contestants: ReadonlyMap<string, Contestant>,
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Promise<ReadonlyMap<string, readonly Turn[]>> {
  const turns = new Map<string, Turn[]>([...contestants.keys()].map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const [name, contestant] of contestants) {
      const turn = await contestant(seconds);
      if (round > 0 || rounds === 0) turns.get(name)?.push(turn);
    }
  }
  return turns;
}

function rowsOf(
  turns: ReadonlyMap<string, readonly Turn[]>,
  inFlight: readonly number[],
  on: string,
  judged: boolean,
): ReportRow[] {
  const of = (name: string) => turns.get(name) ?? [];
  const readP99 = (name: string) => median(of(name).map(({ reads }) => reads?.p99 ?? 0));
  const beside = inFlight.map((count) =>
    rateRow(
      `B12 sign-in on ${on}, ${count} in flight, reads beside`,
      of(`${count}`),
      of("L8"),
      judged && count > AT_ONCE,
    ),
  );
  const alone = rateRow(`B12 sign-in on ${on}, 8 in flight, alone`, of("8 alone"), of("L8 alone"), judged);
  const idle = readP99("idle");
  const reads = inFlight.map((count): ReportRow => {
    const p99 = readP99(`${count}`);
    return {
      what: `B12 reads at 30 % on ${on}, ${count} sign-ins in flight`,
      ours: `p99 ${p99.toFixed(2)} ms`,
      ceiling: `without sign-ins p99 ${idle.toFixed(2)} ms, beside L8 ${readP99("L8").toFixed(2)} ms`,
      ratio: p99 / idle,
      spread: spreadOf(of(`${count}`).map(({ reads }) => reads?.p99 ?? 0)),
      target: judged ? `p99 <= without + ${MOST_ADDED} ms` : "told",
      met: !judged || p99 <= idle + MOST_ADDED,
    };
  });
  return [...beside, alone, ...reads];
}

/** One in flight leaves the hash idle while its commit is stored; with more than the queue lets through, it never is. */
function rateRow(what: string, ours: readonly Turn[], ceiling: readonly Turn[], judged: boolean): ReportRow {
  const rate = (turns: readonly Turn[]) => median(turns.map(({ perSecond }) => perSecond));
  const cpu = (turns: readonly Turn[]) => median(turns.map(({ cpuMilliseconds }) => cpuMilliseconds));
  const p = (name: "p50" | "p99") => median(ours.map(({ latencies }) => latencies?.[name] ?? 0)).toFixed(0);
  const wrong = ours.reduce((sum, turn) => sum + turn.wrong, 0);
  const ratio = rate(ours) / rate(ceiling);
  return {
    what,
    ours: `${rate(ours).toFixed(1)}/s, p50 ${p("p50")} ms, p99 ${p("p99")} ms`,
    ceiling: `L8 ${rate(ceiling).toFixed(1)}/s with ${AT_ONCE} in flight`,
    ratio,
    spread: Math.max(...[ours, ceiling].map((turns) => spreadOf(turns.map(({ perSecond }) => perSecond)))),
    target: judged ? `>= ${LEAST_SHARE.toFixed(2)}` : "told",
    met: (!judged || ratio >= LEAST_SHARE) && wrong === 0,
    note: `${cpu(ours).toFixed(1)} CPU-ms each with what is beside, L8 ${cpu(ceiling).toFixed(1)}, wrong ${wrong}`,
  };
}

function spreadOf(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / median(values);
}
