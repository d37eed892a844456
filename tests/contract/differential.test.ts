import t from "tap";
import { fuzz } from "../fuzz/fuzz.ts";
import { openStores } from "../fuzz/stores.ts";

/** About half a minute on one core. By hand: `npm run fuzz -- --cases 100000`. */
const CASES = 2000;

t.test("every store answers random questions as the evaluator does", async (t) => {
  const stores = await openStores();
  t.teardown(() => stores.close());
  const seed = Number(process.env.GALLEY_TEST_SEED ?? Date.now() % 2 ** 31);
  t.comment(`seed ${seed}`);
  const { asked, report } = await fuzz(stores, { cases: CASES, seed });
  t.equal(report, undefined, report);
  t.ok(asked >= CASES, `${asked} questions were asked`);
});
