import type { Document } from "mongodb";
import type { IndexDefinition, IndexStats } from "../document-store.ts";
import { indexName } from "./index-spec.ts";

/**
 * Where the states of indexes are kept: one document a collection, of the collection's name. MongoDB itself forgets an
 * index whose build has failed, and does not tell other nodes of a build.
 */
export const CATALOG = "_catalog";

/** What is known of one index. */
export interface IndexRecord {
  readonly definition: IndexDefinition;
  readonly state: IndexStats["state"];
  /** Why its build failed. */
  readonly reason?: string;
  readonly duplicates?: readonly (readonly string[])[];
}

/** The indexes of one collection. `version` is 0 if nothing was ever stored. */
export interface CatalogRecord {
  readonly collection: string;
  readonly version: number;
  readonly indexes: readonly IndexRecord[];
}

export function readRecord(collection: string, stored: Document | null | undefined): CatalogRecord {
  const version = Number(stored?._v ?? 0);
  const indexes: readonly IndexRecord[] = Array.isArray(stored?.indexes) ? stored.indexes.map(readIndex) : [];
  return { collection, version, indexes };
}

function readIndex(stored: Document): IndexRecord {
  const { paths, unique, state, reason, duplicates } = stored;
  return {
    definition: unique === true ? { paths, unique } : { paths },
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(duplicates === undefined ? {} : { duplicates }),
  };
}

/** The record as it is stored, one version on. */
export function writeRecord({ collection, version, indexes }: CatalogRecord, now: Date): Document {
  return {
    _id: collection,
    _v: version + 1,
    _createdAt: now,
    _updatedAt: now,
    indexes: indexes.map(({ definition: { paths, unique }, state, reason, duplicates }) => ({
      name: indexName({ paths, ...(unique && { unique }) }),
      paths,
      ...(unique && { unique }),
      state,
      ...(reason !== undefined && { reason }),
      ...(duplicates !== undefined && { duplicates }),
    })),
  };
}

/** Whether two definitions ask for the same index. */
export function sameIndex(a: IndexDefinition, b: IndexDefinition): boolean {
  return indexName(a) === indexName(b);
}
