/** A real MongoDB for the tests: found or fetched, started on loopback, and gone when the test file ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { MongoClient } from "mongodb";
import type { TAP } from "tap";
import { findMongod, NoMongod } from "./mongod-program.ts";

export interface Mongod {
  /** Names, in its path, a database that nobody else uses. */
  readonly url: string;
  /** Of the process, for faults; undefined for the server of `GALLEY_TEST_MONGODB_URL`, which is not ours to harm. */
  readonly pid: number | undefined;
  close(): Promise<void>;
}

/**
 * The MongoDB of a test file; call it once, with the root test, whose end ends the server.
 *
 * @returns undefined, with a skip that tells the reason, if there is none to be had
 * @throws Error in place of that skip if `GALLEY_REQUIRE_SERVERS` is 1
 */
export async function useMongod(t: Pick<TAP, "teardown" | "pass">): Promise<Mongod | undefined> {
  let mongod: Mongod;
  try {
    mongod = await openMongod();
  } catch (error) {
    if (!(error instanceof NoMongod) || process.env.GALLEY_REQUIRE_SERVERS === "1") throw error;
    t.pass("runs on a real mongod", { skip: error.message });
    return undefined;
  }
  t.teardown(() => mongod.close());
  return mongod;
}

/**
 * Opens a MongoDB: that of `GALLEY_TEST_MONGODB_URL`, else a single-node replica set of the caller's own.
 *
 * @throws NoMongod if there is no program to start
 */
export async function openMongod(): Promise<Mongod> {
  const given = process.env.GALLEY_TEST_MONGODB_URL;
  return given ? useServer(given) : startMongod(await findMongod());
}

function newDatabase(): string {
  return `galley_test_${randomBytes(6).toString("hex")}`;
}

/** A database of our own on a server that others may use too. Credentials are those of the URL's `authSource`. */
function useServer(given: string): Mongod {
  const [, server, options = ""] = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?(\?.*)?$/.exec(given) ?? [];
  if (server === undefined) throw new Error("GALLEY_TEST_MONGODB_URL expects mongodb://host:port");
  const url = `${server}/${newDatabase()}${options}`;
  return {
    url,
    pid: undefined,
    async close() {
      const client = new MongoClient(url);
      await client.db().dropDatabase();
      await client.close();
    },
  };
}

const REPLICA_SET = "galley";
/** mongod's exit code if its port is taken. */
const PORT_TAKEN = 48;

/** Starts a single-node replica set on a free port and an empty folder; resolves when it is primary. */
async function startMongod(program: string): Promise<Mongod> {
  for (;;) {
    const folder = await mkdtemp(join(tmpdir(), "galley-mongod-"));
    const port = await freePort();
    const child = spawn(program, [...argumentsFor(port), "--dbpath", folder], { stdio: ["ignore", "pipe", "ignore"] });
    const guard = guardProcess(child, folder);
    const close = async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const exit = once(child, "exit");
        child.kill("SIGKILL"); // Nothing in it is worth a clean end, which takes seconds.
        await exit;
      }
      guard.stdin?.end("done\n");
      await rm(folder, { recursive: true, force: true });
    };
    try {
      await listening(child);
      await initiate(port);
      const url = `mongodb://127.0.0.1:${port}/${newDatabase()}?replicaSet=${REPLICA_SET}`;
      return { url, pid: child.pid, close };
    } catch (error) {
      const lostThePort = child.exitCode === PORT_TAKEN;
      await close();
      if (!lostThePort) throw error;
    }
  }
}

function argumentsFor(port: number): string[] {
  const address = ["--bind_ip", "127.0.0.1", "--port", String(port), "--nounixsocket"];
  const small = ["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64"];
  const quiet = ["--setParameter", "diagnosticDataCollectionEnabled=false"];
  return ["--replSet", REPLICA_SET, ...address, ...small, ...quiet];
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/**
 * Ends mongod if this process ends without having done so, even by SIGKILL: a shell waits at a pipe which the system
 * closes with us.
 */
function guardProcess(child: ChildProcess, folder: string): ChildProcess {
  const script = 'read -r done || { kill -9 "$1"; rm -rf "$2"; }';
  const guard = spawn("sh", ["-c", script, "guard", String(child.pid), folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true, // a Ctrl-C in the terminal must not end it before us
  });
  guard.unref();
  return guard;
}

/** @throws Error with mongod's last words if it ends first */
async function listening(child: ChildProcess): Promise<void> {
  const { stdout } = child;
  if (!stdout) throw new Error("mongod has no output");
  const lines: string[] = [];
  for await (const line of createInterface({ input: stdout })) {
    if (line.includes('"Waiting for connections"')) {
      stdout.resume();
      return;
    }
    lines.push(line);
  }
  throw new Error(`mongod ended before it listened: ${lines.slice(-5).join("\n")}`);
}

async function initiate(port: number): Promise<void> {
  const host = `127.0.0.1:${port}`;
  const lone = new MongoClient(`mongodb://${host}/?directConnection=true`);
  await lone.db("admin").command({ replSetInitiate: { _id: REPLICA_SET, members: [{ _id: 0, host }] } });
  await lone.close();
  const client = new MongoClient(`mongodb://${host}/?replicaSet=${REPLICA_SET}`);
  await client.db("admin").command({ ping: 1 }); // waits for a primary
  await client.close();
}
