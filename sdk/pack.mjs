/**
 * Makes what the SDK is handed out as, from its compiled files: `galley.js` for a page without a bundler, one `.cjs` an
 * entry with types for CommonJS, and `galley.tgz`, the npm package.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const IMPORTS = /((?:from|import)\s*\(?\s*")(\.[^"]+)(")/g;
/** What apps import; package.json names them. */
const ENTRIES = ["index", "node/index", "live/index", "react/index", "admin"];
/** The time npm gives every file, so that equal sources make equal packages. */
const PACKAGE_TIME = 499_162_500;

/** @param {string} folder the SDK's, compiled */
export async function packSdk(folder) {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const dist = join(folder, "dist");
  const banner = { js: `/*! ${manifest.name} ${manifest.version} | MIT licence */` };
  const bundle = async (entry, options) => {
    const shared = { bundle: true, external: ["react"], target: "es2022", logLevel: "warning", write: false, banner };
    const { outputFiles } = await build({ entryPoints: [join(dist, `${entry}.js`)], ...shared, ...options });
    return outputFiles[0].text;
  };
  replace(join(dist, "galley.js"), await bundle("index", { format: "esm", minify: true, legalComments: "none" }));

  const files = new Map([
    ["package.json", `${JSON.stringify(published(manifest), null, 2)}\n`],
    ["README.md", readFileSync(join(folder, "README.md"), "utf8")],
    ["LICENSE", readFileSync(join(folder, "../LICENSE"), "utf8")],
  ]);
  const modules = new Set();
  const typings = new Set();
  for (const entry of ENTRIES) {
    const common = await bundle(entry, { format: "cjs" });
    replace(join(dist, `${entry}.cjs`), common);
    files.set(`dist/${entry}.cjs`, common);
    reachable(dist, `${entry}.js`, modules);
    reachable(dist, `${entry}.d.ts`, typings);
  }
  for (const name of modules) files.set(`dist/${name}`, plain(dist, name));
  for (const name of typings) {
    const types = plain(dist, name).replace(IMPORTS, (_, before, path, after) => before + swap(path, ".js") + after);
    const commonTypes = types.replace(IMPORTS, (_, before, path, after) => before + swap(path, ".cjs") + after);
    files.set(`dist/${name}`, types);
    files.set(`dist/${name.replace(/ts$/, "cts")}`, commonTypes);
    replace(join(dist, name.replace(/ts$/, "cts")), commonTypes);
  }
  replace(join(dist, "galley.tgz"), gzipSync(tar(files), { level: 9 }));
}

/** Writes a file so that whoever reads it meanwhile gets the old one or the new one, whole. */
export function replace(path, content) {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, path);
}

/** The manifest without what only this repository's tests use. */
function published({ exports, ...manifest }) {
  const entries = Object.entries(exports).map(([name, entry]) => {
    if (typeof entry === "string") return [name, entry];
    const { "galley-source": _, ...ways } = entry;
    return [name, ways];
  });
  return { ...manifest, exports: Object.fromEntries(entries) };
}

/** A file and all that it imports, so that neither leftovers of a build nor the server's half of the language slip in. */
function reachable(dist, entry, found = new Set()) {
  if (found.has(entry)) return found;
  found.add(entry);
  for (const [, , path] of readFileSync(join(dist, entry), "utf8").matchAll(IMPORTS)) {
    const extension = entry.endsWith(".d.ts") ? ".d.ts" : ".js";
    reachable(dist, posix.join(dirname(entry), swap(path, extension)), found);
  }
  return found;
}

function swap(path, extension) {
  return path.replace(/\.[cm]?[jt]s$/, extension);
}

/** A compiled file without the pointer to its source map, which stays at home. */
function plain(dist, name) {
  return readFileSync(join(dist, name), "utf8").replace(/^\/\/# sourceMappingURL=.*\n?/m, "");
}

/** A tar archive of POSIX.1-1988 (ustar), as npm reads it. */
function tar(files) {
  const blocks = [];
  for (const [name, text] of files) {
    const content = Buffer.from(text);
    blocks.push(header(`package/${name}`, content.length), content, Buffer.alloc(-content.length & 511));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

function header(name, size) {
  if (Buffer.byteLength(name) > 100) throw new Error(`${name}: expects a path of at most 100 bytes`);
  const block = Buffer.alloc(512);
  const octal = (number, length) => `${number.toString(8).padStart(length - 1, "0")}\0`;
  const fields = [
    [0, name],
    [100, octal(0o644, 8)],
    [108, octal(0, 8)],
    [116, octal(0, 8)],
    [124, octal(size, 12)],
    [136, octal(PACKAGE_TIME, 12)],
    [148, " ".repeat(8)],
    [156, "0"],
    [257, "ustar\x0000"],
  ];
  for (const [at, text] of fields) block.write(text, at);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
