/** Lets `npx tap run tests/….test.ts` run a source. `npm test` runs what tests/compile.mjs made, which needs no loader. */
if (process.argv[1]?.endsWith(".ts")) await import("tsx");
