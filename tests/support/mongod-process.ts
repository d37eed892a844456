/** A mongod as a process of ours: to be killed, stopped and started again by a test, and gone when the test is. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { guardFolder } from "./guard.ts";

export interface MongodSettings {
  /** The name of its replica set; a standalone server if left out. */
  readonly replicaSet?: string;
  /** Megabytes of history; 64 by default. */
  readonly oplogSize?: number;
  /** Seconds between checkpoints, after which history past its size goes; mongod's own default if left out. */
  readonly syncDelay?: number;
  /** For what it keeps in memory; a quarter by default. */
  readonly cacheGigabytes?: number;
}

export interface MongodProcess {
  /** `127.0.0.1:port`, the same after every start. */
  readonly host: string;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Starts it again on its folder after a `kill`; resolves when it listens. */
  start(): Promise<void>;
  /** kill -9. Resolves when it is gone. */
  kill(): Promise<void>;
  /** Stalls it without closing a connection, until `resume`. */
  stop(): void;
  resume(): void;
  /** Ends it and removes its folder. */
  close(): Promise<void>;
}

/** mongod's exit code if its port is taken. */
const PORT_TAKEN = 48;

/** Starts a mongod on a free port and an empty folder; resolves when it listens. */
export async function startMongodProcess(program: string, settings: MongodSettings): Promise<MongodProcess> {
  for (;;) {
    const folder = await mkdtemp(join(tmpdir(), "galley-mongod-"));
    const mongod = createMongodProcess(program, folder, await freePort(), settings);
    try {
      await mongod.start();
      return mongod;
    } catch (error) {
      await mongod.close();
      if (!(error instanceof EndedEarly) || error.code !== PORT_TAKEN) throw error;
    }
  }
}

class EndedEarly extends Error {
  readonly code: number | null;

  constructor(code: number | null, lastWords: string) {
    super(`mongod ended before it listened: ${lastWords}`);
    this.code = code;
  }
}

function createMongodProcess(
  program: string,
  folder: string,
  port: number,
  settings: MongodSettings,
): MongodProcess & { start(): Promise<void> } {
  const guard = guardFolder(folder);
  let child: ChildProcess | undefined;
  const running = () => {
    if (!child) throw new Error("this mongod is not running");
    return child;
  };
  async function kill(): Promise<void> {
    if (!child) return;
    const ended = child;
    child = undefined;
    if (ended.exitCode === null && ended.signalCode === null) {
      const exit = once(ended, "exit");
      ended.kill("SIGKILL"); // Nothing in it is worth a clean end, which takes seconds.
      await exit;
    }
    guard.watch(undefined);
  }
  return {
    host: `127.0.0.1:${port}`,
    get pid() {
      return running().pid as number;
    },
    async start() {
      const args = [...argumentsFor(port, settings), "--dbpath", folder];
      child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
      guard.watch(child.pid);
      await listening(child);
    },
    kill,
    stop: () => void running().kill("SIGSTOP"),
    resume: () => void running().kill("SIGCONT"),
    async close() {
      await kill();
      guard.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function argumentsFor(port: number, settings: MongodSettings): string[] {
  const { replicaSet, oplogSize = 64, syncDelay, cacheGigabytes = 0.25 } = settings;
  const address = ["--bind_ip", "127.0.0.1", "--port", String(port), "--nounixsocket"];
  const small = ["--wiredTigerCacheSizeGB", String(cacheGigabytes), "--oplogSize", String(oplogSize)];
  const parameters = ["--setParameter", "diagnosticDataCollectionEnabled=false"];
  const faults = ["--setParameter", "enableTestCommands=1"];
  const set = replicaSet === undefined ? [] : ["--replSet", replicaSet];
  const sync = syncDelay === undefined ? [] : ["--syncdelay", String(syncDelay)];
  return [...address, ...small, ...parameters, ...faults, ...set, ...sync];
}

/** Below the ports that the system gives to outgoing connections: one of those could sit on ours between two starts. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

/** @throws EndedEarly with mongod's last words */
async function listening(child: ChildProcess): Promise<void> {
  const { stdout } = child;
  if (!stdout) throw new Error("mongod has no output");
  const exit = once(child, "exit");
  const lines: string[] = [];
  for await (const line of createInterface({ input: stdout })) {
    if (line.includes('"Waiting for connections"')) {
      stdout.resume();
      return;
    }
    lines.push(line);
  }
  const [code] = await exit;
  throw new EndedEarly(code as number | null, lines.slice(-5).join("\n"));
}
