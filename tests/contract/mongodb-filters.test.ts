import { MongoClient } from "mongodb";
import t from "tap";
import { GalleyError } from "#protocol/errors";
import { BSON_OPTIONS } from "../../server/stores/mongodb/values.ts";
import { findInMongod, hold, PARALLEL_ARRAYS, type Stored } from "../fuzz/mongod-find.ts";
import { useMongod } from "../support/mongod.ts";
import { type FilterCase, runFilterCases } from "./filter-cases.ts";

const mongod = await useMongod(t);
if (mongod) {
  const client = new MongoClient(mongod.url, BSON_OPTIONS);
  t.teardown(() => client.close());
  const db = client.db();

  const answer = async ({ documents, filter, sort }: FilterCase, indexPath: string | undefined) => {
    const index = indexPath === undefined ? [] : [{ path: indexPath.split("."), descending: false }];
    const held = await hold(db, "recorded", documents as Stored[], index);
    const found = await findInMongod(held, filter, sort);
    if (found[0] !== PARALLEL_ARRAYS) return found;
    const fault = { path: "sort", code: "sort_parallel_arrays", message: "parallel arrays" } as const;
    throw new GalleyError("invalid_argument", fault.message, { faults: [fault] });
  };
  runFilterCases("mongod", (run) => answer(run, undefined));
  runFilterCases("mongod by an index", (run) => answer(run, run.indexPath));
}
