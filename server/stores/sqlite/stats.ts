import type { Database } from "better-sqlite3";
import type { CollectionStats, IndexStats } from "../document-store.ts";
import { documentTable } from "./schema/tables.ts";
import type { Size } from "./size.ts";

interface IndexRecord {
  paths: string;
  is_unique: number;
  state: IndexStats["state"];
  reached: number;
  reason: string | null;
  duplicates: string | null;
}

/** Makes the function that reads a collection's size and the states of its indexes. */
export function createStatsReader(database: Database): (name: string) => CollectionStats | undefined {
  const readSize = database.prepare<[string], Size>("SELECT documents, bytes FROM _tables WHERE collection = ?");
  const readIndexes = database.prepare<[string], IndexRecord>(
    "SELECT * FROM _indexes WHERE collection = ? ORDER BY number",
  );

  return database.transaction((name: string) => {
    const size = readSize.get(name);
    if (!size) return undefined;
    const last =
      database
        .prepare<[], number | null>(`SELECT max(n) FROM ${documentTable(name)}`)
        .pluck()
        .get() ?? 0;
    return { ...size, indexes: readIndexes.all(name).map((record) => indexStats(record, last)) };
  });
}

function indexStats(record: IndexRecord, last: number): IndexStats {
  const built = last === 0 ? 1 : Math.min(1, record.reached / last);
  return {
    paths: JSON.parse(record.paths) as string[],
    ...(record.is_unique === 1 && { unique: true }),
    state: record.state,
    progress: record.state === "ready" ? 1 : built,
    ...(record.reason !== null && { reason: record.reason }),
    ...(record.duplicates !== null && { duplicates: JSON.parse(record.duplicates) as string[][] }),
  };
}
