import type { Document } from "mongodb";
import type { CollectionStats, IndexStats } from "../document-store.ts";
import { type Catalog, type MongoCollection, uuidText } from "./catalog.ts";
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
    const stateOf = (known: MongoCollection | undefined, { definition }: IndexRecord) =>
      known?.indexes.find((index) => sameIndex(index.definition, definition))?.state;
    const isKnown = indexes.every((index) => stateOf(collection, index) === index.state);
    const now = isKnown ? collection : await catalog.refresh(name);
    // One that somebody has dropped is not ready, whatever its record says.
    const told = indexes.map((index) =>
      index.state === "ready" && stateOf(now, index) === "building" ? { ...index, state: "building" as const } : index,
    );
    const building = told.some(({ state }) => state === "building");
    const progress = building ? await readProgress(name) : new Map<string, number>();
    return { ...size, indexes: told.map((index) => indexStats(index, progress)) };
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
