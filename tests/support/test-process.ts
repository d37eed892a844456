/** One test file in a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { ROOT } from "./own-modules.ts";
import { sourceOf } from "./test-files.ts";
import { type Counts, countsIn, toldIn } from "./test-output.ts";

export interface FileResult {
  readonly name: string;
  readonly ok: boolean;
  readonly counts: Counts;
  readonly seconds: number;
  /** What it said beside what passed: failures, skips, comments; whole lines. */
  readonly told: string;
}

/** tap ends what takes longer itself, and tells what was still open. */
const LIMIT_SECONDS = 300;
/** After which a process that does not even do that is ended. */
const GRACE_MS = 20_000;

const NODE_FLAGS = ["--import=./tests/loader.mjs", "--conditions=galley-source"];

/** Runs a compiled test file. */
export async function runTestFile(file: string, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<FileResult> {
  const started = performance.now();
  const child = spawn(process.execPath, [...NODE_FLAGS, file], {
    cwd: ROOT,
    env: { ...env, TAP_TIMEOUT: String(LIMIT_SECONDS) },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const stop = () => child.kill("SIGTERM");
  signal.addEventListener("abort", stop);
  const clear = limit(child);
  const said = listenTo(child);
  const [code, ended] = (await once(child, "close")) as [number | null, string | null];
  clear();
  signal.removeEventListener("abort", stop);

  const output = said();
  const counts = countsIn(output);
  const ok = code === 0 && counts !== undefined && counts.fail === 0;
  const told = toldIn(output);
  const how = code === 0 && counts === undefined ? "without its counts" : `by ${ended ?? `exit code ${code}`}`;
  return {
    name: sourceOf(file),
    ok,
    counts: sums(counts, ok),
    seconds: (performance.now() - started) / 1000,
    told: ok ? told : `${told}    # ended ${how}\n`,
  };
}

/** A file that is not ok counts as a failure at least. */
function sums(counts: Counts = { total: 0, pass: 0, fail: 0, skip: 0, todo: 0 }, ok: boolean): Counts {
  if (ok || counts.fail > 0) return counts;
  return { ...counts, total: counts.total + 1, fail: 1 };
}

/** tap tells its own limit, and a test may raise it, as the one that may have to build a MinIO. */
function limit(child: ChildProcess): () => void {
  let timer: NodeJS.Timeout | undefined;
  child.on("message", (message) => {
    const { setTimeout: ms } = message as { setTimeout?: number };
    if (ms === undefined) return;
    clearTimeout(timer);
    timer = ms > 0 ? setTimeout(() => child.kill("SIGKILL"), ms + GRACE_MS) : undefined;
  });
  return () => clearTimeout(timer);
}

function listenTo({ stdout, stderr }: ChildProcess): () => string {
  const chunks: Buffer[] = [];
  for (const output of [stdout, stderr]) output?.on("data", (chunk: Buffer) => void chunks.push(chunk));
  return () => Buffer.concat(chunks).toString("utf8");
}
