import type { Database } from "better-sqlite3";

/** How many documents a collection holds, and the bytes of their texts. */
export interface Size {
  readonly documents: number;
  readonly bytes: number;
}

export function readSize(database: Database, collection: string): Size {
  const read = database.prepare<[string], Size>("SELECT documents, bytes FROM _tables WHERE collection = ?");
  return read.get(collection) ?? { documents: 0, bytes: 0 };
}

/** How many documents of the usual size stay within both bounds; at least one. */
export function chunkSize({ documents, bytes }: Size, most: Size): number {
  const usual = bytes / Math.max(1, documents);
  return Math.max(1, Math.min(most.documents, Math.floor(most.bytes / Math.max(1, usual))));
}
