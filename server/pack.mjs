/**
 * Makes the program that runs: server and command line bundled with the libraries that are plain JavaScript, so that a
 * start reads two files instead of hundreds, the second being the program as V8 has compiled it
 * (docs/decisions/0005-the-server-is-bundled.md).
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { replace } from "../sdk/pack.mjs";

/** Native code, and what pino starts in a thread of its own by name. */
const EXTERNAL = ["better-sqlite3", "pino-pretty", "@node-rs/argon2", "@node-rs/bcrypt"];

/** CommonJS libraries in an ES module still ask for Node's own modules by `require`. */
const BANNER =
  'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);';

/**
 * How the program is bundled. Benchmarks bundle it the same way, with a map beside it.
 * @param {string} folder the server's
 */
export function bundleOptions(folder) {
  return {
    // All in one folder: a thread or process is found beside the file that starts it, in the source as in the build.
    entryPoints: {
      galley: join(folder, "cli/index.ts"),
      "writer-thread": join(folder, "stores/sqlite/writer-thread.ts"),
      "hash-process": join(folder, "accounts/passwords/hash-process.ts"),
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

/**
 * As one function of the CommonJS kind, which program.cjs calls: of ES modules, Node 20 keeps no compiled code.
 * @param {string} folder the server's
 */
function programOptions(folder) {
  const { entryPoints, banner: _, ...common } = bundleOptions(folder);
  return {
    ...common,
    entryPoints: { galley: entryPoints.galley },
    outExtension: { ".js": ".cjs" },
    splitting: false,
    format: "cjs",
    // `import()` would need a loader that a script with compiled code does not have.
    supported: { "dynamic-import": false },
    define: { "import.meta": "importMeta" },
  };
}

/** @param {string} folder the server's */
export async function packServer(folder) {
  const { entryPoints, ...common } = bundleOptions(folder);
  const { galley: _, ...beside } = entryPoints;
  const made = await Promise.all(
    [programOptions(folder), { ...common, entryPoints: beside, splitting: false }].map((options) =>
      build({ ...options, write: false }),
    ),
  );
  const program = join(folder, "dist/program");
  mkdirSync(program, { recursive: true });
  const files = made.flatMap(({ outputFiles }) => outputFiles);
  for (const { path, text } of files) replace(path, path.endsWith(".cjs") ? asFunction(text) : text);
  const names = new Set(files.map(({ path }) => basename(path)));
  for (const name of readdirSync(program)) if (!names.has(name)) rmSync(join(program, name));
  keepCompiled(folder);
}

/** Its first line tells it from every other: what V8 has compiled is kept under that name. */
function asFunction(text) {
  const digest = createHash("sha256").update(text).digest("hex").slice(0, 16);
  return `// ${digest}\n(function (require, module, exports, importMeta) {${text}\n})\n`;
}

/** Five times what it takes on a slow machine. */
const KEEPING_MILLISECONDS = 30_000;

/** In a process of its own. Whoever cannot start the program here still gets it, only slower. */
function keepCompiled(folder) {
  const { status, stderr } = spawnSync(process.execPath, [join(folder, "code-cache.cjs")], {
    env: plainEnvironment(),
    timeout: KEEPING_MILLISECONDS,
  });
  if (status !== 0) console.error(`the program was built, and its compiled form could not be kept:\n${stderr}`);
}

/** Without flags, which V8 would take for a part of what it compiled, and without settings of the server. */
function plainEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:NODE_|GALLEY_)/.test(name)));
}
