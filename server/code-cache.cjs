// Keeps what V8 compiles while the program starts, so that no start compiles it again. The build runs it, as a process.
"use strict";

const { existsSync, mkdtempSync, readFileSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { setTimeout: wait } = require("node:timers/promises");
const { loadProgram } = require("./program.cjs");

/** A port that no program listens on; RFC 863's, long out of use. */
const NOBODY = "mongodb://127.0.0.1:9/galley";

/** A start on a folder, the first request, whatever the answer, and the end. */
async function runOnce(runCommandLine, folder, env) {
  const told = join(folder, "server.json");
  const given = { GALLEY_DATA_DIR: folder, GALLEY_PORT: "0", GALLEY_LOG_LEVEL: "silent", GALLEY_LOG_FORMAT: "json" };
  const running = runCommandLine(["start"], { ...given, ...env }, "");
  while (!existsSync(told)) {
    if ((await Promise.race([running, wait(5)])) !== undefined) throw new Error("the program does not start");
  }
  const { url } = JSON.parse(readFileSync(told, "utf8"));
  await (await fetch(`${url}/v1/ready`)).text();
  process.kill(process.pid, "SIGTERM");
  await running;
  // Else the next run's signal would be the second one of this, which ends the process.
  process.removeAllListeners("SIGTERM");
}

async function keep() {
  const { replace } = await import("../sdk/pack.mjs");
  const { runCommandLine, script, cacheFile } = loadProgram();
  const folder = mkdtempSync(join(tmpdir(), "galley-code-cache-"));
  try {
    await runOnce(runCommandLine, folder, {});
    // Of a MongoDB that is not there: its driver is most of what such a start compiles.
    await runOnce(runCommandLine, folder, { GALLEY_MONGODB_URL: NOBODY });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  replace(cacheFile, script.createCachedData());
}

keep().catch((error) => {
  console.error(error);
  process.exit(1);
});
