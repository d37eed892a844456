import { type Collection, type Db, MongoServerError } from "mongodb";
import type { Node, SortKey } from "#protocol/ast";
import { GalleyError } from "#protocol/errors";
import { compileFilter } from "#protocol/match";
import { tuplesOf } from "#protocol/tuples";
import type { ObjectValue } from "#protocol/values";
import { toMongoFilter } from "../../server/stores/mongodb/translate.ts";
import { toBson } from "../../server/stores/mongodb/values.ts";
import { describeError } from "./prepare.ts";
import { sortedByKey } from "./reference.ts";

/** A document that has an id; the server's other fields may be there or not. */
export type Stored = ObjectValue & { readonly _id: string };
type Rows = Collection<{ _id: string }>;

/** Documents in a collection of mongod, with at most one index, which is hinted. */
export interface Held {
  readonly documents: readonly Stored[];
  readonly rows: Rows;
  /** How its documents are to be reached: by the index, or one after the other. */
  readonly hint: string | { $natural: 1 };
}

/**
 * Fills a collection with those of the documents that its index can hold: MongoDB refuses parallel arrays in one, as we
 * do. A collection is used again for the same index, since emptying one takes a hundredth of the time of making one.
 *
 * @param index its keys, without `_id`; empty for none
 */
export async function hold(db: Db, documents: readonly Stored[], index: readonly SortKey[]): Promise<Held> {
  const rows: Rows = db.collection(`by ${JSON.stringify(orderOf(index))}`);
  await rows.deleteMany({});
  const paths = index.map(({ path }) => path);
  const kept = documents.filter((document) => tuplesOf(paths, document) !== undefined);
  const hint = await indexBy(rows, index);
  if (kept.length > 0) await rows.insertMany(kept.map((document) => toBson(document) as Stored));
  return { documents: kept, rows, hint };
}

/** Makes the index, with `_id` at its end as the indexes of a store have it. */
async function indexBy(rows: Rows, index: readonly SortKey[]): Promise<Held["hint"]> {
  const last = index.at(-1);
  if (!last) return { $natural: 1 };
  if (last.path[0] === "_id") return "_id_"; // which every collection has
  return await rows.createIndex(orderOf([...index, { path: ["_id"], descending: last.descending }]));
}

/** Sort keys as MongoDB takes them: a list of pairs, since a path like "1" would not stay in its place in an object. */
export function orderOf(sort: readonly SortKey[]): [string, 1 | -1][] {
  return sort.map(({ path, descending }) => [path.join("."), descending ? -1 : 1]);
}

/** What mongod finds, in the order of the sort; a last line for the error if it fails. */
export async function findInMongod({ rows, hint }: Held, filter: Node, sort: readonly SortKey[]): Promise<string[]> {
  try {
    const found = await rows
      .find(toMongoFilter(filter), { projection: { _id: 1 }, sort: orderOf(sort), hint, batchSize: 1000 })
      .toArray();
    return found.map(({ _id }) => _id);
  } catch (error) {
    return [isParallelArrays(error) ? PARALLEL_ARRAYS : `mongod: ${error}`];
  }
}

export const PARALLEL_ARRAYS = "error invalid_argument sort_parallel_arrays";

export function isParallelArrays(error: unknown): boolean {
  return error instanceof MongoServerError && /parallel arrays/.test(error.message);
}

/** What the evaluator finds, as {@link findInMongod} words it. */
export function findInProcess(documents: readonly Stored[], filter: Node, sort: readonly SortKey[]): string[] {
  try {
    return sortedByKey(documents.filter(compileFilter(filter)), sort).map(({ document }) => document._id);
  } catch (error) {
    if (!(error instanceof GalleyError)) throw error;
    return [describeError(error)];
  }
}
