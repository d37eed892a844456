/** What a server process costs, and how the contestants are started. */
import { readFileSync } from "node:fs";
import { PROCESS_KEY, type ServerProcess, startGalley, startProcess } from "../../support/server-process.ts";

const TICKS_PER_SECOND = 100; // sysconf(_SC_CLK_TCK) on Linux
const PAGE_BYTES = 4096;

export type Served = ServerProcess;
export const BENCH_KEY = PROCESS_KEY;

/** A ceiling: a small server in tests/bench/ceilings. */
export function serveCeiling(name: string, env: NodeJS.ProcessEnv): Promise<Served> {
  return startProcess(["--import=tsx", "--conditions=galley-source", `tests/bench/ceilings/${name}.ts`], env);
}

/** Galley itself, as it is built, in production mode on a data folder. */
export const serveGalley = startGalley;

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
