/**
 * Makes one script of the packages that most test files load, and keeps what V8 compiles of it: a process reads two files
 * in place of a thousand. Of ES modules, and of packages on their own, Node 20 keeps no compiled code.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Plain JavaScript all through, and not small. */
export const VENDORS = [
  ...["tap", "mongodb", "fastify", "ws", "ajv/dist/2020.js", "ajv-formats", "re2js", "csv-parse"],
  ...["jose/errors", "jose/jwt/sign", "jose/jwt/verify"],
  ...["nodemailer/lib/smtp-connection", "nodemailer/lib/mail-composer"],
];

const ROOT = fileURLToPath(new URL("..", import.meta.url));
export const FOLDER = join(ROOT, "tests/dist/vendors");
const SCRIPT = join(FOLDER, "script.cjs");
const LOADER = join(FOLDER, "loader.js");
const COMPILED = join(FOLDER, "script.compiled");
export const STAMP = join(FOLDER, "stamp");
/** Of the script that tests/modules.mjs makes. */
const MODULES = join(ROOT, "tests/dist/modules/loader.js");
const WARM_UP = join(ROOT, "tests/dist/tests/support/warm-up.js");
/** Many times what it takes on a slow machine. */
const KEEPING_MILLISECONDS = 60_000;

/** The module in tests/dist that stands for a package. */
export function vendorFile(name) {
  return join(FOLDER, `${name.replaceAll("/", "-").replace(/\.js$/, "")}.js`);
}

/** Makes the script and a module for each package, unless they are there for these packages and this Node. */
export async function makeVendors() {
  const state = createHash("sha256")
    .update(process.version)
    .update(readFileSync(join(ROOT, "package-lock.json")))
    .update(readFileSync(fileURLToPath(import.meta.url)))
    .digest("hex");
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === state) return;
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(SCRIPT, await bundle());
  writeFileSync(LOADER, LOADER_SOURCE);
  for (const name of VENDORS) writeFileSync(vendorFile(name), await moduleOf(name));
  writeFileSync(STAMP, state);
}

/** Whether the packages are kept compiled. */
export function isKept() {
  return existsSync(COMPILED);
}

/** Keeps what V8 compiles of both scripts while a test starts Galley, in a process of its own and without flags. */
export function keepCompiled() {
  const { status, stderr } = spawnSync(process.execPath, ["--conditions=galley-source", WARM_UP, LOADER, MODULES], {
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:NODE_|GALLEY_)/.test(name))),
    encoding: "utf8",
    timeout: KEEPING_MILLISECONDS,
  });
  // The tests run all the same, only slower.
  if (status !== 0) console.error(`what V8 compiles of the tests could not be kept:\n${stderr}`);
}

/** Packages are evaluated when they are first asked for. */
async function bundle() {
  const contents = VENDORS.map((name) => `exports[${JSON.stringify(name)}] = () => require(${JSON.stringify(name)});`);
  const { outputFiles } = await build({
    stdin: { contents: contents.join("\n"), resolveDir: ROOT },
    write: false,
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node20.19",
    // `import()` would need a loader that a script with compiled code does not have.
    supported: { "dynamic-import": false },
    // For `import.meta.url`, which packages look for their own files by.
    define: { "import.meta": "importMeta" },
    minifyWhitespace: true,
    legalComments: "none",
    logLevel: "error",
  });
  return `(function (require, exports, importMeta, __filename, __dirname) {${outputFiles[0].text}\n})`;
}

/** With the names that Node finds in the package. */
async function moduleOf(name) {
  const require = createRequire(import.meta.url);
  // tap takes this process for a test, which would fail once it takes long.
  process.env.TAP_TIMEOUT = "0";
  const found = await import(name);
  const names = Object.keys(found).filter((key) => key !== "default" && key !== "module.exports");
  const whole = "default" in found && isCommonJs(require, name, found.default);
  return [
    `import { load } from "./loader.js";`,
    `const found = load(${JSON.stringify(name)});`,
    `export default ${whole ? "found" : "found.default"};`,
    `export const { ${names.join(", ")} } = found;`,
    "",
  ].join("\n");
}

/** Node takes the whole of a CommonJS package for its default export. */
function isCommonJs(require, name, exported) {
  try {
    return require(name) === exported;
  } catch {
    return false;
  }
}

const LOADER_SOURCE = `
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";

const url = new URL("./script.cjs", import.meta.url);
/** Where what V8 compiles of it is kept. */
export const kept = fileURLToPath(new URL("./script.compiled", import.meta.url));

function read(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined; // Then it is compiled as it is needed: slower, and nothing else.
  }
}

/** tap leaves frames of its own out of stacks by such a name. */
const filename = fileURLToPath(new URL("./node_modules/@tapjs/vendors.cjs", import.meta.url));
// esbuild writes ASCII.
export const script = new Script(readFileSync(url, "latin1"), { filename, cachedData: read(kept) });
const packages = {};
const at = [fileURLToPath(url), fileURLToPath(new URL(".", url))];
script.runInThisContext()(createRequire(import.meta.url), packages, { url: url.href }, ...at);

export const load = (name) => packages[name]();
`;
