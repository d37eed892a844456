/** What a server process costs, and how the contestants are started. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "../../support/own-modules.ts";
import { PROCESS_KEY, type ServerProcess, startGalley, startProcess } from "../../support/server-process.ts";
import { until } from "../../support/until.ts";
import { bundleCeiling } from "./ceiling-bundle.ts";

const LOOP_DELAY = `--import=${pathToFileURL(join(ROOT, "tests/bench/harness/loop-delay.mjs")).href}`;

const TICKS_PER_SECOND = 100; // sysconf(_SC_CLK_TCK) on Linux
const PAGE_BYTES = 4096;

export type Served = ServerProcess;
export const BENCH_KEY = PROCESS_KEY;

/**
 * A ceiling: a small server in tests/bench/ceilings. It is bundled like Galley, because a loader of TypeScript would slow
 * down every closure that it makes.
 */
export async function serveCeiling(name: string, env: NodeJS.ProcessEnv): Promise<Served> {
  return startProcess([LOOP_DELAY, await bundleCeiling(name)], env);
}

/** Galley itself, as it is built, in production mode on a data folder. */
export async function serveGalley(folder: string, env: NodeJS.ProcessEnv = {}): Promise<Served> {
  return whenReady(await startGalley(folder, env, [LOOP_DELAY]));
}

/** A Galley whose store answers: it listens before its database is reached. */
export async function whenReady(galley: Served): Promise<Served> {
  try {
    await until(async () => {
      const answer = await fetch(`${galley.url}/v1/ready`);
      await answer.arrayBuffer();
      return answer.status === 200;
    });
  } catch (error) {
    await galley.end("SIGKILL");
    throw new Error(`the server never was ready; its last words: ${galley.said().slice(-1000)}`, { cause: error });
  }
  return galley;
}

/**
 * The delay of a server's event loop that 99 % of its turns stayed below, in milliseconds, since it was last asked.
 * Only of servers that were started here.
 */
export async function loopDelay(server: Served): Promise<number> {
  const told = () => [...server.said().matchAll(/event-loop-delay-p99 ([\d.]+)\n/g)];
  const before = told().length;
  process.kill(server.pid, "SIGUSR2");
  await until(() => told().length > before);
  return Number(told().at(-1)?.[1]);
}

/** CPU seconds that a process has used, all threads, user and system. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident bytes of a process. */
export function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES;
}
