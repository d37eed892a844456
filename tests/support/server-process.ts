/** Servers as processes of their own, for tests that kill them and benchmarks that weigh them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { CLEAN_ENV } from "./programs.ts";

export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  /** The last of what it has printed: its log. */
  said(): string;
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
  const said = listenTo(child);
  const url = await addressOf(child, said);
  return {
    url,
    pid: child.pid as number,
    said,
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

const KEPT_CHARACTERS = 64 * 1024;

/** Keeps the end of what a child prints. */
function listenTo({ stdout, stderr }: ChildProcess): () => string {
  let said = "";
  for (const output of [stdout, stderr]) {
    output?.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-KEPT_CHARACTERS);
    });
  }
  return () => said;
}

function addressOf(child: ChildProcess, said: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.on("data", () => {
      const match = /http:\/\/127\.0\.0\.1:\d+(?=\D)/.exec(said());
      if (match) resolve(match[0]);
    });
    child.once("error", reject);
    child.once("close", () => reject(new Error(`the server ended before it told its address: ${said()}`)));
  });
}

export const PROCESS_KEY = "gsk_tests_3f9a1c7e5b2d8046_aBcDeFgHiJkLmNoPqRsT";

/** Galley as it is built, in production mode, on a data folder and any free port. `flags` are Node's. */
export function startGalley(
  folder: string,
  env: NodeJS.ProcessEnv = {},
  flags: readonly string[] = [],
): Promise<ServerProcess> {
  return startProcess([...flags, "server/galley.cjs", "start"], {
    GALLEY_DATA_DIR: folder,
    GALLEY_PORT: "0",
    GALLEY_SERVICE_KEY: PROCESS_KEY,
    GALLEY_LOG_FORMAT: "json",
    ...env,
  });
}
