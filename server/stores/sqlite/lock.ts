import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { GalleyError } from "#protocol/errors";
import { sqliteCode } from "./errors.ts";

/**
 * Makes the folder and the files of the store, readable for their owner only. SQLite gives `-wal` and `-shm` the rights
 * of the file they belong to.
 */
export function prepareFolder(folder: string, files: readonly string[]): void {
  try {
    const created = mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (created === undefined) makePrivate(folder, 0o700);
    else syncFolder(dirname(created));
    for (const file of files) createPrivate(join(folder, file));
    syncFolder(folder);
  } catch (error) {
    const reason = (error as Error).message;
    throw new GalleyError("failed_precondition", `the data folder ${folder} cannot be used: ${reason}`, {}, error);
  }
}

/** Never opens a file that exists: closing any descriptor of it would end this process's own locks on it (POSIX). */
function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    makePrivate(path, 0o600);
  }
}

/** What belongs to another user, as a mounted volume may, keeps the mode that this user gave it. */
function makePrivate(path: string, mode: number): void {
  try {
    chmodSync(path, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
  }
}

/** Makes the names of new files durable: syncing a file does not sync the folder it stands in. */
function syncFolder(folder: string): void {
  // Windows opens no folders, and writes their entries through.
  if (process.platform === "win32") return;
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/**
 * Takes the folder for this process, until the returned function is called or the process ends, however it ends: an
 * exclusive transaction on `lock.db` that stays open. The system drops it with the process, so none is ever stale.
 *
 * @throws GalleyError `failed_precondition` if another process holds it
 */
export function lockFolder(folder: string): () => void {
  const database = new Database(join(folder, "lock.db"), { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    const message = sqliteCode(error)?.startsWith("SQLITE_BUSY")
      ? `the data folder ${folder} is in use by another Galley process: stop it, or use another folder`
      : `the data folder ${folder} cannot be locked: ${(error as Error).message}`;
    throw new GalleyError("failed_precondition", message, { reason: "folder_in_use" }, error);
  }
  return () => database.close();
}
