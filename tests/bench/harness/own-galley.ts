import { join } from "node:path";
import { ROOT } from "../../support/own-modules.ts";
import { startProcess } from "../../support/server-process.ts";
import { bundleGalley } from "./galley-bundle.ts";
import { BENCH_KEY, type Served, whenReady } from "./process.ts";

/** A program of tests/bench/galleys: Galley bundled as it is shipped, in which a benchmark reaches what no route shows. */
export async function serveOwnGalley(name: string, folder: string, env: NodeJS.ProcessEnv): Promise<Served> {
  const server = await startProcess([join(await bundleOf(name), `${name}.js`)], {
    GALLEY_DATA_DIR: folder,
    GALLEY_PORT: "0",
    GALLEY_SERVICE_KEY: BENCH_KEY,
    UV_THREADPOOL_SIZE: "8",
    ...env,
  });
  return whenReady(server);
}

const bundles = new Map<string, Promise<string>>();

/** A loader of TypeScript would slow down every closure that the server makes. */
function bundleOf(name: string): Promise<string> {
  const bundle = bundles.get(name) ?? bundleGalley(name, join(ROOT, "tests/bench/galleys", `${name}.ts`));
  bundles.set(name, bundle);
  return bundle;
}
