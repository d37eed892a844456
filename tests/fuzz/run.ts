import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { openMongod } from "../support/mongod.ts";
import { fuzzAgainstMongod } from "./against-mongod.ts";
import { fuzz } from "./fuzz.ts";
import { fuzzOwnWrites } from "./own-writes.ts";
import { SMALL } from "./rounds.ts";
import { openStores } from "./stores.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
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
/** `own-writes`: what live results show of a client's own writes, in place of the language. */
const isOwnWrites = positionals.join() === "own-writes";
if (!Number.isSafeInteger(cases) || !Number.isSafeInteger(seed) || (positionals.length > 0 && !isOwnWrites)) {
  throw new Error("npm run fuzz -- [own-writes] --cases <how many> [--seed <number>] [--small] [--mongod]");
}

console.log(`seed ${seed}: ${cases} cases on ${new Date().toISOString()}`);
const started = performance.now();
let told = 0;
const progress = (asked: number) => {
  if (asked >= told && asked - told < 1000) return;
  told = asked;
  console.log(`${asked} cases, ${((performance.now() - started) / 1000).toFixed(1)} s`);
};
const report = await fuzzChosen();
console.log(report ?? "no difference");
if (report !== undefined) process.exitCode = 1;

function fuzzChosen(): Promise<string | undefined> {
  if (isOwnWrites) return fuzzOwnWrites({ cases, seed, progress });
  return values.mongod ? fuzzAgainstMongod({ cases, seed, progress }) : fuzzStores();
}

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
