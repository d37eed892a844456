import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "./own-modules.ts";

const exec = promisify(execFile);
const BUILD = join(ROOT, "build.mjs");

/** What npm and the test runner hand down to their children would make a program behave as a part of this repository. */
export const CLEAN_ENV: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|TAP|_TAPJS)/i.test(name)),
);

/** Runs a program as a user's shell would; rejects with its `stdout` and `stderr` unless it exits with 0. */
export function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<{ stdout: string; stderr: string }> {
  // The runner gives its loaders to every child by NODE_OPTIONS, whatever environment it is started with.
  const clean = 'unset NODE_OPTIONS; exec "$0" "$@"';
  return exec("sh", ["-c", clean, command, ...args], { env: CLEAN_ENV, ...options });
}

/** Builds what is shipped, as `npm run build` does. @returns what it printed */
export async function build(...options: string[]): Promise<string> {
  return (await run(process.execPath, [BUILD, ...options])).stderr;
}
