import type { Database } from "better-sqlite3";
import { GalleyError } from "#protocol/errors";

/** One step of the file's format. It runs in a transaction of its own, so a kill leaves the format before or after it. */
export interface Migration {
  /** The format that the file has afterwards: the number of the migration before it plus one. */
  readonly format: number;
  apply(database: Database): void;
}

/** Every format that ever shipped, in order. A new format is a new entry; an entry that shipped is never changed. */
export const MIGRATIONS: readonly Migration[] = [{ format: 1, apply: createTables }];

/**
 * Brings the file to the newest format, step by step.
 *
 * @throws GalleyError `failed_precondition` if a newer Galley wrote it, or something that is not Galley
 */
export function migrate(database: Database, migrations: readonly Migration[] = MIGRATIONS): void {
  const newest = migrations.at(-1)?.format ?? 0;
  const found = readFormat(database);
  if (found > newest) {
    throw new GalleyError(
      "failed_precondition",
      `${database.name} has format ${found}, and this Galley knows formats up to ${newest}: run the newer Galley that wrote it, or restore a backup of the older one`,
      { reason: "newer_format" },
    );
  }
  for (const migration of migrations) {
    if (migration.format <= found) continue;
    database
      .transaction(() => {
        migration.apply(database);
        database.prepare("UPDATE _state SET format = ?").run(migration.format);
      })
      .immediate();
  }
}

/** The format of the file; 0 if it is new. */
function readFormat(database: Database): number {
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all();
  if (tables.includes("_state")) return Number(database.prepare("SELECT format FROM _state").pluck().get());
  if (tables.length === 0) return 0;
  throw new GalleyError(
    "failed_precondition",
    `${database.name} is not a file of Galley: move it out of the data folder`,
    {
      reason: "foreign_file",
    },
  );
}

/**
 * `_state` has one row, which every commit raises and every read transaction reads: `sequence` is the commit order,
 * `highest` the highest document version, `structure` counts changes of what `_tables` and `_indexes` say (sizes and
 * progress aside), so that nobody trusts a copy that is out of date. `paths`, `multikey` and
 * `duplicates` are JSON; `reached` is the
 * highest `n` of a document that a build has put into the index.
 */
function createTables(database: Database): void {
  database.exec(`
    CREATE TABLE _state(
      one INTEGER PRIMARY KEY CHECK (one = 1),
      format INTEGER NOT NULL,
      sequence INTEGER NOT NULL,
      highest INTEGER NOT NULL,
      structure INTEGER NOT NULL
    );
    INSERT INTO _state VALUES (1, 0, 0, 0, 0);
    CREATE TABLE _tables(
      collection TEXT PRIMARY KEY,
      documents INTEGER NOT NULL,
      bytes INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE _indexes(
      collection TEXT NOT NULL,
      number INTEGER NOT NULL,
      paths TEXT NOT NULL,
      is_unique INTEGER NOT NULL,
      state TEXT NOT NULL,
      multikey TEXT NOT NULL,
      reached INTEGER NOT NULL,
      reason TEXT,
      duplicates TEXT,
      PRIMARY KEY (collection, number)
    ) WITHOUT ROWID;
  `);
}
