/**
 * Builds what is shipped: types and sdk/dist by the compiler, the SDK's bundles and package, the server's program,
 * admin-ui/dist.
 * `--if-older` does nothing, in a blink, unless a source changed since the last build; `npm start` relies on it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL(".", import.meta.url));
const SOURCES = ["sdk", "server", "admin-ui", "build.mjs", "package.json", "package-lock.json", "LICENSE"];
const SOURCE_FILES = /\.(?:[cm]?[jt]s|json|css|html|svg|md)$|LICENSE$/;
/** What must be there for a build to count, whatever the stamp says. */
const RESULTS = [
  "server/dist/program/galley.cjs",
  "server/dist/program/writer-thread.js",
  "server/dist/program/hash-process.js",
  "sdk/dist/index.js",
  "sdk/dist/node/index.js",
  "sdk/dist/galley.tgz",
  "admin-ui/dist/index.html",
];
const STAMP = join(ROOT, "server/dist/.build-stamp");
const LOCK = join(ROOT, "server/dist/.build-lock");
const LOCK_WAIT = 300_000;

const require = createRequire(import.meta.url);
process.chdir(ROOT);
if (!(process.argv.includes("--if-older") && isFresh())) await buildAlone();

/** Builds while no other process builds here; afterwards there may be nothing left to do. */
async function buildAlone() {
  mkdirSync("server/dist", { recursive: true });
  // The transaction ends with the process, however it ends, so a killed build leaves no lock behind.
  const Database = require("better-sqlite3");
  const lock = new Database(LOCK, { timeout: LOCK_WAIT });
  lock.exec("BEGIN EXCLUSIVE");
  try {
    if (!(process.argv.includes("--if-older") && isFresh())) await build();
  } finally {
    lock.close();
  }
}

async function build() {
  const started = performance.now();
  // Taken first: what changes while we build is newer than this build.
  const sources = fingerprint();
  rmSync(STAMP, { force: true });
  await compile();
  const { packSdk, replace } = await import("./sdk/pack.mjs");
  await packSdk(join(ROOT, "sdk"));
  const { packServer } = await import("./server/pack.mjs");
  await packServer(join(ROOT, "server"));
  copyConsole(replace);
  writeFileSync(STAMP, sources);
  // Not on standard output, which belongs to the command that follows: `npm run galley -- export` may be piped.
  console.error(`built Galley in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

async function compile() {
  const { spawnSync } = await import("node:child_process");
  const tsc = join(require.resolve("typescript/package.json"), "../bin/tsc");
  // The compiler trusts its own notes, and would not miss a result that somebody removed.
  const all = RESULTS.every((path) => existsSync(path)) ? [] : ["--force"];
  const { status, error } = spawnSync(process.execPath, [tsc, "-b", "sdk", "sdk/node", "server", ...all], {
    stdio: "inherit",
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** The console is a plain page so far: what it is made of is what is served. */
function copyConsole(replace) {
  const files = readdirSync("admin-ui").filter((name) => /\.(?:html|css|js|svg)$/.test(name));
  mkdirSync("admin-ui/dist", { recursive: true });
  for (const name of files) replace(join("admin-ui/dist", name), readFileSync(join("admin-ui", name)));
  for (const name of readdirSync("admin-ui/dist")) {
    if (!files.includes(name)) rmSync(join("admin-ui/dist", name), { recursive: true });
  }
}

function isFresh() {
  return (
    RESULTS.every((path) => existsSync(path)) && existsSync(STAMP) && readFileSync(STAMP, "utf8") === fingerprint()
  );
}

/**
 * Every source with its size and time of change: unlike "newer than", it also sees what went away or came back. And the
 * Node that builds, since compiled code is good for no other.
 */
function fingerprint() {
  const lines = [`node ${process.version} ${process.arch}`];
  const add = (path) => {
    const stat = statSync(path);
    if (stat.isDirectory()) {
      for (const name of readdirSync(path).sort())
        if (name !== "dist" && name !== "node_modules") add(`${path}/${name}`);
    } else if (SOURCE_FILES.test(path)) {
      lines.push(`${path} ${stat.size} ${stat.mtimeMs}`);
    }
  };
  for (const path of [...SOURCES, ...readdirSync(".").filter((name) => name.startsWith("tsconfig"))]) add(path);
  return lines.join("\n");
}
