import { fileURLToPath } from "node:url";
import { LOADER, ownModule } from "../../support/own-modules.ts";
import { startProcess } from "../../support/server-process.ts";
import { BENCH_KEY, type Served, whenReady } from "./process.ts";

/** A program of tests/bench/galleys: Galley from its sources, in which a benchmark reaches what no route shows. */
export async function serveOwnGalley(name: string, folder: string, env: NodeJS.ProcessEnv): Promise<Served> {
  const server = await startProcess([...LOADER, fileURLToPath(ownModule(`tests/bench/galleys/${name}`))], {
    GALLEY_DATA_DIR: folder,
    GALLEY_PORT: "0",
    GALLEY_SERVICE_KEY: BENCH_KEY,
    UV_THREADPOOL_SIZE: "8",
    ...env,
  });
  return whenReady(server);
}
