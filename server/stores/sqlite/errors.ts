import Database from "better-sqlite3";
import { GalleyError } from "#protocol/errors";

/** The result code of SQLite, as in `SQLITE_FULL`; undefined if something else was thrown. */
export function sqliteCode(error: unknown): string | undefined {
  return error instanceof Database.SqliteError ? error.code : undefined;
}

/** Whether a statement failed because its table is not there: the collection never was, or was just dropped. */
export function isMissingTable(error: unknown): boolean {
  return sqliteCode(error) !== undefined && (error as Error).message.startsWith("no such table");
}

/** Turns what a read threw into an error of the port. */
export function readError(error: unknown): GalleyError {
  if (error instanceof GalleyError) return error;
  const code = sqliteCode(error);
  if (code === undefined) return new GalleyError("internal", "the store failed", {}, error);
  if (isDamage(code)) return new GalleyError("internal", "the store's file is damaged", {}, error);
  return new GalleyError("unavailable", "the store cannot be read at the moment", {}, error);
}

/** Turns what opening threw into one line that tells an operator what to do. */
export function openError(error: unknown, folder: string): GalleyError {
  if (error instanceof GalleyError) return error;
  const code = sqliteCode(error);
  const fault = code !== undefined && isDamage(code) ? "its galley.db is damaged: restore a backup" : messageOf(error);
  return new GalleyError("failed_precondition", `the data folder ${folder} cannot be opened: ${fault}`, {}, error);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** How a transaction ended that SQLite refused. `safe` says that the refusal itself proves it was not applied. */
export interface WriteFailure {
  readonly code: "storage_full" | "unavailable" | "internal";
  readonly message: string;
  readonly safe: boolean;
}

/**
 * Judges what a write transaction threw.
 *
 * A write to the log that failed proves that the commit's last frame is not in it, so no recovery will find the commit.
 * A failed sync, or a failed step after it, proves nothing: the frames may be whole on the disk.
 */
export function writeFailure(error: unknown): WriteFailure {
  const code = sqliteCode(error);
  switch (code) {
    case "SQLITE_FULL":
    case "SQLITE_IOERR_WRITE":
      return { code: "storage_full", message: "the disk of the data folder is full", safe: true };
    case "SQLITE_IOERR_SHMSIZE":
    case "SQLITE_IOERR_SHMOPEN":
    case "SQLITE_IOERR_SHMMAP":
      return { code: "storage_full", message: "the disk of the data folder is full", safe: false };
    case undefined:
      return { code: "internal", message: "the store failed to write", safe: false };
    default: {
      const damaged = isDamage(code);
      const message = damaged ? "the store's file is damaged" : "the store cannot be written at the moment";
      return { code: damaged ? "internal" : "unavailable", message, safe: code.startsWith("SQLITE_BUSY") };
    }
  }
}

function isDamage(code: string): boolean {
  return code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB";
}
