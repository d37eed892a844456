import { setTimeout as wait } from "node:timers/promises";
import type { IndexDefinition } from "../document-store.ts";
import { type Catalog, type MongoCollection, type MongoIndex, uuidText } from "./catalog.ts";
import { type CatalogRecord, type IndexRecord, sameIndex } from "./catalog-record.ts";
import type { CatalogStore } from "./catalog-store.ts";
import type { Connection } from "./connect.ts";
import { CODES, codeOf, isGone } from "./errors.ts";
import { type BuildFault, findAnyUnfit, findDuplicates, findTooLong } from "./index-faults.ts";
import { indexName, indexSpec } from "./index-spec.ts";
import { listIndexes } from "./listed-indexes.ts";
import { WRITE_CONCERN } from "./send.ts";

export interface IndexBuildsOptions {
  readonly connection: Connection;
  readonly catalog: Catalog;
  readonly records: CatalogStore;
  /** Whether this node is to see to the builds that a node has begun: its own, and those of nodes that are gone. */
  readonly isOurs: (builder: string) => boolean;
  readonly warn: (message: string, error?: unknown) => void;
}

/**
 * Sees to it that what the catalog says is `building` comes to its end. MongoDB builds in the background by itself, also
 * without the node that asked; asked again for an index that it is building, it answers at the end of that.
 */
export interface IndexBuilds {
  /** Resolves once MongoDB's writes keep every index of a collection that is being built. */
  begun(collection: string): Promise<void>;
  /** Ends the waiting; MongoDB goes on. */
  close(): Promise<void>;
}

/** How often builds of other nodes are looked at, and a build that met a fault is tried again. */
const LOOK_MILLISECONDS = 5000;
const RETRY_MILLISECONDS = 500;
const POLL_MILLISECONDS = 15;

export function createIndexBuilds(options: IndexBuildsOptions): IndexBuilds {
  const { connection, catalog, records, isOurs, warn } = options;
  const driven = new Map<string, { readonly collection: MongoCollection; readonly end: Promise<void> }>();
  const closing = new AbortController();

  catalog.onChange(drive);
  const looking = setInterval(() => {
    for (const collection of catalog.all()) drive(collection);
  }, LOOK_MILLISECONDS).unref();

  function drive(collection: MongoCollection): void {
    if (closing.signal.aborted || !isOurs(collection.builder)) return;
    for (const index of collection.indexes) {
      const key = `${uuidText(collection.uuid)} ${index.name}`;
      if (index.state !== "building" || driven.has(key)) continue;
      const end = build(collection, index).finally(() => {
        driven.delete(key);
        // It may have been wanted again before this one was over.
        const now = catalog.get(collection.name);
        if (now) drive(now);
      });
      driven.set(key, { collection, end });
    }
  }

  async function build(collection: MongoCollection, { definition }: MongoIndex): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        if (!(await isWanted(collection, definition))) return void (await catalog.refresh(collection.name));
        const fault = await buildIn(collection, definition);
        if (fault !== "gone") await record(collection, definition, fault);
        return;
      } catch (error) {
        if (closing.signal.aborted) return;
        if (!isGone(error)) warn(`an index of ${collection.name} cannot be built at the moment: trying again`, error);
        await wait(RETRY_MILLISECONDS, undefined, { signal: closing.signal }).catch(() => {});
      }
    }
  }

  /** Whether the index is to be built. One that was ready, and that somebody has dropped, is noted as not ready first. */
  async function isWanted(collection: MongoCollection, definition: IndexDefinition): Promise<boolean> {
    const { name, uuid } = collection;
    const stateIn = ({ indexes }: CatalogRecord) =>
      indexes.find((index) => sameIndex(index.definition, definition))?.state;
    const before = await records.read(name, uuidText(uuid));
    if (stateIn(before) !== "ready") return stateIn(before) === "building";
    if ((await listIndexes(connection, name))?.has(indexName(definition)) !== false) return false;
    warn(`somebody has dropped the index ${definition.paths.join(",")} of ${name}: building it again`);
    return stateIn(await changeState(collection, "ready", { definition, state: "building" })) === "building";
  }

  /** @returns what stands against the index; `gone` if it is not wanted any more */
  async function buildIn(
    { name, uuid }: MongoCollection,
    definition: IndexDefinition,
  ): Promise<BuildFault | undefined | "gone"> {
    const indexes = [indexSpec(definition)];
    try {
      await connection.server.command({ createIndexes: name, indexes, writeConcern: WRITE_CONCERN });
      return await findTooLong(connection, name, definition);
    } catch (error) {
      switch (codeOf(error)) {
        case CODES.duplicateKey:
          return findDuplicates(connection, name, definition);
        case CODES.parallelArrays:
          return (await findAnyUnfit(connection, name, definition)) ?? { reason: "parallel_arrays" };
        case CODES.indexOptionsConflict:
        case CODES.indexKeySpecsConflict:
          return { reason: "another program has made an index like it, under another name: drop that one" };
        case CODES.indexBuildAborted:
        case CODES.namespaceNotFound: {
          const now = await catalog.refresh(name);
          const wanted = now?.indexes.some(
            (index) => index.state === "building" && sameIndex(index.definition, definition),
          );
          if (!now || uuidText(now.uuid) !== uuidText(uuid) || !wanted) return "gone";
        }
      }
      throw error;
    }
  }

  async function record(collection: MongoCollection, definition: IndexDefinition, fault: BuildFault | undefined) {
    const { name } = collection;
    const finished: IndexRecord = fault ? { definition, state: "failed", ...fault } : { definition, state: "ready" };
    if (fault) await dropIndex(connection, name, indexName(definition));
    await changeState(collection, "building", finished);
    await catalog.refresh(name);
  }

  /** Writes an index's record anew, if it still has the state that is known of it. */
  function changeState({ name, uuid }: MongoCollection, known: IndexRecord["state"], next: IndexRecord) {
    return records.change(name, uuidText(uuid), (before) => {
      const at = before.indexes.findIndex((index) => sameIndex(index.definition, next.definition));
      return before.indexes[at]?.state === known ? { ...before, indexes: before.indexes.with(at, next) } : before;
    });
  }

  return {
    async begun(name) {
      const collection = catalog.get(name);
      for (const index of collection?.indexes ?? []) {
        if (!collection || index.state !== "building") continue;
        const key = `${uuidText(collection.uuid)} ${index.name}`;
        for (;;) {
          const build = driven.get(key);
          if (!build || closing.signal.aborted) break;
          const over = await Promise.race([build.end.then(() => true), wait(POLL_MILLISECONDS, false)]);
          if (!over && (await listIndexes(connection, name))?.has(index.name)) break;
        }
      }
    },
    async close() {
      closing.abort();
      clearInterval(looking);
    },
  };
}

/** Drops an index, which may be gone already. */
export async function dropIndex(connection: Connection, collection: string, index: string): Promise<void> {
  try {
    const command = { dropIndexes: collection, index, writeConcern: WRITE_CONCERN };
    await connection.server.command(command);
  } catch (error) {
    const code = codeOf(error);
    if (code !== CODES.indexNotFound && code !== CODES.namespaceNotFound) throw error;
  }
}
