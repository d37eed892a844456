import { randomInt } from "node:crypto";
import t from "tap";
import { fuzz } from "../fuzz/fuzz.ts";
import { SMALL } from "../fuzz/rounds.ts";
import { openStores } from "../fuzz/stores.ts";
import { useMongod } from "../support/mongod.ts";

/** By hand: `npm run fuzz -- --cases 100000`. */
const CASES = 2000;

const mongod = await useMongod(t);

t.test("every store answers random questions as the evaluator does", async (t) => {
  const stores = await openStores(mongod);
  t.teardown(() => stores.close());
  const seed = randomInt(2 ** 31);
  t.comment(`seed ${seed}, small rounds`);
  const { asked, report } = await fuzz(stores, { cases: CASES, seed, size: SMALL });
  // Compared as text: the report says how to repeat the case.
  t.equal(report, undefined);
  t.ok(asked >= CASES, `${asked} questions were asked`);
});
