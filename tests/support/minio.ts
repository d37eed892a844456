/** A real MinIO for the tests: found or fetched, started on loopback, and gone when the test file ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Client } from "minio";
import type { TAP } from "tap";
import { NotToBeHad } from "./found-program.ts";
import { guardFolder } from "./guard.ts";
import { BUILD_MS, findMinio } from "./minio-program.ts";

export interface Minio {
  /** `http://127.0.0.1:port`. */
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** An empty bucket that nobody else uses. */
  readonly bucket: string;
  /** Of the process, for faults; undefined for the server of `GALLEY_TEST_S3_ENDPOINT`, which is not ours to harm. */
  readonly pid: number | undefined;
  close(): Promise<void>;
}

/** Where a server is and who may use it. */
type Server = Pick<Minio, "endpoint" | "accessKey" | "secretKey">;

/**
 * The MinIO of a test file; call it once, with the root test, whose end ends the server. The first call on a machine may
 * build it, which takes minutes.
 *
 * @returns undefined, with a skip that tells the reason, if there is none to be had
 * @throws NotToBeHad in place of that skip if `GALLEY_REQUIRE_SERVERS` is 1
 */
export async function useMinio(t: Pick<TAP, "teardown" | "pass" | "setTimeout">): Promise<Minio | undefined> {
  t.setTimeout(BUILD_MS);
  let minio: Minio;
  try {
    minio = await openMinio();
  } catch (error) {
    if (!(error instanceof NotToBeHad) || process.env.GALLEY_REQUIRE_SERVERS === "1") throw error;
    t.pass("runs on a real MinIO", { skip: error.message });
    return undefined;
  }
  t.teardown(() => minio.close());
  return minio;
}

/**
 * Opens a MinIO with a bucket of the caller's own: the server of `GALLEY_TEST_S3_ENDPOINT`, whose keys may stand before
 * its host (`http://key:secret@host:port`), else one that is started here.
 *
 * @throws NotToBeHad if there is no program to start
 */
export async function openMinio(): Promise<Minio> {
  const given = process.env.GALLEY_TEST_S3_ENDPOINT;
  return given ? useServer(given) : startMinio(await findMinio());
}

/** The `minio` client of a server. */
export function clientOf({ endpoint, accessKey, secretKey }: Server): Client {
  const { hostname, port, protocol } = new URL(endpoint);
  const useSSL = protocol === "https:";
  return new Client({ endPoint: hostname, port: Number(port) || (useSSL ? 443 : 80), useSSL, accessKey, secretKey });
}

async function useServer(given: string): Promise<Minio> {
  if (!URL.canParse(given)) throw new Error("GALLEY_TEST_S3_ENDPOINT expects http://host:port");
  const { origin, username, password } = new URL(given);
  const accessKey = decodeURIComponent(username) || "minioadmin";
  const server = { endpoint: origin, accessKey, secretKey: decodeURIComponent(password) || "minioadmin" };
  const bucket = await newBucket(server);
  return {
    ...server,
    bucket,
    pid: undefined,
    async close() {
      const client = clientOf(server);
      for await (const { name } of client.listObjectsV2(bucket, "", true)) await client.removeObject(bucket, name);
      await client.removeBucket(bucket);
    },
  };
}

async function newBucket(server: Server): Promise<string> {
  const bucket = `galley-test-${randomBytes(6).toString("hex")}`;
  await clientOf(server).makeBucket(bucket);
  return bucket;
}

/** Starts a MinIO on a free port and an empty folder; resolves when it answers and has a bucket. */
async function startMinio(program: string): Promise<Minio> {
  for (;;) {
    const folder = await mkdtemp(join(tmpdir(), "galley-minio-"));
    const guard = guardFolder(folder);
    const keys = { accessKey: randomBytes(8).toString("hex"), secretKey: randomBytes(16).toString("hex") };
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(program, ["server", "--address", address, "--certs-dir", folder, join(folder, "data")], {
      env: {
        ...process.env,
        MINIO_ROOT_USER: keys.accessKey,
        MINIO_ROOT_PASSWORD: keys.secretKey,
        MINIO_BROWSER: "off",
        MINIO_UPDATE: "off",
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    guard.watch(child.pid);
    const close = async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const exit = once(child, "exit");
        child.kill("SIGKILL"); // Nothing in it is worth a clean end.
        await exit;
      }
      await rm(folder, { recursive: true, force: true });
      guard.end();
    };
    try {
      await answering(child);
      const server = { endpoint: `http://${address}`, ...keys };
      return { ...server, bucket: await newBucket(server), pid: child.pid, close };
    } catch (error) {
      await close();
      if (!(error instanceof PortTaken)) throw error;
    }
  }
}

/** Somebody took the port between our look and MinIO's. */
class PortTaken extends Error {}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** @throws PortTaken, or Error with MinIO's last words if it ends first */
function answering(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const lines: string[] = [];
    for (const input of [child.stdout, child.stderr]) {
      if (!input) continue;
      createInterface({ input }).on("line", (line) => {
        if (line.startsWith("API: ")) resolve();
        else lines.push(line);
      });
    }
    child.once("error", reject);
    child.once("close", () => {
      const taken = lines.some((line) => line.includes("port is already in use"));
      const lastWords = lines.slice(-5).join("\n");
      reject(taken ? new PortTaken(lastWords) : new Error(`MinIO ended before it answered: ${lastWords}`));
    });
  });
}
