import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { fuzz } from "./fuzz.ts";
import { openStores } from "./stores.ts";

const { values } = parseArgs({
  options: { cases: { type: "string", default: "2000" }, seed: { type: "string" } },
});
const cases = Number(values.cases);
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
if (!Number.isSafeInteger(cases) || !Number.isSafeInteger(seed)) {
  throw new Error("npm run fuzz -- --cases <how many> [--seed <number>]");
}

console.log(`seed ${seed}: ${cases} cases on ${new Date().toISOString()}`);
const stores = await openStores();
try {
  const started = performance.now();
  let told = 0;
  const progress = (asked: number) => {
    if (asked - told < 1000) return;
    told = asked;
    console.log(`${asked} cases, ${((performance.now() - started) / 1000).toFixed(1)} s`);
  };
  const { asked, report } = await fuzz(stores, { cases, seed, progress });
  console.log(report ?? `${asked} cases, no difference`);
  if (report !== undefined) process.exitCode = 1;
} finally {
  await stores.close();
}
