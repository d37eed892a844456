/** Servers under measure: child processes, so that their CPU and memory are theirs alone. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const TICKS_PER_SECOND = 100; // sysconf(_SC_CLK_TCK) on Linux
const PAGE_BYTES = 4096;

export interface Served {
  readonly url: string;
  readonly pid: number;
  /** Milliseconds from spawn to the line that told the address. */
  readonly startedIn: number;
  stop(): Promise<void>;
}

/** Starts a process that prints its address on a line like `… http://127.0.0.1:1234 …` and waits for that line. */
export async function serve(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Served> {
  const started = performance.now();
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NODE_ENV: "production", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const url = await addressOf(child);
  return {
    url,
    pid: child.pid as number,
    startedIn: performance.now() - started,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

async function addressOf(child: ChildProcess): Promise<string> {
  const { stdout } = child;
  if (!stdout) throw new Error("the child has no output");
  const lines = createInterface({ input: stdout });
  for await (const line of lines) {
    const match = /http:\/\/127\.0\.0\.1:\d+/.exec(line);
    if (!match) continue;
    lines.close();
    stdout.resume();
    return match[0];
  }
  throw new Error("the server ended before it told its address");
}

/** A ceiling: a small server in tests/bench/ceilings. */
export function serveCeiling(name: string, env: NodeJS.ProcessEnv): Promise<Served> {
  return serve(["--import=tsx", "--conditions=galley-source", `tests/bench/ceilings/${name}.ts`], env);
}

export const BENCH_KEY = "gsk_bench_0123456789abcdefghijklmnopqrstuvwxyz";

/** Galley itself, as it is built, in production mode on a data folder. */
export function serveGalley(folder: string): Promise<Served> {
  return serve(["server/galley.cjs", "start"], {
    GALLEY_DATA_DIR: folder,
    GALLEY_PORT: "0",
    GALLEY_SERVICE_KEY: BENCH_KEY,
    GALLEY_LOG_FORMAT: "json",
  });
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
