import { randomInt } from "node:crypto";
import { type Db, type Document, MongoClient } from "mongodb";
import t from "tap";
import { GalleyError } from "#protocol/errors";
import { pooledRandom } from "../../server/random-bytes.ts";
import { type MongoStore, openMongoStore } from "../../server/stores/mongodb/store.ts";
import { BSON_OPTIONS } from "../../server/stores/mongodb/values.ts";
import { findInMongod, hold, PARALLEL_ARRAYS, type Stored } from "../fuzz/mongod-find.ts";
import { compareGrid } from "../fuzz/mongod-grid.ts";
import { compareFinds } from "../fuzz/mongod-rounds.ts";
import { compareUpdates } from "../fuzz/mongod-updates.ts";
import { GRIDS } from "../fuzz/operand-grid.ts";
import { newDatabase, useMongod, withDatabase } from "../support/mongod.ts";
import { built, PLENTY } from "./document-store/fixture.ts";
import { type FilterCase, runFilterCases } from "./filter-cases.ts";

/** tests/contract/differential.test.ts asks as many again, of both stores. */
const CASES = 500;

const mongod = await useMongod(t);
if (mongod) {
  const client = new MongoClient(mongod.url, BSON_OPTIONS);
  t.teardown(() => client.close());
  compareWith(client.db());
  const url = withDatabase(mongod.url, newDatabase());
  const store = await openMongoStore({ url, clock: Date.now, random: pooledRandom(), warn: (line) => t.comment(line) });
  await store.opened;
  t.teardown(() => store.close());
  await testStore(store, client.db(databaseOf(url)));
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

/** The store over the documents of all cases. Their indexes are made once a path: to make one takes longer than all else. */
async function testStore(store: MongoStore, db: Db): Promise<void> {
  const collections = new Map<string, Promise<string>>();
  const collectionOf = (index: string | undefined): Promise<string> => {
    const made = collections.get(`${index}`) ?? makeCollection(index);
    collections.set(`${index}`, made);
    return made;
  };

  async function makeCollection(index: string | undefined): Promise<string> {
    const name = `cases_${collections.size}`;
    await store.ensureCollection({ name, indexes: index === undefined ? [] : [{ paths: [index] }] });
    await built(store, name);
    return name;
  }

  async function idsOf({ documents, filter, sort }: FilterCase, index: string | undefined): Promise<string[]> {
    const collection = await collectionOf(index);
    await db.collection(collection).deleteMany({});
    await db.collection<Document>(collection).insertMany(documents.map((document) => ({ ...document })));
    const { rows } = await store.find({ collection, filter, sort, limit: 1000, budget: PLENTY });
    return rows.map(({ id }) => id);
  }

  // Every index ends with `_id`, so none is declared on it alone.
  const pathOf = ({ indexPath }: FilterCase) => (indexPath === "_id" ? undefined : indexPath);
  runFilterCases("the store on MongoDB without an index", (run) => idsOf(run, undefined));
  runFilterCases("the store on MongoDB with an index", (run) => idsOf(run, pathOf(run)));
  runFilterCases("the store on MongoDB with an index read backward", (run) => {
    const path = pathOf(run);
    return idsOf(run, path && `-${path}`);
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

function databaseOf(url: string): string {
  return new URL(url.replace(/^mongodb/, "http")).pathname.slice(1);
}
