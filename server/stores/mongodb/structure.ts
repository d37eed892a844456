import type { Timestamp } from "mongodb";
import type { IndexDefinition, StoredCollection } from "../document-store.ts";
import { type Catalog, type MongoCollection, uuidText } from "./catalog.ts";
import { type CatalogRecord, type IndexRecord, sameIndex } from "./catalog-record.ts";
import type { CatalogStore } from "./catalog-store.ts";
import type { Connection } from "./connect.ts";
import { CODES, codeOf } from "./errors.ts";
import { dropIndex, type IndexBuilds } from "./index-builds.ts";
import { indexName, isOwnIndex } from "./index-spec.ts";
import { listIndexes } from "./listed-indexes.ts";
import { WRITE_CONCERN } from "./send.ts";

export interface StructureOptions {
  readonly connection: Connection;
  readonly catalog: Catalog;
  readonly records: CatalogStore;
  readonly builds: IndexBuilds;
  /** The name of this node. */
  readonly self: string;
}

/** Makes and drops collections and their indexes. */
export interface Structure {
  /** Makes a collection, if it is not there, and leaves its indexes as they are. */
  make(name: string): Promise<void>;
  ensure(definition: StoredCollection): Promise<void>;
  /** @returns the cluster time of the drop; undefined if there was nothing to drop */
  drop(name: string): Promise<Timestamp | undefined>;
}

export function createStructure(options: StructureOptions): Structure {
  const { connection, catalog, records, builds, self } = options;

  async function ensure(definition: StoredCollection): Promise<void> {
    const { name } = definition;
    const wanted = withoutTwins(definition.indexes);
    const collection = await makeCollection(connection, catalog, name);
    // Before the record: what another node makes after it is not ours to drop.
    const listed = (await listIndexes(connection, name)) ?? new Set<string>();
    const uuid = uuidText(collection.uuid);
    const record = await records.change(name, uuid, (before) => {
      const kept = before.indexes.filter((index) => isKept(index, wanted));
      return kept.length === before.indexes.length && kept.length === wanted.length && before.version > 0
        ? before
        : { ...before, builder: self, indexes: wanted.map((index) => recordOf(index, kept)) };
    });
    // After the record: writes of the other nodes need not keep what nobody reads any more.
    for (const index of unwanted(listed, wanted)) await dropIndex(connection, name, index);
    if (isStale(catalog.get(name), record)) await catalog.refresh(name);
    await builds.begun(name);
  }

  return {
    async make(name) {
      await makeCollection(connection, catalog, name);
    },
    ensure,
    drop: (name) => dropCollection(options, name),
  };
}

async function makeCollection(connection: Connection, catalog: Catalog, name: string): Promise<MongoCollection> {
  const known = catalog.get(name);
  if (known) {
    // It may have been dropped by another node or program since.
    const [found] = await connection.server.listCollections({ name }, { nameOnly: false }).toArray();
    const uuid = found && "info" in found ? found.info?.uuid : undefined;
    if (uuid && uuidText(uuid) === uuidText(known.uuid)) return known;
  }
  for (;;) {
    try {
      await connection.server.command({ create: name, writeConcern: WRITE_CONCERN });
    } catch (error) {
      if (codeOf(error) !== CODES.namespaceExists) throw error;
    }
    const made = await catalog.refresh(name);
    if (made) return made;
  }
}

/** Galley's own that no definition asks for: also those that a node left, which ended before it had dropped them. */
function unwanted(listed: ReadonlySet<string>, wanted: readonly IndexDefinition[]): string[] {
  const names = new Set(wanted.map(indexName));
  return [...listed].filter((name) => isOwnIndex(name) && !names.has(name));
}

/** A failed index is built anew: what stood against it may have been mended. */
function isKept({ definition, state }: IndexRecord, wanted: readonly IndexDefinition[]): boolean {
  return state !== "failed" && wanted.some((index) => sameIndex(index, definition));
}

function recordOf(definition: IndexDefinition, kept: readonly IndexRecord[]): IndexRecord {
  return kept.find((index) => sameIndex(index.definition, definition)) ?? { definition, state: "building" };
}

function isStale(known: MongoCollection | undefined, { uuid, indexes }: CatalogRecord): boolean {
  if (!known || uuidText(known.uuid) !== uuid || known.indexes.length !== indexes.length) return true;
  return indexes.some(({ definition, state }) => {
    const index = known.indexes.find(({ name }) => name === indexName(definition));
    return index?.state !== state;
  });
}

async function dropCollection(
  { connection, catalog, records }: StructureOptions,
  name: string,
): Promise<Timestamp | undefined> {
  const known = catalog.get(name) ?? (await catalog.refresh(name));
  if (!known) return undefined;
  // First, so that no record outlives its collection. If it ends here, the drop is repeated by who wants it.
  await records.remove(name);
  try {
    const { operationTime } = await connection.server.command({ drop: name, writeConcern: WRITE_CONCERN });
    connection.see(operationTime);
    return operationTime;
  } catch (error) {
    if (codeOf(error) === CODES.namespaceNotFound) return undefined;
    throw error;
  } finally {
    catalog.forget(name);
  }
}

function withoutTwins(indexes: readonly IndexDefinition[]): IndexDefinition[] {
  return indexes.filter((index, i, all) => all.findIndex((other) => sameIndex(index, other)) === i);
}
