/** Galley bundled as it is shipped, with a map back to its sources, and its CPU time sampled from start to end. */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type BuildOptions, build } from "esbuild";
import { ROOT } from "../../support/own-modules.ts";
import { startProcess } from "../../support/server-process.ts";
import { BENCH_KEY, type Served, whenReady } from "./process.ts";

const SERVER = join(ROOT, "server");
/** As deep as what is shipped, and in this repository, whose packages it needs. */
const BUNDLE = join(SERVER, "dist/profile");
/** A file, because the writer's thread would inherit what is given as text. */
const START = join(BUNDLE, "start.mjs");
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
  const pack = (await import(pathToFileURL(join(SERVER, "pack.mjs")).href)) as {
    bundleOptions(folder: string): BuildOptions;
  };
  await build({ ...pack.bundleOptions(SERVER), outdir: BUNDLE, sourcemap: "linked", sourcesContent: false });
  writeFileSync(
    START,
    `import { runCommandLine } from "./galley.js";
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
