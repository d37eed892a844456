/**
 * `npm test`: compiles the tests and runs them, all on one MongoDB, since a server for each file would cost 1.7 s of a
 * core. What is given after `--` goes to tap.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";

await import("./compile.mjs");
const { openSharedMongod } = await import("./dist/tests/support/mongod.js");
const mongod = await openSharedMongod();
const env = mongod ? { ...process.env, GALLEY_TEST_MONGODB_URL: mongod.url } : process.env;
const tap = join(createRequire(import.meta.url).resolve("tap/package.json"), "../dist/esm/run.mjs");
const child = spawn(process.execPath, [tap, "run", ...process.argv.slice(2)], { env, stdio: "inherit" });
// The terminal tells the whole group; we only wait for the runner's end, and end the server after it.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
const [code] = await once(child, "exit");
await mongod?.close();
process.exitCode = code ?? 1;
