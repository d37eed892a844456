/** The command line, on folders of their own. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { runCommandLine } from "../../server/cli/index.ts";
import { ROOT } from "./own-modules.ts";
import { CLEAN_ENV, run } from "./programs.ts";
import type { Teardown } from "./teardown.ts";

/** What became of a command. */
interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command to its end, on a data folder. */
type Galley = (folder: string, args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<Run>;

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };

/** As a user runs it: a process of the built program. */
export const program: Galley = (folder, args, env = {}) =>
  run(process.execPath, ["server/galley.cjs", ...args], {
    env: { ...CLEAN_ENV, GALLEY_DATA_DIR: folder, ...env },
  }).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    ({ code, stdout, stderr }) => ({ code: Number(code), out: stdout, err: stderr }),
  );

/** In this process, through what the program calls: a process for each command would cost many times as much. */
export const galley: Galley = async (folder, args, env = {}) => {
  const [stdout, stderr] = [new Told(), new Told()];
  const code = await runCommandLine(args, { ...CLEAN_ENV, GALLEY_DATA_DIR: folder, ...env }, version, {
    stdout,
    stderr,
  });
  return { code, out: stdout.text, err: stderr.text };
};

/** Keeps what is written. */
class Told extends Writable {
  readonly #chunks: Buffer[] = [];

  get text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }
}

/** Goes with the test. */
export function temporaryFolder(t: Teardown): string {
  const folder = mkdtempSync(join(tmpdir(), "galley-cli-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
