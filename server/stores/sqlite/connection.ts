import Database from "better-sqlite3";

/** What a write waits for another connection of this process to let go (a checkpoint, a migration). */
const BUSY_MS = 5000;
/** Page cache of the writer and of the connection for point reads, in KiB. */
const CACHE_KIB = 16 * 1024;
/**
 * How much of the file readers map rather than copy page by page, which was a tenth of a page's cost (docs/decisions).
 * Address space, not memory: the system drops it when it needs to.
 */
export const MAPPED_BYTES = 1024 ** 3;
/** A log that grew under a long read is cut back to this once it starts anew. */
const WAL_BYTES = 64 * 1024 * 1024;

/** Opens a connection that writes: every COMMIT is on the disk when it returns. */
export function openWriting(file: string): Database.Database {
  const database = new Database(file, { timeout: BUSY_MS });
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  // The writer thread moves the log into the file by itself, after it has answered (checkpoint.ts).
  database.pragma("wal_autocheckpoint = 0");
  database.pragma(`journal_size_limit = ${WAL_BYTES}`);
  database.pragma(`cache_size = -${CACHE_KIB}`);
  database.pragma("temp_store = MEMORY");
  return database;
}

/**
 * Opens a connection that cannot write. In WAL mode it neither waits for the writer nor holds it up.
 *
 * @param mapped bytes of the file that it maps, rather than copies page by page
 */
export function openReading(file: string, { cacheKib = CACHE_KIB, mapped = 0 } = {}): Database.Database {
  const database = new Database(file, { readonly: true, timeout: BUSY_MS });
  database.pragma(`cache_size = -${cacheKib}`);
  database.pragma(`mmap_size = ${mapped}`);
  database.pragma("temp_store = MEMORY");
  return database;
}
