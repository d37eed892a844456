import { LIMITS } from "#protocol/limits";
import { encodeValue, type Value } from "#protocol/values";
import type { DocumentStore, FindQuery, Row, Write } from "../stores/document-store.ts";

/** What every record of accounts has. Its other fields are what its file says. */
export interface Stored {
  readonly id: string;
  /** Version of the stored document; 0 before it is stored. */
  readonly version: number;
  readonly createdAt: Date;
}

/** A record that is not stored yet. */
export function fresh(id: string, now: number): Stored {
  return { id, version: 0, createdAt: new Date(now) };
}

export function storedOf({ id, version, value }: Row): Stored {
  return { id, version, createdAt: value._createdAt };
}

/**
 * The write that stores a record over the version it was read with.
 * @param fields those that are undefined are left out
 */
export function putRecord(
  store: Pick<DocumentStore, "nextVersion">,
  collection: string,
  { id, version: expect, createdAt }: Stored,
  fields: Readonly<Record<string, Value | undefined>>,
  now: number,
): Write {
  const version = store.nextVersion(expect);
  const given = Object.entries(fields).filter((entry): entry is [string, Value] => entry[1] !== undefined);
  const text = encodeValue({
    _id: id,
    _v: version,
    _createdAt: createdAt,
    _updatedAt: new Date(now),
    ...Object.fromEntries(given),
  });
  return { kind: "put", collection, id, expect, version, text };
}

/** The write that takes a record away, if it is still the one that was read. */
export function removeRecord(collection: string, { id, version: expect }: Pick<Stored, "id" | "version">): Write {
  return { kind: "delete", collection, id, expect };
}

/** The record whose field is equal to a value, where an index says that there is one at most: a page so small is quick. */
export async function recordWhere(
  store: DocumentStore,
  collection: string,
  field: string,
  value: string,
): Promise<Row | undefined> {
  const { rows } = await store.find({ ...byField(collection, field, value), limit: 1 });
  return rows[0];
}

/** Records whose field is equal to a value, by id. Declare an index on the field: nothing else bounds the cost. */
export async function recordsWhere(
  store: DocumentStore,
  collection: string,
  field: string,
  value: string,
): Promise<readonly Row[]> {
  const found: Row[] = [];
  const query = byField(collection, field, value);
  for (let after: [string] | undefined; ; ) {
    const { rows, more } = await store.find(after ? { ...query, after } : query);
    found.push(...rows);
    const last = rows.at(-1);
    if (!more || !last) return found;
    after = [last.id];
  }
}

function byField(collection: string, field: string, value: string): FindQuery {
  return {
    collection,
    filter: { kind: "compare", op: "eq", path: [field], value },
    sort: [{ path: ["_id"], descending: false }],
    limit: LIMITS.pageMax,
    budget: { candidates: Number.POSITIVE_INFINITY, milliseconds: 10_000 },
  };
}
