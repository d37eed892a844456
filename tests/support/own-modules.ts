import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The folder of the repository: tests and benchmarks run in it. */
export const ROOT = process.cwd();

/** Tests run compiled, in tests/dist; benchmarks, and a test file run by itself, through tsx. */
const COMPILED = import.meta.url.endsWith(".js");

/** @param path of a module of the tests below the root, without its ending */
export function ownModule(path: string): URL {
  return pathToFileURL(COMPILED ? join(ROOT, "tests/dist", `${path}.js`) : join(ROOT, `${path}.ts`));
}

/** What Node needs to run modules of the tests. */
export const LOADER: readonly string[] = COMPILED ? [] : ["--import=tsx", "--conditions=galley-source"];
