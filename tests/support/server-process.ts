/** Servers as processes of their own, for tests that kill them and benchmarks that weigh them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { CLEAN_ENV } from "./programs.ts";

export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  /** Sends the signal and resolves to the exit code, null if the signal ended it. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<number | null>;
}

/** Starts a process and waits for the line that tells its address, like `… http://127.0.0.1:1234 …`. */
export async function startProcess(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<ServerProcess> {
  // A test runner hands its loaders down by NODE_OPTIONS; the server has to be the one that users run.
  const child = spawn("sh", ["-c", 'unset NODE_OPTIONS; exec "$0" "$@"', process.execPath, ...args], {
    env: { ...CLEAN_ENV, NODE_ENV: "production", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const url = await addressOf(child);
  return {
    url,
    pid: child.pid as number,
    end: async (signal) => {
      if (child.exitCode === null && child.signalCode === null) {
        const exit = once(child, "exit");
        child.kill(signal);
        await exit;
      }
      return child.exitCode;
    },
  };
}

async function addressOf(child: ChildProcess): Promise<string> {
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error("the child has no output");
  let complaints = "";
  stderr.on("data", (chunk: Buffer) => {
    complaints = (complaints + chunk.toString()).slice(-4000);
  });
  for await (const line of createInterface({ input: stdout })) {
    const match = /http:\/\/127\.0\.0\.1:\d+/.exec(line);
    if (!match) continue;
    stdout.resume();
    return match[0];
  }
  throw new Error(`the server ended before it told its address: ${complaints}`);
}

export const PROCESS_KEY = "gsk_tests_3f9a1c7e5b2d8046_aBcDeFgHiJkLmNoPqRsT";

/** Galley as it is built, in production mode, on a data folder and any free port. */
export function startGalley(folder: string, env: NodeJS.ProcessEnv = {}): Promise<ServerProcess> {
  return startProcess(["server/galley.cjs", "start"], {
    GALLEY_DATA_DIR: folder,
    GALLEY_PORT: "0",
    GALLEY_SERVICE_KEY: PROCESS_KEY,
    GALLEY_LOG_FORMAT: "json",
    ...env,
  });
}
