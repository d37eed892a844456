import type { Document } from "mongodb";
import { GalleyError } from "#protocol/errors";
import type { ObjectValue } from "#protocol/values";
import type { Write } from "../document-store.ts";
import { surelyFits } from "../index-rows.ts";
import { unfitFor, uniqueViolation, versionConflict } from "../write-refusals.ts";
import type { MongoCollection } from "./catalog.ts";
import { CODES } from "./errors.ts";
import { indexSpec } from "./index-spec.ts";
import type { WriteItemError } from "./send.ts";

/** Thrown where a collection is not the one that the catalog knows: it was dropped, and perhaps made anew. */
export class CollectionChanged extends Error {
  readonly collection: string;

  constructor(collection: string) {
    super(`${collection} is not the collection that it was`);
    this.collection = collection;
  }
}

/**
 * What mongod's refusal of one write means. It is proof: that write was not applied.
 *
 * @throws CollectionChanged where the answer depends on what the collection now is
 */
export function itemFault(write: Write, collection: MongoCollection, error: WriteItemError): GalleyError {
  switch (error.code) {
    case CODES.duplicateKey:
      return clash(write, collection, error.keyPattern ?? {});
    case CODES.collectionUuidMismatch:
      throw new CollectionChanged(write.collection);
    case CODES.parallelArrays:
      // An index that another node has just made, and that this one does not know yet.
      return unfitFor(Object.keys(error.keyPattern ?? {}), "parallel_arrays");
    case CODES.outOfDiskSpace:
      return new GalleyError("storage_full", "the database has no space left", {}, error);
    default:
      return new GalleyError("internal", "the store failed to write", {}, error);
  }
}

function clash(write: Write, collection: MongoCollection, pattern: Document): GalleyError {
  const fields = Object.keys(pattern).join(",");
  if (fields === "_id") return versionConflict(write.collection, write.id);
  const index = collection.indexes.find(({ definition }) => {
    if (!definition.unique) return false;
    const { key } = indexSpec(definition);
    return key instanceof Map && [...key.keys()].join(",") === fields;
  });
  return uniqueViolation(index?.definition.paths ?? Object.keys(pattern));
}

/**
 * Refuses a document that an index of the collection cannot hold, before MongoDB is asked: it would store keys of any
 * length. What it holds is noted in the indexes' multikey flags.
 */
export function fitFault({ indexes }: MongoCollection, document: ObjectValue): GalleyError | undefined {
  for (const { state, rowsOf, keys, multikey, definition } of indexes) {
    if (state === "failed" || surelyFits(keys, document)) continue;
    const rows = rowsOf(document);
    if (typeof rows === "string") return unfitFor(definition.paths, rows);
    const { differing } = rows;
    if (differing) for (let i = 0; i < differing.length; i++) if (differing[i]) multikey[i] = true;
  }
  return undefined;
}
