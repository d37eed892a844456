import type { Collection, Document } from "mongodb";
import type { ObjectValue } from "#protocol/values";
import type { IndexDefinition } from "../document-store.ts";
import { type IndexRows, indexRowsOf } from "../index-rows.ts";
import { indexKeys } from "../plan.ts";
import type { Connection } from "./connect.ts";
import { indexSpec } from "./index-spec.ts";
import { documentOf } from "./rows.ts";

/** Why an index cannot be built over the documents that are there. */
export interface BuildFault {
  readonly reason: string;
  readonly duplicates?: readonly (readonly string[])[];
}

/** Pairs of clashing ids that a failed unique index names. */
const PAIRS = 10;
/** Tuples that are held to find pairs. */
const MOST_TUPLES = 500_000;
/**
 * A tuple takes at most twice as many bytes in a key as in BSON, so a document whose values take fewer than this fits
 * (`LIMITS.keyBytes` is 2048).
 */
const SURELY_FIT = 1000;

/** Documents that are looked through at once. */
const RANGE = 20_000;

/** Finds a document with a tuple too long for an index: MongoDB itself has no limit, and would take it. */
export async function findTooLong(connection: Connection, collection: string, definition: IndexDefinition) {
  const parts = indexKeys(definition).map(({ path }, i) => [`p${i}`, `$${path.join(".")}`]);
  const long = { $expr: { $gt: [{ $bsonSize: Object.fromEntries(parts) }, SURELY_FIT] } };
  const documents = connection.server.collection<{ _id: unknown }>(collection);
  for await (const range of idRanges(documents)) {
    const fault = await findUnfit(definition, documents.aggregate([{ $match: range }, { $match: long }]));
    if (fault) return fault;
  }
  return undefined;
}

/** Parts of a collection by `_id`, each read in a moment: a search that finds nothing would be silent for too long. */
async function* idRanges(documents: Collection<{ _id: unknown }>): AsyncGenerator<Document> {
  let from: Document = {};
  for (;;) {
    const [last] = await documents
      .find(from, { projection: { _id: 1 } })
      .sort({ _id: 1 })
      .skip(RANGE - 1)
      .limit(1)
      .toArray();
    if (!last) {
      yield from;
      return;
    }
    yield { $and: [from, { _id: { $lte: last._id } }] };
    from = { _id: { $gt: last._id } };
  }
}

/** Finds a document that the index cannot hold. */
export function findAnyUnfit(connection: Connection, collection: string, definition: IndexDefinition) {
  return findUnfit(definition, connection.server.collection(collection).find());
}

async function findUnfit(
  definition: IndexDefinition,
  documents: AsyncIterable<Document>,
): Promise<BuildFault | undefined> {
  const rowsOf = rowsFor(definition);
  for await (const document of documents) {
    const id = String(document._id);
    const rows = rowsOf(document);
    if (typeof rows === "string") {
      return { reason: `the document ${JSON.stringify(id)} cannot be indexed: ${rows}` };
    }
  }
  return undefined;
}

/** Finds documents that have the same tuple, which is to be unique. */
export async function findDuplicates(
  connection: Connection,
  collection: string,
  definition: IndexDefinition,
): Promise<BuildFault> {
  const rowsOf = rowsFor(definition);
  const owners = new Map<string, string>();
  const duplicates: (readonly string[])[] = [];
  const taking = indexSpec(definition).partialFilterExpression ?? {};
  for await (const document of connection.server.collection(collection).find(taking)) {
    const id = String(document._id);
    const rows = rowsOf(document);
    if (typeof rows === "string") continue;
    for (const key of rows.keys) {
      const text = key.toString("latin1");
      const owner = owners.get(text);
      if (owner !== undefined) duplicates.push([owner, id]);
      else if (owners.size < MOST_TUPLES) owners.set(text, id);
    }
    if (duplicates.length >= PAIRS) break;
  }
  const reason = "some documents have the same values, which are to be unique";
  return { reason, duplicates: duplicates.slice(0, PAIRS) };
}

/** What a document has in an index. What another program wrote, and no read shows, is not judged. */
function rowsFor(definition: IndexDefinition): (document: Document) => IndexRows | string {
  const rowsOf = indexRowsOf({ keys: indexKeys(definition), unique: definition.unique ?? false });
  const nothing: IndexRows = { keys: [], differing: undefined };
  return (document) => {
    const value: ObjectValue | undefined = documentOf(document);
    return value ? rowsOf(value) : nothing;
  };
}
