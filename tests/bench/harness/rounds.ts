/** Interleaves contestants A B A B, so that a busy neighbour hits both, and reports medians with their spread. */
import { type Latencies, type Load, type Measured, runLoad } from "./load.ts";
import { cpuSeconds, loopDelay, residentBytes, type Served } from "./process.ts";

export interface Contestant {
  readonly name: string;
  readonly server: Served;
  readonly load: Omit<Load, "seconds" | "url">;
}

export interface Rounds {
  readonly rounds: number;
  readonly seconds: number;
  /** The process of the database that all of them ask, to tell what it costs. */
  readonly databasePid?: number | undefined;
}

export interface Figures extends Latencies {
  /** Requests per CPU-second of the server process. */
  readonly perCpuSecond: number;
  readonly perSecond: number;
  /** (greatest - least) / median of requests per CPU-second. */
  readonly spread: number;
  /** All requests, and those that were answered wrongly, in every round but the first. */
  readonly requests: number;
  readonly wrong: number;
  /** Milliseconds, 99 % of the turns. */
  readonly loopDelay: number;
  /** MiB resident after the last round. */
  readonly memory: number;
  /** Microseconds of CPU that the database's process spent on a request. */
  readonly databaseMicroseconds?: number;
  readonly kinds: Readonly<Record<string, Latencies>>;
}

interface Taken {
  readonly measured: Measured;
  readonly cpu: number;
  readonly databaseCpu: number;
  readonly delay: number;
}

const MEBIBYTE = 2 ** 20;
/** Half of the kernel's tick: less cannot be told apart. */
const LEAST_CPU = 0.005;

/** Runs every contestant `rounds` times after a first round, which warms up and is all there is where `rounds` is 0. */
export async function interleave(
  contestants: readonly Contestant[],
  { rounds, seconds, databasePid }: Rounds,
): Promise<ReadonlyMap<string, Figures>> {
  const taken = new Map<Contestant, Taken[]>(contestants.map((contestant) => [contestant, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const [contestant, list] of taken) {
      const one = await take(contestant, seconds, databasePid);
      if (round > 0 || rounds === 0) list.push(one);
    }
  }
  return new Map([...taken].map(([contestant, list]) => [contestant.name, summarise(contestant, list, databasePid)]));
}

async function take({ name, server, load }: Contestant, seconds: number, databasePid?: number): Promise<Taken> {
  const databaseCpu = () => (databasePid === undefined ? 0 : cpuSeconds(databasePid));
  await loopDelay(server); // forgets what was before
  const before = [cpuSeconds(server.pid), databaseCpu()] as const;
  const measured = await runLoad({ ...load, url: server.url, seconds });
  const after = [cpuSeconds(server.pid), databaseCpu()] as const;
  if (measured.firstWrong !== undefined) console.error(`${name}, ${measured.firstWrong}`);
  return { measured, cpu: after[0] - before[0], databaseCpu: after[1] - before[1], delay: await loopDelay(server) };
}

function summarise({ server }: Contestant, list: readonly Taken[], databasePid: number | undefined): Figures {
  const middle = (figure: (one: Taken) => number) => median(list.map(figure));
  const latencies = (of: (measured: Measured) => Latencies | undefined): Latencies => ({
    p50: middle(({ measured }) => of(measured)?.p50 ?? 0),
    p95: middle(({ measured }) => of(measured)?.p95 ?? 0),
    p99: middle(({ measured }) => of(measured)?.p99 ?? 0),
    slowest: Math.max(...list.map(({ measured }) => of(measured)?.slowest ?? 0)),
  });
  const rates = list.map(({ measured, cpu }) => measured.requests / Math.max(cpu, LEAST_CPU));
  const kinds = new Set(list.flatMap(({ measured }) => [...measured.kinds.keys()]));
  const databaseSeconds = middle(({ measured, databaseCpu }) => databaseCpu / measured.requests);
  return {
    ...latencies((measured) => measured),
    perCpuSecond: median(rates),
    perSecond: middle(({ measured }) => measured.requests / measured.seconds),
    spread: (Math.max(...rates) - Math.min(...rates)) / median(rates),
    requests: list.reduce((sum, { measured }) => sum + measured.requests, 0),
    wrong: list.reduce((sum, { measured }) => sum + measured.wrong, 0),
    loopDelay: middle(({ delay }) => delay),
    memory: residentBytes(server.pid) / MEBIBYTE,
    ...(databasePid === undefined ? {} : { databaseMicroseconds: databaseSeconds * 1e6 }),
    kinds: Object.fromEntries([...kinds].map((kind) => [kind, latencies(({ kinds }) => kinds.get(kind))])),
  };
}

/** The figures of a contestant. @throws Error if it took no part */
export function figuresOf(figures: ReadonlyMap<string, Figures>, name: string): Figures {
  const found = figures.get(name);
  if (!found) throw new Error(`no figures of ${name}`);
  return found;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
