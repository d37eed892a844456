/** Interleaves contestants A B A B, so that a busy neighbour hits both, and reports medians with their spread. */
import { type Load, type Measured, runLoad } from "./load.ts";
import { cpuSeconds, type Served } from "./process.ts";

export interface Contestant {
  readonly name: string;
  readonly server: Served;
  readonly load: Omit<Load, "seconds" | "url">;
}

export interface Figures {
  /** Requests per CPU-second of the server process. */
  readonly perCpuSecond: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** (greatest - least) / median of requests per CPU-second. */
  readonly spread: number;
  readonly wrong: number;
}

/** Runs every contestant `rounds` times and drops the first round, which warms up. */
export async function interleave(
  contestants: readonly Contestant[],
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Map<string, Figures>> {
  const taken = new Map<string, { measured: Measured; cpu: number }[]>();
  for (let round = 0; round <= rounds; round++) {
    for (const { name, server, load } of contestants) {
      const before = cpuSeconds(server.pid);
      const measured = await runLoad({ ...load, url: server.url, seconds });
      const cpu = cpuSeconds(server.pid) - before;
      if (round === 0) continue;
      taken.set(name, [...(taken.get(name) ?? []), { measured, cpu }]);
    }
  }
  return new Map([...taken].map(([name, list]) => [name, summarise(list)]));
}

function summarise(list: readonly { measured: Measured; cpu: number }[]): Figures {
  const rates = list.map(({ measured, cpu }) => measured.requests / Math.max(cpu, 0.01));
  return {
    perCpuSecond: median(rates),
    perSecond: median(list.map(({ measured }) => measured.requests / measured.seconds)),
    p50: median(list.map(({ measured }) => measured.p50)),
    p95: median(list.map(({ measured }) => measured.p95)),
    p99: median(list.map(({ measured }) => measured.p99)),
    spread: (Math.max(...rates) - Math.min(...rates)) / median(rates),
    wrong: list.reduce((sum, { measured }) => sum + measured.wrong, 0),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
