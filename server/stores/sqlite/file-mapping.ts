import type { Database } from "better-sqlite3";
import { type Activity, commitsOf } from "./activity.ts";
import { MAPPED_BYTES } from "./connection.ts";

/**
 * Whether a connection maps the file or copies pages out of it. SQLite gives a mapping up with every commit, and the next
 * reads fill it again page by page: that costs more than copying unless many reads come between two commits.
 */
export interface FileMapping {
  /** To be told before documents are read, outside of a transaction. */
  reading(documents: number): void;
}

/** Documents read between two commits from which on a mapping pays (docs/decisions/0010). */
const PAYS = 500;

export function createFileMapping(database: Database, activity: Activity): FileMapping {
  let mapped = false;
  let commits = commitsOf(activity);
  /** Since the last commit. */
  let read = 0;

  function map(wanted: boolean): void {
    if (wanted !== mapped) database.pragma(`mmap_size = ${wanted ? MAPPED_BYTES : 0}`);
    mapped = wanted;
  }

  return {
    reading(documents) {
      const now = commitsOf(activity);
      if (now !== commits) {
        if (read < PAYS) map(false);
        commits = now;
        read = 0;
      } else if (read >= PAYS) map(true);
      read += documents;
    },
  };
}
