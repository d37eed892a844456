/** The command line as a user runs it: processes of the built program, on folders of their own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CLEAN_ENV, run } from "./programs.ts";
import type { Teardown } from "./teardown.ts";

/** What became of a command. */
interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command of the built program to its end, on a data folder. */
export function galley(folder: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  const running = run(process.execPath, ["server/galley.cjs", ...args], {
    env: { ...CLEAN_ENV, GALLEY_DATA_DIR: folder, ...env },
  });
  return running.then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    ({ code, stdout, stderr }) => ({ code: Number(code), out: stdout, err: stderr }),
  );
}

/** Goes with the test. */
export function temporaryFolder(t: Teardown): string {
  const folder = mkdtempSync(join(tmpdir(), "galley-cli-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
