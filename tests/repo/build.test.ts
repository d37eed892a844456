import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
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
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { ROOT } from "../support/own-modules.ts";
import { build as buildHere, CLEAN_ENV, run } from "../support/programs.ts";
import { until } from "../support/until.ts";

const PARTS = ["sdk", "server", "admin-ui", "build.mjs", "package.json", "package-lock.json", "LICENSE"];

await buildHere("--if-older");
/** A copy of what was built here, with the times of its files: builds there disturb nobody. */
const clone = mkdtempSync(join(tmpdir(), "galley-build-"));
t.teardown(() => rmSync(clone, { recursive: true, force: true }));
// Unlike Node, it keeps times to the last digit.
execFileSync("cp", [
  "-Rp",
  ...[...PARTS, "tsconfig.json", "tsconfig.base.json"].map((part) => join(ROOT, part)),
  clone,
]);
symlinkSync(join(ROOT, "node_modules"), join(clone, "node_modules"));

const BUILT = /^built Galley in [\d.]+ s\n$/;
const STAMP = join(clone, "server/dist/.build-stamp");
const build = async (...options: string[]) =>
  (await run(process.execPath, [join(clone, "build.mjs"), ...options])).stderr;
/** What is made, as digests: of a program whose megabytes differ nobody could read how. */
const results = () =>
  Object.fromEntries(
    [
      "sdk/dist/galley.tgz",
      "sdk/dist/galley.js",
      "sdk/dist/index.cjs",
      "server/dist/program/galley.cjs",
      "admin-ui/dist/index.html",
    ].map((path) => [
      path,
      createHash("sha256")
        .update(readFileSync(join(clone, path)))
        .digest("hex"),
    ]),
  );
const first = results();
const PROGRAM = "server/dist/program/galley.cjs";
/** The program's, by the first build of the copy: it names where its packages lie, and here that is elsewhere. */
let program: string | undefined;

/** Starts a build and kills it, with all that it has started, as soon as something holds. @returns whether it came to that */
async function killBuildWhen(holds: () => boolean): Promise<boolean> {
  const options = { env: CLEAN_ENV, stdio: "ignore", detached: true } as const;
  const child = spawn(process.execPath, [join(clone, "build.mjs"), "--if-older"], options);
  const exit = once(child, "exit");
  await until(() => holds() || child.exitCode !== null);
  const reached = child.exitCode === null;
  if (reached) process.kill(-(child.pid as number), "SIGKILL");
  await exit;
  return reached;
}

t.test("a build that is fresh does and says nothing", async (t) => {
  t.equal(await build("--if-older"), "");
  t.strictSame(results(), first);
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

/** What makes a build older; each gives back how to undo it. */
const CHANGES: Record<string, () => () => void> = {
  "a source that is changed": () => keep("admin-ui/index.html", (path) => appendFileSync(path, "<!-- changed -->")),
  "an older file in the place of a source": () => keep("sdk/README.md", (path) => utimesSync(path, 1, 1)),
  "a source that went away": () => keep("admin-ui/galley.svg", rmSync),
  "a source that came": () => {
    writeFileSync(join(clone, "server/new.ts"), "export {};");
    return () => rmSync(join(clone, "server/new.ts"));
  },
  "a missing package": () => keep("sdk/dist/galley.tgz", rmSync),
  "a missing program": () => keep("server/dist/program/galley.cjs", rmSync),
};

/** Does something to a file. @returns what brings it back as it was, with its times */
function keep(name: string, change: (path: string) => void): () => void {
  const [path, kept] = [join(clone, name), join(clone, "kept")];
  execFileSync("cp", ["-p", path, kept]);
  change(path);
  return () => renameSync(kept, path);
}

for (const [change, make] of Object.entries(CHANGES)) {
  t.test(`${change} makes a build older`, async (t) => {
    const stamp = readFileSync(STAMP);
    const undo = make();
    t.ok(await killBuildWhen(() => !existsSync(STAMP)), "a build begins");
    undo();
    writeFileSync(STAMP, stamp);
    t.equal(await build("--if-older"), "", "and without the change none");
  });
}

t.test("a build that is killed leaves nothing that stops the next, which makes everything", async (t) => {
  for (const part of ["sdk", "admin-ui"]) rmSync(join(clone, part, "dist"), { recursive: true });
  rmSync(join(clone, "server/dist"), { recursive: true });
  t.ok(await killBuildWhen(() => existsSync(join(clone, "sdk/dist"))), "killed while it compiles");
  t.match(await build("--if-older"), BUILT);
  program = results()[PROGRAM];
  t.strictSame(results(), { ...first, [PROGRAM]: program }, "equal sources make equal files");
});

t.test("a broken source is told, and stays told; two builds at once do the work that is due once", async (t) => {
  rmSync(join(clone, "sdk/expand.ts"));
  const failed = () => build("--if-older").catch((error) => error.stdout + error.stderr);
  t.match(await failed(), /expand\.ts/, "a broken source is told");
  t.match(await failed(), /expand\.ts/, "and stays told");
  cpSync(join(ROOT, "sdk/expand.ts"), join(clone, "sdk/expand.ts"));
  appendFileSync(join(clone, "admin-ui/index.html"), "<!-- changed -->");
  const said = await Promise.all([build("--if-older"), build("--if-older"), build("--if-older")]);
  t.strictSame(said.filter((text) => text !== "").length, 1, said.join());
  t.match(said.join(""), BUILT);
  const page = "admin-ui/dist/index.html";
  t.strictSame(
    { ...results(), [page]: first[page] },
    { ...first, [PROGRAM]: program },
    "also from a part of the sources",
  );
  t.match(readFileSync(join(clone, "admin-ui/dist/index.html"), "utf8"), /<!-- changed -->/);
});
