/**
 * `npm test`, after tests/compile.mjs: runs the test files, each in a process of its own, all on one MongoDB, since a server
 * for each file would cost 1.7 s of a core. `npm test -- tests/unit/filter.test.ts tests/api` runs what it is given.
 */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openSharedMongod } from "./support/mongod.ts";
import { ROOT } from "./support/own-modules.ts";
import { chooseTestFiles } from "./support/test-files.ts";
import { type FileResult, runTestFile } from "./support/test-process.ts";

/** Beside the processors' count: those that test faults mostly wait. */
const WAITING = 1;
/** Fewer files save less by what V8 compiled before than it takes to keep it. */
const MANY = 6;

const files = chosen(process.argv.slice(2));
const mongod = await openSharedMongod();
const env = mongod ? { ...process.env, GALLEY_TEST_MONGODB_URL: mongod.url } : process.env;
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());

const started = performance.now();
if (files.length >= MANY) await keepCompiled();
const results: FileResult[] = [];
console.log("TAP version 14");
await Promise.all(Array.from({ length: availableParallelism() + WAITING }, runEach));
console.log(`1..${results.length}`);
await mongod?.close();
tell();

/** Of an error that nobody catches Node prints the line that threw: in the script of all modules that is all of them. */
function chosen(given: readonly string[]): string[] {
  try {
    return chooseTestFiles(given);
  } catch (error) {
    console.error(`npm test: ${(error as Error).message}`);
    process.exit(2);
  }
}

/** Keeps what V8 compiles of the modules for all processes: tests/compile.mjs makes them anew when one changes, and leaves that. */
async function keepCompiled(): Promise<void> {
  const imported = (path: string): Promise<unknown> => import(pathToFileURL(join(ROOT, path)).href);
  const { kept } = (await imported("tests/dist/modules/loader.js")) as { readonly kept: string };
  if (existsSync(kept)) return;
  const { keepCompiled } = (await imported("tests/vendors.mjs")) as { keepCompiled(): void };
  keepCompiled();
}

/** Takes file after file, until none is left. */
async function runEach(): Promise<void> {
  for (;;) {
    const file = files.shift();
    if (file === undefined || stop.signal.aborted) return;
    const result = await runTestFile(file, env, stop.signal);
    results.push(result);
    const { name, ok, seconds, told } = result;
    console.log(`${told}${ok ? "ok" : "not ok"} ${results.length} - ${name} # time=${(seconds * 1000).toFixed(0)}ms`);
  }
}

/** The sums, which .ci/run reads too, and last what a reader looks for: the files that failed. */
function tell(): void {
  const sum = (kind: keyof FileResult["counts"]) => results.reduce((total, { counts }) => total + counts[kind], 0);
  const failed = results.filter(({ ok }) => !ok);
  const rest = (["fail", "todo", "skip"] as const)
    .filter((kind) => sum(kind) > 0)
    .map((kind) => `, ${kind}: ${sum(kind)}`);
  console.log(`# { total: ${sum("total")}, pass: ${sum("pass")}${rest.join("")} }`);
  console.log(`# time=${(performance.now() - started).toFixed(0)}ms`);
  for (const { name } of failed) console.log(`# failed: ${name}`);
  if (failed.length > 0 || results.length === 0 || stop.signal.aborted) process.exitCode = 1;
}
