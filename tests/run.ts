/**
 * `npm test`, after tests/compile.mjs: runs all tests on one MongoDB, since a server for each file would cost 1.7 s of a
 * core. What is given after `--` goes to tap.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { openSharedMongod } from "./support/mongod.ts";

const mongod = await openSharedMongod();
const env = mongod ? { ...process.env, GALLEY_TEST_MONGODB_URL: mongod.url } : process.env;
const tap = join(createRequire(import.meta.url).resolve("tap/package.json"), "../dist/esm/run.mjs");
const runner = spawn(process.execPath, [tap, "run", ...process.argv.slice(2)], { env, stdio: "inherit" });
// A terminal tells the whole group of processes. We go on until the runner has ended, and end the server after it.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => runner.kill(signal));
const [code] = await once(runner, "exit");
await mongod?.close();
process.exitCode = typeof code === "number" ? code : 1;
