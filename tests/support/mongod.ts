/** A real MongoDB for the tests: found or fetched, started on loopback, and gone when the test file ends. */
import { randomBytes } from "node:crypto";
import { MongoClient } from "mongodb";
import { NotToBeHad } from "./found-program.ts";
import { type MongodProcess, type MongodSettings, startMongodProcess } from "./mongod-process.ts";
import { findMongod } from "./mongod-program.ts";
import type { Skippable } from "./teardown.ts";

export interface Mongod {
  /** Names, in its path, a database that nobody else uses. */
  readonly url: string;
  /** Whether it is ours to harm: false for the server of `GALLEY_TEST_MONGODB_URL`. */
  readonly process: MongodProcess | undefined;
  close(): Promise<void>;
}

/** A MongoDB that the tests started themselves, for faults. */
export interface OwnMongod extends Mongod {
  readonly process: MongodProcess;
}

/**
 * The MongoDB of a test file; call it once, with the root test. `npm test` gives all files one server, and each file its
 * own databases there; a file run by itself starts its own server.
 *
 * @returns undefined, with a skip that tells the reason, if there is none to be had
 * @throws Error in place of that skip if `GALLEY_REQUIRE_SERVERS` is 1
 */
export function useMongod(t: Skippable): Promise<Mongod | undefined> {
  return unlessAbsent(t, openMongod);
}

/** As {@link useMongod}, but never a server that others use. */
export function useOwnMongod(t: Skippable, settings: Omit<MongodSettings, "replicaSet"> = {}) {
  return unlessAbsent(t, async () => startMongod(await findMongod(), settings));
}

/** What `open` opens, closed at the test's end; undefined with a skip if there is no mongod and none is required. */
export async function unlessAbsent<T extends { close(): Promise<void> }>(
  t: Skippable,
  open: () => Promise<T>,
): Promise<T | undefined> {
  let opened: T;
  try {
    opened = await open();
  } catch (error) {
    if (!(error instanceof NotToBeHad) || process.env.GALLEY_REQUIRE_SERVERS === "1") throw error;
    t.pass("runs on a real mongod", { skip: error.message });
    return undefined;
  }
  t.teardown(() => opened.close());
  return opened;
}

/**
 * Opens a MongoDB: that of `GALLEY_TEST_MONGODB_URL`, else a single-node replica set of the caller's own.
 *
 * @throws NotToBeHad if there is no program to start
 */
export async function openMongod(): Promise<Mongod> {
  const given = process.env.GALLEY_TEST_MONGODB_URL;
  return given ? useServer(given) : startMongod(await findMongod(), {});
}

/** Settings of a server for many files at once: the writes of one must not push those of another out of the history. */
const FOR_MANY = { oplogSize: 4096, cacheGigabytes: 1 };

/**
 * A server for all the test files of a run, each of which is to be given its URL as `GALLEY_TEST_MONGODB_URL`.
 *
 * @returns undefined if one is given already, or if there is none to be had, which each file tells
 */
export async function openSharedMongod(): Promise<OwnMongod | undefined> {
  if (process.env.GALLEY_TEST_MONGODB_URL) return undefined;
  try {
    return await startMongod(await findMongod(), FOR_MANY);
  } catch (error) {
    if (error instanceof NotToBeHad) return undefined;
    throw error;
  }
}

export function newDatabase(): string {
  return `galley_test_${randomBytes(6).toString("hex")}`;
}

/** The same server and options, another database. */
export function withDatabase(url: string, database: string): string {
  const [, server, options = ""] = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?(\?.*)?$/.exec(url) ?? [];
  if (server === undefined) throw new Error(`expects mongodb://host:port, got ${url}`);
  return `${server}/${database}${options}`;
}

/** A database of our own on a server that others may use too. Credentials are those of the URL's `authSource`. */
function useServer(given: string): Mongod {
  const url = withDatabase(given, newDatabase());
  return {
    url,
    process: undefined,
    close: () => dropDatabase(url),
  };
}

export async function dropDatabase(url: string): Promise<void> {
  const client = new MongoClient(url);
  await client.db().dropDatabase();
  await client.close();
}

/** Not `galley`: proxies and fail points know Galley's own connections by that word. */
export const REPLICA_SET = "tests";

/** A single-node replica set on an empty folder; resolves when it is primary. */
async function startMongod(program: string, settings: MongodSettings): Promise<OwnMongod> {
  const mongod = await startMongodProcess(program, { ...settings, replicaSet: REPLICA_SET });
  try {
    await initiate([mongod.host]);
  } catch (error) {
    await mongod.close();
    throw error;
  }
  const url = `mongodb://${mongod.host}/${newDatabase()}?replicaSet=${REPLICA_SET}`;
  return { url, process: mongod, close: () => mongod.close() };
}

/**
 * Makes servers a replica set; resolves when there is a primary.
 *
 * @param hosts as the set's members and the drivers shall reach them, the first one directly
 */
export async function initiate(hosts: readonly string[], settings: object = {}): Promise<void> {
  const members = hosts.map((host, _id) => ({ _id, host }));
  const lone = new MongoClient(`mongodb://${hosts[0]}/?directConnection=true`);
  await lone.db("admin").command({ replSetInitiate: { _id: REPLICA_SET, members, settings } });
  await lone.close();
  const client = new MongoClient(`mongodb://${hosts.join()}/?replicaSet=${REPLICA_SET}`);
  await client.db("admin").command({ ping: 1 }); // waits for a primary
  await client.close();
}
