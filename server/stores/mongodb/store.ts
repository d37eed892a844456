import { setTimeout as wait } from "node:timers/promises";
import { GalleyError } from "#protocol/errors";
import { checkCollectionName } from "../collection-name.ts";
import type { DocumentStore, Position, Query, Write } from "../document-store.ts";
import { createAbandoned } from "./abandoned.ts";
import { createCatalog } from "./catalog.ts";
import { createCatalogStore } from "./catalog-store.ts";
import { COMMITS } from "./commit-marker.ts";
import { type Connection, connect } from "./connect.ts";
import { readError, writeError } from "./errors.ts";
import { createIndexBuilds } from "./index-builds.ts";
import { createMeta, type Migration } from "./meta.ts";
import { createOrder } from "./order.ts";
import { createOrphans } from "./orphans.ts";
import { createPointReader } from "./point-reads.ts";
import { positionOf } from "./positions.ts";
import { createQueries } from "./queries.ts";
import type { ReadMeter } from "./rows.ts";
import { readVersion, versionAdvice } from "./server-version.ts";
import { createSessions } from "./sessions.ts";
import { createSingleWrites } from "./single-write.ts";
import { started } from "./started.ts";
import { createStatsReader } from "./stats.ts";
import { createStructure } from "./structure.ts";
import type { TailCounts } from "./tail.ts";
import { createTransactions } from "./transactions.ts";
import { createMongoVersions } from "./versions.ts";

export interface MongoOptions {
  /** Of a replica set; its path names the database, `galley` if it has none. */
  readonly url: string;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** That many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  /** Tells whoever runs the server. The URL is never a part of it. */
  readonly warn: (message: string, error?: unknown) => void;
  /** Collections whose documents its listeners need not be told of; their drops are told. */
  readonly unfollowed?: readonly string[];
  /** For tests of the store's own faults. */
  readonly migrations?: readonly Migration[];
}

/** A document store in a MongoDB. */
export interface MongoStore extends DocumentStore {
  /** Resolves once the server was reached and everything is read from it; until then, requests are `unavailable`. */
  readonly opened: Promise<void>;
  readonly meter: Readonly<ReadMeter>;
  /** What befell the change stream. */
  readonly counts: Readonly<TailCounts>;
}

type Values = Parameters<DocumentStore["commit"]>[1];

const RETRY_MILLISECONDS = 250;

/**
 * Opens the store. A server that does not answer is waited for in the background: see `opened`.
 *
 * @throws GalleyError `failed_precondition` with one clear line if the URL is none, or if the server that answers is one
 *   that Galley cannot work with: a standalone, too old, of a newer Galley
 */
export async function openMongoStore(options: MongoOptions): Promise<MongoStore> {
  const { url, clock, random, warn } = options;
  const connection = connect(url);
  const meter: ReadMeter = { foreign: 0, parity: 0 };
  const meta = createMeta(connection.server);
  const sessions = createSessions();
  const catalog = createCatalog(connection);
  const records = createCatalogStore(connection.server, clock);
  const versions = createMongoVersions(clock, meta, () => connection.seen);
  const order = createOrder({
    connection,
    unfollowed: options.unfollowed ?? [],
    history: meta.history,
    refresh: (collection) => catalog.refresh(collection),
    reload: () => catalog.load(),
    // Versions that others gave out raise our own.
    stored: versions.raise,
    warn,
  });
  const { self } = order.nodes;
  const builds = createIndexBuilds({
    connection,
    catalog,
    records,
    isOurs: (builder) => builder === self || !order.nodes.lives(builder),
    warn,
  });
  const structure = createStructure({ connection, catalog, records, builds, self });
  const readStats = createStatsReader({ connection, catalog, records });
  const points = createPointReader(connection, meter);
  const queries = createQueries({ connection, catalog, positionAt, order, meter });
  const parts = { connection, catalog, sessions, points };
  const writeOne = createSingleWrites(parts);
  const abandoned = createAbandoned(connection);
  const orphans = createOrphans(connection, warn);
  const writeAll = createTransactions({ ...parts, random, clock, nextVersion: versions.next, abandoned });

  let open = false;
  let closing: Promise<void> | undefined;
  const underWay = new Set<Promise<unknown>>();

  function positionAt(time: Parameters<typeof positionOf>[1]): Position {
    const now = order.position();
    return positionOf(now.slice(0, now.lastIndexOf(".")), time);
  }

  async function openOnce(): Promise<void> {
    // Each line waits for the one before it: nothing is written to a database of another format, and what is read of its
    // structure is read once changes of it are followed. Within a line, nothing depends on the other.
    await Promise.all([orphans.open(), meta.migrate(options.migrations)]);
    await Promise.all([versions.start(), order.open()]);
    await catalog.load();
    const [version] = await Promise.all([readVersion(connection.server), structure.make(COMMITS)]);
    open = true;
    const advice = versionAdvice(version);
    if (advice !== undefined) warn(advice);
  }

  /** Does not end before it has opened, or the store is closed. */
  async function openEventually(fail: (error: GalleyError) => void): Promise<void> {
    let told: string | undefined;
    while (!closing) {
      try {
        await connection.ready();
        return await openOnce();
      } catch (error) {
        const fault = refusalOf(connection, error);
        if (fault) fail(fault);
        const message = fault?.message ?? connection.topology.lacks ?? "the database does not answer: trying again";
        if (message !== told) warn(message, fault ? undefined : error);
        told = message;
        await wait(RETRY_MILLISECONDS);
      }
    }
  }

  function demandOpen(): void {
    if (closing) throw new GalleyError("unavailable", "the store is closed");
    if (!open) throw new GalleyError("unavailable", "the database has not been reached yet");
  }

  /** What every request needs: an open store, a primary, and the lease of this node. */
  function demandServing(collections: readonly string[]): Promise<void> | undefined {
    demandOpen();
    if (!connection.isReady) return connection.ready().then(() => order.demandTouch(collections));
    order.demandTouch(collections);
    return undefined;
  }

  async function reading<T>(collections: readonly string[], read: () => Promise<T>): Promise<T> {
    try {
      const serving = demandServing(collections);
      if (serving) await serving;
      return await read();
    } catch (error) {
      throw readError(error);
    }
  }

  /** Reads at a position wait by themselves for what this node does not have at the moment. */
  async function asking<T>({ collection, at }: Query, read: () => Promise<T>): Promise<T> {
    if (at === undefined) return reading([collection], read);
    demandOpen();
    return read();
  }

  /** Work that changes something: the end of the store waits for it, and so do the barriers of all nodes. */
  async function writing<T>(collections: readonly string[], write: () => Promise<T>): Promise<T> {
    // In the turn of the call, in which the caller judged by what it knows; and once more when it may be sent.
    const work = open ? order.begin() : undefined;
    let writing: Promise<T> | undefined;
    try {
      if (work) order.demandTouch(collections);
      const serving = demandServing(collections);
      if (serving) await serving;
      work?.demandFresh();
      writing = write();
      underWay.add(writing);
      return await writing;
    } catch (error) {
      throw writing ? writeError(error) : readError(error).with({ outcome: "not_applied" });
    } finally {
      if (writing) underWay.delete(writing);
      work?.end();
    }
  }

  async function commit(writes: readonly Write[], values: Values): Promise<Position> {
    try {
      // Each of these is nearly always nothing, and a wait for nothing costs a turn.
      const reserving = versions.reserve(writes);
      if (reserving) await reserving;
      const clearing = abandoned.cleared();
      if (clearing) await clearing;
      const [first] = writes;
      if (!first) return order.position();
      return at(await (writes.length === 1 ? writeOne(first, values?.[0]) : writeAll(writes, values)));
    } catch (error) {
      throw commitError(error, writes.length);
    }
  }

  function at(time: Parameters<typeof positionOf>[1] | undefined): Position {
    return time ? positionAt(time) : order.position();
  }

  async function close(): Promise<void> {
    await Promise.allSettled([...underWay]);
    await builds.close();
    await orphans.close();
    await order.close();
    await connection.close();
  }

  const store: MongoStore = {
    opened: Promise.resolve(),
    meter,
    counts: order.counts,
    get: (collection, ids) => reading([collection], () => points.get(collection, ids)),
    find: (query) => asking(query, () => queries.find(query)),
    count: (query) => asking(query, () => queries.count(query)),
    distinct: (query) => asking(query, () => queries.distinct(query)),
    aggregate: (query) => asking(query, () => queries.aggregate(query)),
    commit: (writes, values) =>
      writing(
        writes.map(({ collection }) => collection),
        () => commit(writes, values),
      ),
    nextVersion: versions.next,
    position: order.position,
    tail: order.tail,
    passed: order.passed,
    barrier: order.barrier,
    nodes: order.nodes,
    async ensureCollection(definition) {
      checkCollectionName(definition.name);
      await writing([definition.name], () => structure.ensure(definition));
    },
    dropCollection: (name) => writing([name], async () => at(await structure.drop(name))),
    stats: (name) => reading([name], () => readStats(name)),
    ping: () => reading([], async () => void (await connection.documents.command({ ping: 1 }))),
    close() {
      closing ??= close();
      return closing;
    },
  };
  return started(store, connection, openEventually);
}

/** What no waiting mends, told in one line; undefined if the server is merely away. */
function refusalOf({ fault }: Connection, error: unknown): GalleyError | undefined {
  if (error instanceof GalleyError && error.code === "failed_precondition") return error;
  return fault === undefined ? undefined : new GalleyError("failed_precondition", fault, { reason: "mongodb" });
}

/** Whoever sent something has set the outcome; what else fails, fails before anything is sent. */
function commitError(error: unknown, writes: number): GalleyError {
  const failure = readError(error);
  const told = failure.details.outcome === undefined ? failure.with({ outcome: "not_applied" }) : failure;
  return writes === 1 && REFUSALS.has(told.code) ? told.with({ operation: 0 }) : told;
}

/** What a store finds at fault with one write of a commit. */
const REFUSALS: ReadonlySet<string> = new Set([
  "version_conflict",
  "unique_violation",
  "schema_violation",
  "not_found",
]);
