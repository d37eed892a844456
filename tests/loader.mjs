/**
 * Runs before a test file, in its process: of `npm test`, which runs what tests/compile.mjs made, and of
 * `npx tap run tests/….test.ts`, which runs a source and needs a loader of TypeScript.
 */
import async_hooks from "node:async_hooks";
import { syncBuiltinESMExports } from "node:module";
import { isMainThread } from "node:worker_threads";

const isSource = process.argv[1]?.endsWith(".ts");
if (isSource) await import("tsx");
if (isMainThread) await importTap();

/**
 * tap follows every promise of a test to the test that made it, so that an error that nobody awaits fails that test. It
 * costs a third of the processor's time; without it such an error ends the file, which fails as well.
 */
async function importTap() {
  const { createHook } = async_hooks;
  async_hooks.createHook = () => ({ enable() {}, disable() {} });
  syncBuiltinESMExports();
  await import(isSource ? "tap" : "./dist/vendors/tap.js");
  async_hooks.createHook = createHook;
  syncBuiltinESMExports();
  // tap makes Node read the source map of every module. tests/run.ts reads those that it needs.
  if (!isSource) process.setSourceMapsEnabled(false);
}
