// Loads the program that the build made, with what V8 had compiled of it (docs/decisions/0005-the-server-is-bundled.md).
"use strict";

const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");
const { Script } = require("node:vm");

const FOLDER = join(__dirname, "dist/program");
const FILE = join(FOLDER, "galley.cjs");

/**
 * V8 tells by itself that a cache is of another version or of other flags, but knows a source by nothing but its length.
 * So the name holds the digest that the program begins with; and the processor's kind, which V8 does not ask for.
 */
function cacheFileOf(source) {
  const digest = /^\/\/ ([\da-f]+)\n/.exec(source)?.[1];
  return join(FOLDER, `galley-${digest}-${process.version}-${process.arch}.cache`);
}

function read(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined; // Then it is compiled as it is needed: slower, and nothing else.
  }
}

/** Runs the program's modules. `script` is what V8 knows of it, to be kept; see code-cache.cjs. */
function loadProgram() {
  const source = readFileSync(FILE, "latin1"); // esbuild writes ASCII
  const cacheFile = cacheFileOf(source);
  const script = new Script(source, { filename: FILE, cachedData: read(cacheFile) });
  const program = { exports: {} };
  script.runInThisContext()(createRequire(FILE), program, program.exports, { url: pathToFileURL(FILE).href });
  return { ...program.exports, script, cacheFile };
}

module.exports = { loadProgram };
