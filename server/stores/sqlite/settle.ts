import type { Database } from "better-sqlite3";
import { GalleyError } from "#protocol/errors";
import { writeFailure } from "./errors.ts";
import type { Refusal } from "./messages.ts";

/**
 * Finds out how a transaction ended that threw, and says so. `not_applied` is said only on proof: it was rolled back
 * before COMMIT was called, COMMIT could not write the log, or a transaction after it is durable and does not see it.
 *
 * @param atCommit whether COMMIT may have been called
 * @param before the sequence number before the transaction; undefined if even that could not be read
 */
export function settle(database: Database, error: unknown, atCommit: boolean, before: number | undefined): Refusal {
  if (error instanceof GalleyError) {
    return { code: error.code, message: error.message, details: { ...error.details, outcome: "not_applied" } };
  }
  const { code, message, safe } = writeFailure(error);
  const rolledBack = !database.inTransaction;
  const proven = rolledBack && (safe || !atCommit || fence(database, before));
  const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    code: proven ? code : "unavailable",
    message,
    details: { outcome: proven ? "not_applied" : "unknown" },
    cause,
  };
}

/**
 * Writes a small transaction. It takes the place in the log that the failed one had, or comes after it; either way it
 * tells for good whether the failed one is part of the store.
 */
function fence(database: Database, before: number | undefined): boolean {
  try {
    return database
      .transaction(() => {
        database.exec("UPDATE _state SET sequence = sequence");
        return database.prepare<[], number>("SELECT sequence FROM _state").pluck().get() === before;
      })
      .immediate();
  } catch {
    return false;
  }
}
