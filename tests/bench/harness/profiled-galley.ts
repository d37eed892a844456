/** Galley bundled as it is shipped, with a map back to its sources, and its CPU time sampled from start to end. */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../support/own-modules.ts";
import { startProcess } from "../../support/server-process.ts";
import { bundleGalley } from "./galley-bundle.ts";
import { BENCH_KEY, type Served, whenReady } from "./process.ts";

const NAME = "profile";
/** A file, because the writer's thread would inherit what is given as text. */
const START = join(ROOT, "server/dist", NAME, "start.mjs");
/** Of the data folder. */
const PROFILES = "profiles";

/** A profile as `node --cpu-prof` writes it. Times are microseconds of the monotonic clock. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface ProfileNode {
  readonly id: number;
  readonly callFrame: CallFrame;
  readonly children?: readonly number[];
}

export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  /** From 0. */
  readonly lineNumber: number;
  readonly columnNumber: number;
}

export async function bundleForProfile(): Promise<void> {
  await bundleGalley(NAME, join(ROOT, "server/cli/index.ts"), { sourcemap: "linked", sourcesContent: false });
  writeFileSync(
    START,
    `import { runCommandLine } from "./${NAME}.js";
process.exitCode = await runCommandLine(["start"], process.env, "profile");
`,
  );
}

/** Starts it on a data folder; its profiles are there once it has ended. */
export async function serveProfiled(folder: string, env: NodeJS.ProcessEnv): Promise<Served> {
  const profiles = join(folder, PROFILES);
  mkdirSync(profiles);
  const flags = ["--cpu-prof", `--cpu-prof-dir=${profiles}`, "--cpu-prof-interval=500"];
  const galley = await startProcess([...flags, START], {
    GALLEY_DATA_DIR: folder,
    GALLEY_PORT: "0",
    GALLEY_SERVICE_KEY: BENCH_KEY,
    GALLEY_LOG_FORMAT: "json",
    UV_THREADPOOL_SIZE: "8",
    ...env,
  });
  return whenReady(galley);
}

/** One profile a thread. */
export function profilesOf(folder: string): CpuProfile[] {
  const profiles = join(folder, PROFILES);
  return readdirSync(profiles).map((name) => JSON.parse(readFileSync(join(profiles, name), "utf8")) as CpuProfile);
}
