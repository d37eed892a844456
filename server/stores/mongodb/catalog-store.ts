import type { Collection, Db } from "mongodb";
import { CATALOG, type CatalogRecord, readRecord, writeRecord } from "./catalog-record.ts";
import { CODES, codeOf } from "./errors.ts";

/** Reads and changes the records of the catalog, of which every change is a compare-and-swap. */
export interface CatalogStore {
  read(collection: string, uuid: string): Promise<CatalogRecord>;
  /**
   * Changes a record, again if another node was faster.
   *
   * @param change the record as it shall be; the same object if nothing is to change
   * @returns the record as it now is
   */
  change(collection: string, uuid: string, change: (record: CatalogRecord) => CatalogRecord): Promise<CatalogRecord>;
  remove(collection: string): Promise<void>;
}

export function createCatalogStore(db: Db, clock: () => number): CatalogStore {
  const records: Collection<{ _id: string }> = db.collection<{ _id: string }>(CATALOG);

  async function read(collection: string, uuid: string): Promise<CatalogRecord> {
    return readRecord(collection, uuid, await records.findOne({ _id: collection }));
  }

  async function put(record: CatalogRecord): Promise<boolean> {
    const stored = writeRecord(record, new Date(clock())) as { _id: string };
    if (record.version > 0) {
      const filter = { _id: record.collection, _v: record.version };
      return (await records.replaceOne(filter, stored)).matchedCount === 1;
    }
    try {
      await records.insertOne(stored);
      return true;
    } catch (error) {
      if (codeOf(error) === CODES.duplicateKey) return false;
      throw error;
    }
  }

  return {
    read,
    async change(collection, uuid, change) {
      for (;;) {
        const before = await read(collection, uuid);
        const after = change(before);
        if (after === before) return before;
        if (await put(after)) return { ...after, version: after.version + 1 };
      }
    },
    async remove(collection) {
      await records.deleteOne({ _id: collection });
    },
  };
}
