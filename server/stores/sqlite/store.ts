import { randomBytes } from "node:crypto";
import { join, resolve } from "node:path";
import { GalleyError } from "#protocol/errors";
import type { DocumentStore, Query } from "../document-store.ts";
import { createVersions } from "../versions.ts";
import { createActivity } from "./activity.ts";
import { openReading, openWriting } from "./connection.ts";
import { openError, readError } from "./errors.ts";
import { createFileMapping } from "./file-mapping.ts";
import { lockFolder, prepareFolder } from "./lock.ts";
import { createQueries } from "./queries.ts";
import { createPointReader } from "./reader.ts";
import type { ParseMeter } from "./row.ts";
import { type Migration, migrate } from "./schema/migrations.ts";
import { sqliteVersionFault } from "./sqlite-version.ts";
import { createStatsReader } from "./stats.ts";
import { createSqliteTail } from "./tail.ts";
import { startWriter, type WriterEvents } from "./writer.ts";

export interface SqliteOptions {
  /** Where `galley.db` and `lock.db` lie. One process has it at a time. */
  readonly folder: string;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** These three are for tests of the store's own faults. */
  readonly migrations?: readonly Migration[];
  readonly pause?: WriterEvents["pause"];
  readonly thread?: URL;
}

/** A document store in one folder. `meter` counts the documents that reads had to parse. */
export interface SqliteStore extends DocumentStore {
  readonly meter: Readonly<ParseMeter>;
}

/**
 * Opens the store in a folder, making it if it is not there and bringing its file to the newest format.
 *
 * @throws GalleyError `failed_precondition` with one clear line if the folder is in use, the file is of a newer Galley, or
 *   this SQLite is too old
 */
export async function openSqliteStore(options: SqliteOptions): Promise<SqliteStore> {
  const folder = resolve(options.folder);
  prepareFolder(folder, ["galley.db", "lock.db"]);
  const unlock = lockFolder(folder);
  try {
    const file = join(folder, "galley.db");
    prepareFile(file, options.migrations);
    return await openStore(file, options, unlock);
  } catch (error) {
    unlock();
    throw openError(error, folder);
  }
}

/** The one time that the main thread writes: before anything else has the file open. */
function prepareFile(file: string, migrations: readonly Migration[] | undefined): void {
  const database = openWriting(file);
  try {
    const fault = sqliteVersionFault(
      database.prepare<[], string>("SELECT sqlite_version()").pluck().get() ?? "unknown",
    );
    if (fault) throw new GalleyError("failed_precondition", fault, { reason: "sqlite_version" });
    migrate(database, migrations);
  } finally {
    database.close();
  }
}

async function openStore(file: string, options: SqliteOptions, unlock: () => void): Promise<SqliteStore> {
  const meter: ParseMeter = { parsed: 0 };
  const versions = createVersions(options.clock);
  const activity = createActivity();
  const { writer, sequence, highest } = await startWriter(
    { file, activity, thread: options.thread },
    {
      committed: (sequence, writes, dropped) => log.append(sequence, writes, dropped),
      restarted(sequence, highest) {
        versions.raise(highest);
        // Who cannot read anew must not go on as if nothing had been: its error ends the process.
        void log.restart(sequence);
      },
      pause: options.pause,
    },
  );
  // Random for each run, so that a file that was swapped meanwhile cannot be mistaken (live-queries.md 3).
  const log = createSqliteTail(randomBytes(8).toString("hex"), sequence, meter);
  versions.raise(highest);
  const database = openReading(file);
  const mapping = createFileMapping(database, activity);
  const points = createPointReader(database, mapping, meter);
  const queries = createQueries({ file, database, mapping, activity, meter, at: log.at });
  const readStats = createStatsReader(database);
  const self = randomBytes(8).toString("hex");
  let closing: Promise<void> | undefined;

  /** Not an async function: a point read costs little more than its statement, and each turn of a promise adds to it. */
  function reading<T>(read: () => T | Promise<T>): Promise<T> {
    if (closing) return Promise.reject(new GalleyError("unavailable", "the store is closed"));
    try {
      writer.poll();
      const result = read();
      return result instanceof Promise
        ? result.catch((error) => Promise.reject(readError(error)))
        : Promise.resolve(result);
    } catch (error) {
      return Promise.reject(readError(error));
    }
  }

  /** The file's own state is the newest one, so a read of it is one at any position that was reached. */
  function asking<T>({ at, budget }: Query, read: () => T | Promise<T>): Promise<T> {
    return reading(() => {
      const reaching = at === undefined ? undefined : log.reach(at, budget.milliseconds);
      return reaching ? reaching.then(read) : read();
    });
  }

  async function close(): Promise<void> {
    try {
      // Readers first: the last connection to close moves the log into the file and removes it, and must be able to.
      await queries.close();
      database.close();
      await writer.close();
    } finally {
      log.close();
      unlock();
    }
  }

  return {
    meter,
    get: (collection, ids) => reading(() => points.get(collection, ids)),
    find: (query) => asking(query, () => queries.find(query)),
    count: (query) => asking(query, () => queries.count(query)),
    distinct: (query) => asking(query, () => queries.distinct(query)),
    aggregate: (query) => asking(query, () => queries.aggregate(query)),
    commit: async (writes) => log.at(await writer.commit(writes)),
    nextVersion: versions.next,
    position: () => log.position,
    tail: (from, listener, lost) => log.tail(from, listener, lost),
    passed: (position) => log.passed(position),
    // One process owns the file, and its commits are told before their writers are answered.
    async barrier(position) {
      await log.passed(position);
      await writer.settled();
    },
    nodes: { self, lives: (node) => node === self, inTouch: true, lag: 0, touch: () => Promise.resolve() },
    ensureCollection: (definition) => writer.ensure(definition),
    dropCollection: async (name) => {
      const sequence = await writer.drop(name);
      return sequence === undefined ? log.position : log.at(sequence);
    },
    stats: (name) => reading(() => readStats(name)),
    ping: () =>
      reading(() => {
        if (!writer.running) throw new GalleyError("unavailable", "the store's writer does not run");
        database.prepare("SELECT sequence FROM _state").get();
      }),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
