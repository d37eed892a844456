import type { Binary, Document } from "mongodb";
import type { IndexDefinition, IndexStats } from "../document-store.ts";
import { type IndexRows, indexRowsOf, type Unfit } from "../index-rows.ts";
import { indexKeys } from "../plan.ts";
import type { IndexFacts } from "../plan-shape.ts";
import { CATALOG, type CatalogRecord, type IndexRecord, readRecord, sameIndex } from "./catalog-record.ts";
import type { Connection } from "./connect.ts";
import { indexName } from "./index-spec.ts";
import { listIndexes } from "./listed-indexes.ts";
import { readMultikey } from "./multikey.ts";
import { Deadline } from "./time-limit.ts";

/** An index as the planner, the reads and the writer see it. */
export interface MongoIndex extends IndexFacts {
  /** Its name in MongoDB, to `hint` it by. */
  readonly name: string;
  readonly definition: IndexDefinition;
  /** `building` also where the record says `ready` and MongoDB has no such index: somebody has dropped it since. */
  readonly state: IndexStats["state"];
  /**
   * Whether arrays are known in each path, by this node's writes and by what MongoDB said when the index was loaded. Other
   * nodes and programs may have stored some since: MongoDB's answers are right all the same, so this may choose a plan,
   * and must not decide what a plan finds.
   */
  readonly multikey: boolean[];
  /** What a document has in it; the reason if it cannot be held. */
  readonly rowsOf: (document: Parameters<ReturnType<typeof indexRowsOf>>[0]) => IndexRows | Unfit;
}

export interface MongoCollection {
  readonly name: string;
  /** Tells it from a collection of the same name that is made after it was dropped. */
  readonly uuid: Binary;
  /** The node that builds what is `building`. */
  readonly builder: string;
  readonly indexes: readonly MongoIndex[];
}

/**
 * The collections and indexes that exist, as this node knows them. It is loaded at the start and refreshed when a
 * collection's record changes (the tail tells), or when MongoDB's answers show that it is out of date.
 */
export interface Catalog {
  get(collection: string): MongoCollection | undefined;
  all(): Iterable<MongoCollection>;
  /** Reads everything anew. */
  load(): Promise<void>;
  /** Reads one collection anew. */
  refresh(collection: string): Promise<MongoCollection | undefined>;
  /** Takes note that a collection is gone. */
  forget(collection: string): void;
  /** Called with each collection whose indexes were read, for builds that are to be driven. */
  onChange(listener: (collection: MongoCollection) => void): void;
}

/** For reading one collection anew. */
const REFRESH_MILLISECONDS = 5000;

export function createCatalog(connection: Connection): Catalog {
  const collections = new Map<string, MongoCollection>();
  const listeners: ((collection: MongoCollection) => void)[] = [];
  /** One refresh of a collection at a time: an older answer must not replace a newer one. */
  const refreshing = new Map<string, Promise<MongoCollection | undefined>>();

  async function read(filter: Document): Promise<{ uuid: Binary; name: string }[]> {
    const found = await connection.server.listCollections(filter, { nameOnly: false }).toArray();
    return found.flatMap((info) => {
      const { name, type, info: { uuid } = {} } = info as { name: string; type?: string; info?: { uuid?: Binary } };
      return type === "collection" && uuid && !name.startsWith("system.") ? [{ name, uuid }] : [];
    });
  }

  async function hold(name: string, uuid: Binary, record: CatalogRecord): Promise<MongoCollection> {
    const before = collections.get(name);
    const known = before && uuidText(before.uuid) === uuidText(uuid) ? before.indexes : [];
    const records = await withoutLost(record.indexes, name);
    const indexes = await Promise.all(records.map((index) => toIndex(connection, name, index, known)));
    // The same UUID object as long as it is the same collection: creates are merged by it.
    const collection = {
      name,
      uuid: before && known === before.indexes ? before.uuid : uuid,
      builder: record.builder,
      indexes,
    };
    collections.set(name, collection);
    for (const listener of listeners) listener(collection);
    return collection;
  }

  /** After the record was read: what it calls ready by then, MongoDB has, unless it was dropped. */
  async function withoutLost(indexes: readonly IndexRecord[], name: string): Promise<readonly IndexRecord[]> {
    if (!indexes.some(({ state }) => state === "ready")) return indexes;
    const listed = await listIndexes(connection, name);
    const isLost = ({ definition, state }: IndexRecord) => state === "ready" && !listed?.has(indexName(definition));
    return listed ? indexes.map((index) => (isLost(index) ? { ...index, state: "building" } : index)) : indexes;
  }

  async function refresh(name: string): Promise<MongoCollection | undefined> {
    const record = await connection.server.collection(CATALOG).findOne({ _id: name as never });
    const [found] = await read({ name });
    if (found) return hold(name, found.uuid, readRecord(name, uuidText(found.uuid), record));
    collections.delete(name);
    return undefined;
  }

  return {
    get: (collection) => collections.get(collection),
    all: () => collections.values(),

    async load() {
      const records = new Map<string, Document>();
      for (const record of await connection.server.collection<{ _id: string }>(CATALOG).find().toArray()) {
        records.set(record._id, record);
      }
      const found = await read({});
      const names = new Set(found.map(({ name }) => name));
      for (const name of collections.keys()) if (!names.has(name)) collections.delete(name);
      // Together: each asks MongoDB for its indexes, and there may be hundreds.
      await Promise.all(
        found.map(({ name, uuid }) => hold(name, uuid, readRecord(name, uuidText(uuid), records.get(name)))),
      );
    },

    refresh(collection) {
      const before = refreshing.get(collection) ?? Promise.resolve(undefined);
      const fresh = before.catch(() => undefined).then(() => refresh(collection));
      // Writes wait for it, and nobody else may wait for one that hangs.
      const mine = new Deadline(REFRESH_MILLISECONDS).race(fresh);
      refreshing.set(collection, mine);
      const done = () => {
        if (refreshing.get(collection) === mine) refreshing.delete(collection);
      };
      mine.then(done, done);
      return mine;
    },

    forget: (collection) => void collections.delete(collection),
    onChange: (listener) => void listeners.push(listener),
  };
}

async function toIndex(
  connection: Connection,
  collection: string,
  { definition, state }: IndexRecord,
  known: readonly MongoIndex[],
): Promise<MongoIndex> {
  const before = known.find((index) => sameIndex(index.definition, definition));
  if (before?.state === state) return before;
  const unique = definition.unique ?? false;
  const keys = indexKeys(definition);
  const name = indexName(definition);
  const ready = state === "ready";
  // Reads never use a unique index, so there is nobody to tell.
  const stored = ready && !unique ? await readMultikey(connection.server, collection, name, keys) : [];
  const multikey = keys.map((_, i) => Boolean(stored[i] || before?.multikey[i]));
  return { name, definition, keys, unique, state, ready, multikey, rowsOf: indexRowsOf({ keys, unique }) };
}

/** The UUID of a collection as records have it. */
export function uuidText(uuid: Binary): string {
  return Buffer.from(uuid.buffer).toString("hex");
}
