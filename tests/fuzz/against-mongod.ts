import { MongoClient } from "mongodb";
import { BSON_OPTIONS } from "../../server/stores/mongodb/values.ts";
import { openMongod } from "../support/mongod.ts";
import { compareFinds } from "./mongod-rounds.ts";
import { compareUpdates } from "./mongod-updates.ts";

export interface MongodOptions {
  /** How many filters, and how many updates, to compare at least. */
  readonly cases: number;
  readonly seed: number;
  readonly progress: (compared: number) => void;
}

/**
 * Compares the evaluator itself with a real mongod, without any store of ours between.
 *
 * @returns the report of the first difference; undefined if there was none
 */
export async function fuzzAgainstMongod(options: MongodOptions): Promise<string | undefined> {
  const mongod = await openMongod();
  const client = new MongoClient(mongod.url, BSON_OPTIONS);
  try {
    const finds = await compareFinds(client.db(), options);
    return finds.report ?? (await compareUpdates(client.db(), options)).report;
  } finally {
    await client.close();
    await mongod.close();
  }
}
