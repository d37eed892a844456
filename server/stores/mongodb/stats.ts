import type { Document } from "mongodb";
import type { CollectionStats, IndexStats } from "../document-store.ts";
import { type Catalog, uuidText } from "./catalog.ts";
import { type IndexRecord, sameIndex } from "./catalog-record.ts";
import type { CatalogStore } from "./catalog-store.ts";
import type { Connection } from "./connect.ts";
import { CODES, codeOf } from "./errors.ts";
import { indexName } from "./index-spec.ts";

export interface StatsOptions {
  readonly connection: Connection;
  readonly catalog: Catalog;
  readonly records: CatalogStore;
}

/** Makes the function that reads a collection's size and the states of its indexes. */
export function createStatsReader({ connection, catalog, records }: StatsOptions) {
  return async (name: string): Promise<CollectionStats | undefined> => {
    const collection = catalog.get(name) ?? (await catalog.refresh(name));
    if (!collection) return undefined;
    const size = await readSize(name);
    if (!size) return undefined;
    const { indexes } = await records.read(name, uuidText(collection.uuid));
    // What is told to be ready serves the next read: another node may have ended the build a moment ago.
    const isKnown = ({ definition, state }: IndexRecord) =>
      collection.indexes.some((index) => index.state === state && sameIndex(index.definition, definition));
    if (!indexes.every(isKnown)) await catalog.refresh(name);
    const building = indexes.some(({ state }) => state === "building");
    const progress = building ? await readProgress(name) : new Map<string, number>();
    return { ...size, indexes: indexes.map((index) => indexStats(index, progress)) };
  };

  /** As MongoDB counts along: nothing is read for it. Bytes are those of the stored form. */
  async function readSize(name: string): Promise<{ documents: number; bytes: number } | undefined> {
    try {
      const pipeline = [{ $collStats: { storageStats: {} } }];
      const [found] = await connection.server.collection(name).aggregate(pipeline).toArray();
      const { count, size } = found?.storageStats ?? {};
      return { documents: Number(count ?? 0), bytes: Number(size ?? 0) };
    } catch (error) {
      if (codeOf(error) === CODES.namespaceNotFound) return undefined;
      throw error;
    }
  }

  /** How far builds are, 0 to 1, by the name of the index. */
  async function readProgress(name: string): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    const pipeline = [
      { $currentOp: { allUsers: true } },
      {
        $match: {
          "command.createIndexes": name,
          "command.$db": connection.server.databaseName,
          progress: { $exists: true },
        },
      },
    ];
    // Who may not see what MongoDB does gets no figure, and everything else.
    const operations = await connection.server.client
      .db("admin")
      .aggregate(pipeline)
      .toArray()
      .catch(() => []);
    for (const { command, progress } of operations as Document[]) {
      const part = Number(progress.total) > 0 ? Number(progress.done) / Number(progress.total) : 0;
      for (const { name } of command.indexes ?? []) found.set(String(name), Math.min(1, part));
    }
    return found;
  }
}

function indexStats({ definition, state, reason, duplicates }: IndexRecord, progress: Map<string, number>): IndexStats {
  return {
    paths: definition.paths,
    ...(definition.unique && { unique: true }),
    state,
    progress: state === "ready" ? 1 : (progress.get(indexName(definition)) ?? 0),
    ...(reason !== undefined && { reason }),
    ...(duplicates !== undefined && { duplicates }),
  };
}
