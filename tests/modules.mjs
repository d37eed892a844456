/**
 * Makes one script of the modules that the tests and other programs of theirs import, and a file of its own of the writer's
 * thread: a process reads a handful of files in place of hundreds, and finds what V8 has compiled of them before
 * (docs/decisions/0023-tests-run-compiled.md).
 */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { VENDORS, vendorFile } from "./vendors.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DIST = join(ROOT, "tests/dist");
export const FOLDER = join(DIST, "modules");
export const LOADER = join(FOLDER, "loader.js");
const THREAD = "server/stores/sqlite/writer-thread";
const MINUTE = 60_000;

/** Every form of an import of our own modules. */
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)"(\.[^"]*\.ts|#protocol\/[^"]*|#sdk|@galley\/sdk(?:\/\w+)?)"/g;
/** A script that V8 keeps compiled waits for nothing. */
const WAITS = /^(?:(?:const|let) [^=]*= )?await\b|^for await/m;

/** @returns the sources that others import, by their names */
export function modulesAmong(sources) {
  const imported = new Set();
  for (const source of sources) {
    for (const [, specifier] of readFileSync(source, "utf8").matchAll(IMPORT)) imported.add(resolve(specifier, source));
  }
  const modules = sources.filter((source) => imported.has(source) && !WAITS.test(readFileSync(source, "utf8")));
  return new Map(modules.map((source) => [nameOf(source), source]));
}

/** Like `server/app`: where it is, from the repository's folder. */
export function nameOf(source) {
  return relative(ROOT, source).replace(/\.ts$/, "").split(sep).join("/");
}

function resolve(specifier, from) {
  if (specifier.startsWith("#protocol/"))
    return join(ROOT, "sdk/protocol", `${specifier.slice("#protocol/".length)}.ts`);
  if (specifier.startsWith(".")) return join(dirname(from), specifier);
  return join(ROOT, "sdk", `${entryOf(/^@galley\/sdk\/(\w+)$/.exec(specifier)?.[1])}.ts`);
}

/** Where the file of an entry of the SDK is, as Node loads it: a folder's is its index. */
export function entryOf(name = "node") {
  return ["node", "live", "react"].includes(name) ? `${name}/index` : name;
}

const STATIC = /^import (?:(\{[^}]*\})|\* as (\w+)) from "(\.[^"]*)\.js";$/gm;

/** A compiled program that takes its modules from the script; each line stays where it was. */
export function linkProgram(code, result, modules) {
  let links = false;
  const linked = code.replace(STATIC, (whole, names, namespace, path) => {
    const name = relative(DIST, join(dirname(result), path))
      .split(sep)
      .join("/");
    if (!modules.has(name)) return whole;
    links = true;
    return `const ${namespace ?? names.replace(/(\w+) as (\w+)/g, "$1: $2")} = load$(${JSON.stringify(name)});`;
  });
  const loader = relative(dirname(result), LOADER).split(sep).join("/");
  return links ? `import { load as load$ } from "${loader}"; ${linked}` : code;
}

/**
 * Makes the script and the thread, unless they are there for these sources.
 *
 * @param modules sources by their names
 * @param toolsTime when the tools last changed, and the packages
 */
export async function makeModules(modules, toolsTime) {
  const newest = Math.max(toolsTime, ...[...modules.values()].map((source) => statSync(source).mtimeMs));
  const made = statSync(LOADER, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const list = join(FOLDER, "list.json");
  const names = JSON.stringify([...modules.keys()]);
  if (made > newest && existsSync(list) && readFileSync(list, "utf8") === names) return;
  const began = new Date();
  mkdirSync(FOLDER, { recursive: true });
  const [script, map] = await bundleModules(modules);
  const digest = createHash("sha256").update(script).digest("hex").slice(0, 16);
  // Of a source, V8 knows nothing but its length: what it compiled goes by the digest too.
  writeFileSync(join(FOLDER, `${digest}.js`), script);
  writeFileSync(join(FOLDER, `${digest}.js.map`), map);
  await bundleThread();
  writeFileSync(list, names);
  const loader = `${LOADER}.${process.pid}`;
  writeFileSync(loader, loaderOf(digest));
  // What has changed since then is not in it.
  utimesSync(loader, began, began);
  renameSync(loader, LOADER);
  // Another process may read what the loader named a moment ago.
  const isLeft = (file) => began.getTime() - statSync(join(FOLDER, file)).mtimeMs > MINUTE;
  const isOld = (file) => /^[\da-f]{16}\./.test(file) && !file.startsWith(digest) && isLeft(file);
  for (const file of readdirSync(FOLDER)) if (isOld(file)) rmSync(join(FOLDER, file), { force: true });
}

const COMMON = { bundle: true, platform: "node", target: "node20.19", write: false, logLevel: "error" };

/** Modules are evaluated when they are first asked for. */
async function bundleModules(modules) {
  const all = [...modules].map(
    ([name, source]) => `exports[${JSON.stringify(name)}] = () => require(${JSON.stringify(source)});`,
  );
  const { outputFiles } = await build({
    ...COMMON,
    stdin: { contents: all.join("\n"), resolveDir: ROOT },
    outfile: join(FOLDER, "script.js"),
    format: "cjs",
    plugins: [OWN, PLACES],
    // `import()` would need a loader that a script with compiled code does not have.
    supported: { "dynamic-import": false },
    banner: { js: "(function (require, exports, importMeta) {" },
    footer: { js: "})" },
    minifyWhitespace: true,
    sourcemap: "external",
    sourcesContent: false,
  });
  const text = (ending) => outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? "";
  return [text(".js"), text(".map")];
}

/** In the place of the file that only links to others. */
async function bundleThread() {
  const { outputFiles } = await build({
    ...COMMON,
    entryPoints: [join(ROOT, `${THREAD}.ts`)],
    outfile: join(DIST, `${THREAD}.js`),
    format: "esm",
    plugins: [OWN],
    sourcemap: "external",
    sourcesContent: false,
  });
  for (const { path, contents } of outputFiles) writeFileSync(path, contents);
}

/** Packages are those that the tests have too, or Node finds them. */
const OWN = {
  name: "own modules",
  setup({ onResolve }) {
    onResolve({ filter: /^(?:#|@galley\/sdk)/ }, ({ path, importer }) => ({ path: resolve(path, importer) }));
    onResolve({ filter: /^\.\/loader\.js$/ }, () => ({ path: "vendors", external: true }));
    onResolve({ filter: /^[a-z@]/ }, ({ path }) =>
      VENDORS.includes(path) ? { path: vendorFile(path) } : { path, external: true },
    );
  },
};

/** A module looks for what lies beside it in tests/dist. */
const PLACES = {
  name: "places",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      if (!text.includes("import.meta")) return undefined;
      return { contents: text.replaceAll("import.meta", `importMeta(${JSON.stringify(nameOf(path))})`), loader: "ts" };
    });
  },
};

const loaderOf = (digest) => `
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";
import { load as vendor } from "../vendors/loader.js";

const url = new URL("./${digest}.js", import.meta.url);
/** Where what V8 compiles of it is kept. */
export const kept = fileURLToPath(new URL("./${digest}.compiled", import.meta.url));

function read(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined; // Then it is compiled as it is needed: slower, and nothing else.
  }
}

// esbuild writes ASCII.
export const script = new Script(readFileSync(url, "latin1"), { filename: fileURLToPath(url), cachedData: read(kept) });
const modules = {};
const require = createRequire(import.meta.url);
/** A file's address is what \`import()\` was given. */
const find = (name) =>
  name === "vendors" ? { load: vendor } : require(name.startsWith("file:") ? fileURLToPath(name) : name);
script.runInThisContext()(
  find,
  modules,
  (name) => ({ url: new URL(\`../\${name}.js\`, import.meta.url).href }),
);

export const load = (name) => modules[name]();
`;
