import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import t from "tap";
import { ROOT } from "../support/own-modules.ts";
import { CLEAN_ENV, run } from "../support/programs.ts";

const PARTS = [
  "sdk",
  "server",
  "admin-ui",
  "build.mjs",
  "package.json",
  "package-lock.json",
  "LICENSE",
  "tsconfig.json",
];

/** The sources alone, as a fresh clone after `npm ci`: builds here disturb nobody. */
const clone = mkdtempSync(join(tmpdir(), "galley-build-"));
t.teardown(() => rmSync(clone, { recursive: true, force: true }));
for (const part of [...PARTS, "tsconfig.base.json"]) {
  cpSync(join(ROOT, part), join(clone, part), { recursive: true, filter: (path) => basename(path) !== "dist" });
}
symlinkSync(join(ROOT, "node_modules"), join(clone, "node_modules"));

const BUILT = /^built Galley in [\d.]+ s\n$/;
const build = async (...options: string[]) =>
  (await run(process.execPath, [join(clone, "build.mjs"), ...options])).stderr;
const results = () =>
  [
    "sdk/dist/galley.tgz",
    "sdk/dist/galley.js",
    "sdk/dist/index.cjs",
    "server/dist/program/galley.cjs",
    "admin-ui/dist/index.html",
  ].map((path) => readFileSync(join(clone, path), "base64"));

t.test("a build makes everything once, and a fresh one does and says nothing", async (t) => {
  t.match(await build("--if-older"), BUILT);
  const before = results();
  t.equal(await build("--if-older"), "");
  t.strictSame(results(), before);
});

t.test("the program starts from its compiled code, and without it too", async (t) => {
  const load = "console.log(require('./server/program.cjs').loadProgram().script.cachedDataRejected)";
  const loaded = async () => (await run(process.execPath, ["-e", load], { cwd: clone })).stdout.trim();
  t.equal(await loaded(), "false", "V8 takes it");
  const program = join(clone, "server/dist/program");
  const caches = readdirSync(program).filter((name) => name.endsWith(".cache"));
  t.equal(caches.length, 1);
  for (const name of caches) renameSync(join(program, name), join(clone, name));
  t.equal(await loaded(), "undefined");
  for (const name of caches) renameSync(join(clone, name), join(program, name));
});

t.test("whatever changes a source makes a build older", async (t) => {
  const before = results();
  utimesSync(join(clone, "sdk/README.md"), 1, 1);
  t.match(await build("--if-older"), BUILT, "also an older file put in its place");
  t.strictSame(results(), before, "equal sources make equal files");
  appendFileSync(join(clone, "admin-ui/index.html"), "<!-- changed -->");
  t.match(await build("--if-older"), BUILT);
  t.match(readFileSync(join(clone, "admin-ui/dist/index.html"), "utf8"), /<!-- changed -->/);
  rmSync(join(clone, "sdk/expand.ts"));
  const failed = () => build("--if-older").catch((error) => error.stdout + error.stderr);
  t.match(await failed(), /expand\.ts/, "a broken source is told");
  t.match(await failed(), /expand\.ts/, "and stays told");
  cpSync(join(ROOT, "sdk/expand.ts"), join(clone, "sdk/expand.ts"));
  t.match(await build("--if-older"), BUILT);
});

t.test("results that somebody removed are made again", async (t) => {
  const before = results();
  for (const path of ["sdk/dist/galley.tgz", "server/dist/program/galley.cjs"]) rmSync(join(clone, path));
  t.match(await build("--if-older"), BUILT);
  t.strictSame(results(), before);
});

t.test("two builds at once do no harm, and only one does the work that is due", async (t) => {
  const before = results();
  rmSync(join(clone, "server/dist/.build-stamp"));
  const said = await Promise.all([build("--if-older"), build("--if-older"), build("--if-older")]);
  t.strictSame(said.filter((text) => text !== "").length, 1, said.join());
  t.strictSame(results(), before);
});

t.test("a build that is killed leaves nothing that stops the next", async (t) => {
  const before = results();
  rmSync(join(clone, "sdk"), { recursive: true });
  cpSync(join(ROOT, "sdk"), join(clone, "sdk"), { recursive: true, filter: (path) => basename(path) !== "dist" });
  const child = spawn(process.execPath, [join(clone, "build.mjs")], { env: CLEAN_ENV, stdio: "ignore" });
  const exit = once(child, "exit");
  while (!existsSync(join(clone, "server/dist/.build-lock-journal")) && !existsSync(join(clone, "sdk/dist"))) {
    if (child.exitCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  child.kill("SIGKILL");
  await exit;
  t.match(await build("--if-older"), BUILT);
  t.strictSame(results().slice(0, 3), before.slice(0, 3));
});
