/**
 * Makes JavaScript of the tests and of all that they test, in tests/dist, laid out as the sources are. Through a loader of
 * TypeScript each of the test files, and each writer's thread that one starts, would take three times as long to load.
 * Only what changed since the last time is made anew.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";
import { entryOf, linkProgram, FOLDER as MODULES_FOLDER, makeModules, modulesAmong, nameOf } from "./modules.mjs";
import { isKept, keepCompiled, makeVendors, STAMP, VENDORS, FOLDER as VENDORS_FOLDER, vendorFile } from "./vendors.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SOURCES = ["sdk", "server", "tests", "docs/examples"];
/** `src` is of examples that are apps, and built as such. */
const SKIPPED = new Set(["node_modules", "dist", "results", "src"]);
const DIST = join(ROOT, "tests/dist");
const TOOLS = ["compile.mjs", "modules.mjs"].map((name) => statSync(join(ROOT, "tests", name)).mtimeMs);

/** A specifier in the forms that the sources use; what it is in the compiled tree only differs in its ending. */
const SPECIFIER = /(\bfrom\s*|\bimport\s*\(?\s*)"(\.[^"]*)\.ts"/g;
const PROTOCOL = /(\bfrom\s*|\bimport\s*\(?\s*)"#protocol\/([^"]*)"/g;
const OWN_SDK = /(\bfrom\s*|\bimport\s*\(?\s*)"#sdk"/g;
/** In these two not in texts that tests hand to others: those do not start a line. */
const VENDOR = new RegExp(`^(import (?:[^"]* from )?|\\} from |.*\\bimport\\()"(${VENDORS.join("|")})"`, "gm");
const SDK = /^(import [^"]* from )"@galley\/sdk(?:\/(\w+))?"/gm;

const sources = SOURCES.flatMap((folder) => listFiles(join(ROOT, folder))).filter(
  (path) => isSource(path) || isData(path),
);
await makeVendors();
const results = new Map(sources.map((path) => [resultOf(path), path]));
mkdirSync(DIST, { recursive: true });
const isMade = (path) => path.startsWith(VENDORS_FOLDER) || path.startsWith(MODULES_FOLDER);
for (const path of listFiles(DIST)) if (!isMade(path) && !results.has(path.replace(/\.map$/, ""))) rmSync(path);
const modules = modulesAmong(sources.filter(isSource));
const toolsTime = Math.max(...TOOLS, statSync(STAMP).mtimeMs);
await Promise.all([...results].map(([result, source]) => compile(source, result)));
await makeModules(modules, toolsTime);
if (!isKept()) keepCompiled();

async function compile(source, result) {
  const made = statSync(result, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (made > Math.max(...TOOLS, statSync(source).mtimeMs)) return;
  mkdirSync(dirname(result), { recursive: true });
  if (isData(source)) return copyFileSync(source, result);
  const { code, map } = await transform(readFileSync(source, "utf8"), {
    loader: "ts",
    format: "esm",
    target: "node20.19",
    // Beside the file, without a word in it: Node would read the maps of all that a test loads.
    sourcemap: "external",
    sourcesContent: false,
    sourcefile: relative(dirname(result), source),
  });
  const pathTo = (path) => relative(dirname(result), path).split(sep).join("/");
  const sdk = pathTo(join(DIST, "sdk"));
  const linked = code
    .replace(SPECIFIER, '$1"$2.js"')
    .replace(PROTOCOL, (_, word, name) => `${word}"${sdk}/protocol/${name}.js"`)
    .replace(VENDOR, (_, words, name) => `${words}"${pathTo(vendorFile(name))}"`)
    .replace(OWN_SDK, (_, word) => `${word}"${sdk}/node/index.js"`)
    .replace(SDK, (_, words, name) => `${words}"${sdk}/${entryOf(name)}.js"`);
  writeFileSync(`${result}.map`, map);
  writeFileSync(result, modules.has(nameOf(source)) ? linked : linkProgram(linked, result, modules));
}

function resultOf(source) {
  return join(DIST, relative(ROOT, source)).replace(/\.ts$/, ".js");
}

function isSource(path) {
  return path.endsWith(".ts") && !path.endsWith(".d.ts");
}

/** What modules read that lies beside them. */
function isData(path) {
  return path.endsWith(".json") && !/(?:package|tsconfig)\.json$/.test(path);
}

function listFiles(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : listFiles(path);
    return [path];
  });
}
