// Keeps what V8 compiles while the program starts, so that no start compiles it again. The build runs it, as a process.
"use strict";

const { existsSync, mkdtempSync, readFileSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { setTimeout: wait } = require("node:timers/promises");
const { loadProgram } = require("./program.cjs");

/** Read as far as the options, and refused: enough to have all of the driver's modules run. */
const NO_MONGODB = "mongodb://127.0.0.1/galley?directConnection=neither";

/** A start, its first request and its end; and a start that loads the other engine. */
async function exercise(runCommandLine, folder) {
  const env = { GALLEY_DATA_DIR: folder, GALLEY_PORT: "0", GALLEY_LOG_LEVEL: "silent", GALLEY_LOG_FORMAT: "json" };
  const running = runCommandLine(["start"], env, "");
  const told = join(folder, "server.json");
  while (!existsSync(told)) {
    if ((await Promise.race([running, wait(5)])) !== undefined) throw new Error("the program does not start");
  }
  await (await fetch(`${JSON.parse(readFileSync(told, "utf8")).url}/v1/ready`)).arrayBuffer();
  process.kill(process.pid, "SIGTERM");
  await running;
  await runCommandLine(["start"], { ...env, GALLEY_MONGODB_URL: NO_MONGODB }, "");
}

async function keep() {
  const { replace } = await import("../sdk/pack.mjs");
  const { runCommandLine, script, cacheFile } = loadProgram();
  const folder = mkdtempSync(join(tmpdir(), "galley-code-cache-"));
  try {
    await exercise(runCommandLine, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  replace(cacheFile, script.createCachedData());
}

keep();
