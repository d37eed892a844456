#!/usr/bin/env node
// CommonJS on purpose: libuv reads UV_THREADPOOL_SIZE before the first line of an ES module runs.
"use strict";

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`galley: needs Node.js 20.19 or newer, this is ${process.versions.node}`);
  process.exit(1);
}
process.env.UV_THREADPOOL_SIZE ??= "8";

const { runCommandLine } = require("./program.cjs").loadProgram();
runCommandLine(process.argv.slice(2), process.env, require("../package.json").version).then((code) => {
  process.exitCode = code;
});
