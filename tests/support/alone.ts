import { setTimeout as pause } from "node:timers/promises";
import Database from "better-sqlite3";

const LOOK_AGAIN_MS = 250;

/**
 * Does something while no other process does it under the same lock, waiting for its turn. The lock is a transaction on
 * a file of its own: it ends with the process, however that ends.
 */
export async function alone<T>(lockFile: string, work: () => Promise<T>): Promise<T> {
  const lock = new Database(lockFile, { timeout: 0 });
  try {
    while (!acquire(lock)) await pause(LOOK_AGAIN_MS);
    return await work();
  } finally {
    lock.close();
  }
}

function acquire(lock: Database.Database): boolean {
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === "SQLITE_BUSY") return false;
    throw error;
  }
}
