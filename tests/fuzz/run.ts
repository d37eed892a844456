import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { openMongod } from "../support/mongod.ts";
import { fuzzAgainstMongod } from "./against-mongod.ts";
import { fuzz } from "./fuzz.ts";
import { SMALL } from "./rounds.ts";
import { openStores } from "./stores.ts";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "2000" },
    seed: { type: "string" },
    /** Rounds of the size that `npm test` asks, to repeat one of its seeds. */
    small: { type: "boolean", default: false },
    /** Compares the evaluator with a real mongod in place of the stores with the evaluator. */
    mongod: { type: "boolean", default: false },
  },
});
const cases = Number(values.cases);
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
if (!Number.isSafeInteger(cases) || !Number.isSafeInteger(seed)) {
  throw new Error("npm run fuzz -- --cases <how many> [--seed <number>] [--small] [--mongod]");
}

console.log(`seed ${seed}: ${cases} cases on ${new Date().toISOString()}`);
const started = performance.now();
let told = 0;
const progress = (asked: number) => {
  if (asked >= told && asked - told < 1000) return;
  told = asked;
  console.log(`${asked} cases, ${((performance.now() - started) / 1000).toFixed(1)} s`);
};
const report = values.mongod ? await fuzzAgainstMongod({ cases, seed, progress }) : await fuzzStores();
console.log(report ?? "no difference");
if (report !== undefined) process.exitCode = 1;

async function fuzzStores(): Promise<string | undefined> {
  const mongod = await openMongod();
  const stores = await openStores(mongod);
  try {
    return (await fuzz(stores, { cases, seed, progress, ...(values.small && { size: SMALL }) })).report;
  } finally {
    await stores.close();
    await mongod.close();
  }
}
