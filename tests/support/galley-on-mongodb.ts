/** Galley as a process of its own on a MongoDB, for faults between the two. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LedgerSend, sendTo } from "./ledger.ts";
import { newDatabase, withDatabase } from "./mongod.ts";
import { PROCESS_KEY, type ServerProcess, startGalley } from "./server-process.ts";
import { startTcpProxy } from "./tcp-proxy.ts";
import type { Teardown } from "./teardown.ts";

export interface GalleyOnMongodb {
  readonly url: string;
  /** Its database; nobody else uses it. */
  readonly mongodbUrl: string;
  readonly process: ServerProcess;
  /** Sends a request with a full key, wherever the process is now; undefined if no answer came. */
  readonly send: LedgerSend;
  /** The status of one of the open routes. */
  status(route: "health" | "ready"): Promise<number>;
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts it again after a `kill`. */
  start(): Promise<void>;
}

/** Starts Galley on an empty database of a MongoDB; ends it with the test. */
export async function startGalleyOn(t: Teardown, mongodb: string): Promise<GalleyOnMongodb> {
  const folder = mkdtempSync(join(tmpdir(), "galley-fault-"));
  const mongodbUrl = withDatabase(mongodb, newDatabase());
  const start = () => startGalley(folder, { GALLEY_MONGODB_URL: mongodbUrl });
  let server = await start();
  t.teardown(async () => {
    await server.end("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    get url() {
      return server.url;
    },
    mongodbUrl,
    get process() {
      return server;
    },
    send: sendTo(() => server.url, PROCESS_KEY),
    status: async (route) => (await fetch(`${server.url}/v1/${route}`)).status,
    async kill() {
      await server.end("SIGKILL");
    },
    async start() {
      server = await start();
    },
  };
}

/** As {@link startGalleyOn}, on a single-node replica set that Galley reaches by a proxy only. */
export async function startGalleyBehindProxy(t: Teardown, host: string) {
  const proxy = await startTcpProxy(host);
  t.teardown(() => proxy.close());
  const galley = await startGalleyOn(t, `mongodb://${proxy.host}/x?directConnection=true`);
  return { proxy, galley };
}
