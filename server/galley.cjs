#!/usr/bin/env node
// CommonJS on purpose: libuv reads UV_THREADPOOL_SIZE before the first line of an ES module runs.
"use strict";

const { availableParallelism } = require("node:os");

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`galley: needs Node.js 20.19 or newer, this is ${process.versions.node}`);
  process.exit(1);
}
// Passwords are hashed on all cores but one, and file reads and token checks must not wait for them.
process.env.UV_THREADPOOL_SIZE ??= String(Math.max(8, availableParallelism() + 4));

const { runCommandLine } = require("./program.cjs").loadProgram();
runCommandLine(process.argv.slice(2), process.env, require("../package.json").version).then((code) => {
  process.exitCode = code;
});
