/**
 * Makes the program that runs: server and command line bundled with the libraries that are plain JavaScript, so that a
 * start reads a handful of files instead of hundreds (docs/decisions/0005-the-server-is-bundled.md).
 */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { replace } from "../sdk/pack.mjs";

/** Native code, and what pino starts in a thread of its own by name. */
const EXTERNAL = ["better-sqlite3", "pino-pretty"];

/** CommonJS libraries in an ES module still ask for Node's own modules by `require`. */
const BANNER =
  'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);';

/**
 * How the program is bundled. Benchmarks bundle it the same way, with a map beside it.
 * @param {string} folder the server's
 */
export function bundleOptions(folder) {
  return {
    // All in one folder: the store finds its thread beside the file that starts it, in the source as in the build.
    entryPoints: {
      galley: join(folder, "cli/index.ts"),
      "writer-thread": join(folder, "stores/sqlite/writer-thread.ts"),
    },
    outdir: join(folder, "dist/program"),
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    conditions: ["galley-source"],
    external: EXTERNAL,
    banner: { js: BANNER },
    // Names stay: the stack of a defect in a log must say where it was.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "external",
    logLevel: "warning",
  };
}

/** @param {string} folder the server's */
export async function packServer(folder) {
  const { outputFiles } = await build({ ...bundleOptions(folder), write: false });
  const program = join(folder, "dist/program");
  mkdirSync(program, { recursive: true });
  for (const { path, contents } of outputFiles) replace(path, contents);
  const names = new Set(outputFiles.map(({ path }) => basename(path)));
  for (const name of readdirSync(program)) if (!names.has(name)) rmSync(join(program, name));
}
