import { randomInt } from "node:crypto";
import { type Db, MongoClient } from "mongodb";
import t from "tap";
import { GalleyError } from "#protocol/errors";
import { BSON_OPTIONS } from "../../server/stores/mongodb/values.ts";
import { findInMongod, hold, PARALLEL_ARRAYS, type Stored } from "../fuzz/mongod-find.ts";
import { compareGrid } from "../fuzz/mongod-grid.ts";
import { compareFinds } from "../fuzz/mongod-rounds.ts";
import { compareUpdates } from "../fuzz/mongod-updates.ts";
import { GRIDS } from "../fuzz/operand-grid.ts";
import { useMongod } from "../support/mongod.ts";
import { type FilterCase, runFilterCases } from "./filter-cases.ts";

const CASES = 2000;

const mongod = await useMongod(t);
if (mongod) {
  const client = new MongoClient(mongod.url, BSON_OPTIONS);
  t.teardown(() => client.close());
  compareWith(client.db());
}

function compareWith(db: Db): void {
  runFilterCases("mongod", (run) => answer(db, run, undefined));
  runFilterCases("mongod by an index", (run) => answer(db, run, run.indexPath));

  for (const grid of GRIDS) {
    t.test(`mongod and the evaluator agree on ${grid.name}`, async (t) => {
      t.strictSame(await compareGrid(db, grid), []);
    });
  }

  t.test("random filters and sorts are answered by the evaluator as by mongod, with and without indexes", async (t) => {
    const seed = randomInt(2 ** 31);
    t.comment(`seed ${seed}`);
    const { asked, report } = await compareFinds(db, { cases: CASES, seed });
    t.equal(report, undefined);
    t.ok(asked >= CASES, `${asked} filters`);
  });

  t.test("random updates do what updateOne does", async (t) => {
    const seed = randomInt(2 ** 31);
    t.comment(`seed ${seed}`);
    const { compared, report } = await compareUpdates(db, { cases: CASES, seed });
    t.equal(report, undefined);
    t.ok(compared >= CASES, `${compared} updates`);
  });
}

async function answer(
  db: Db,
  { documents, filter, sort }: FilterCase,
  indexPath: string | undefined,
): Promise<string[]> {
  const index = indexPath === undefined ? [] : [{ path: indexPath.split("."), descending: false }];
  const held = await hold(db, documents as Stored[], index);
  const found = await findInMongod(held, filter, sort);
  if (found[0] !== PARALLEL_ARRAYS) return found;
  const fault = { path: "sort", code: "sort_parallel_arrays", message: "parallel arrays" } as const;
  throw new GalleyError("invalid_argument", fault.message, { faults: [fault] });
}
