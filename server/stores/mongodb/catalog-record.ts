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

/** The indexes of one collection. */
export interface CatalogRecord {
  readonly collection: string;
  /** The collection's, in hexadecimal: what is said of one that was dropped does not hold for its successor. */
  readonly uuid: string;
  /** Rises with every change; 0 if nothing is stored. */
  readonly version: number;
  /** The node that builds what is `building`. */
  readonly builder: string;
  readonly indexes: readonly IndexRecord[];
}

/** What a stored document says of a collection; nothing, if it is of another with this name. */
export function readRecord(collection: string, uuid: string, stored: Document | null | undefined): CatalogRecord {
  const version = Number(stored?._v ?? 0);
  const own = stored?.uuid === uuid;
  const indexes: readonly IndexRecord[] = own && Array.isArray(stored.indexes) ? stored.indexes.map(readIndex) : [];
  return { collection, uuid, version, builder: String(stored?.builder ?? ""), indexes };
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
export function writeRecord({ collection, uuid, version, builder, indexes }: CatalogRecord, now: Date): Document {
  return {
    _id: collection,
    _v: version + 1,
    _createdAt: now,
    _updatedAt: now,
    uuid,
    builder,
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
