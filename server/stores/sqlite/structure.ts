import type { Database } from "better-sqlite3";
import { checkCollectionName } from "../collection-name.ts";
import type { StoredCollection } from "../document-store.ts";
import { readCatalog, type StoredIndex, sameIndex } from "./catalog.ts";
import { createDocumentTable, createIndexTable, documentTable, indexTable, LEFTOVER, quote } from "./schema/tables.ts";

/** Makes a collection and its indexes exist as defined, and no others. @returns whether anything changed */
export function ensureCollection(database: Database, definition: StoredCollection): boolean {
  checkCollectionName(definition.name);
  return database
    .transaction(() => {
      const catalog = readCatalog(database);
      const found = catalog.collections.get(definition.name);
      const put = new Leftovers(database, catalog.structure);
      if (!found) {
        database.exec(createDocumentTable(definition.name));
        database.prepare("INSERT INTO _tables VALUES (?, 0, 0)").run(definition.name);
      }
      const indexes = found?.indexes ?? [];
      const wanted = definition.indexes.filter(
        (index, i, all) => all.findIndex((other) => sameIndex(index, other)) === i,
      );
      // A failed index is built anew: what stood against it may have been mended.
      const kept = indexes.filter(
        ({ definition, state }) => state !== "failed" && wanted.some((index) => sameIndex(index, definition)),
      );
      for (const index of indexes) if (!kept.includes(index)) dropIndex(database, definition.name, index, put);
      let number = Math.max(0, ...indexes.map((index) => index.number));
      const missing = wanted.filter((index) => !kept.some((other) => sameIndex(index, other.definition)));
      for (const { paths, unique } of missing) {
        number += 1;
        database.exec(createIndexTable(definition.name, number, paths.at(-1)?.startsWith("-") ?? false));
        database
          .prepare("INSERT INTO _indexes VALUES (?, ?, ?, ?, 'building', ?, 0, NULL, NULL)")
          .run(definition.name, number, JSON.stringify(paths), unique ? 1 : 0, JSON.stringify(paths.map(() => false)));
      }
      const changed = !found || missing.length > 0 || kept.length < indexes.length;
      if (changed) raiseStructure(database);
      return changed;
    })
    .immediate();
}

/** Drops a collection. @returns the sequence number of that commit; undefined if there is no such collection */
export function dropCollection(database: Database, name: string): number | undefined {
  return database
    .transaction(() => {
      const catalog = readCatalog(database);
      const found = catalog.collections.get(name);
      if (!found) return undefined;
      const put = new Leftovers(database, catalog.structure);
      for (const index of found.indexes) dropIndex(database, name, index, put);
      put.rename(documentTable(name), "d");
      database.prepare("DELETE FROM _tables WHERE collection = ?").run(name);
      raiseStructure(database);
      database.exec("UPDATE _state SET sequence = sequence + 1");
      return database.prepare<[], number>("SELECT sequence FROM _state").pluck().get();
    })
    .immediate();
}

function dropIndex(database: Database, collection: string, index: StoredIndex, leftovers: Leftovers): void {
  if (index.state !== "failed") leftovers.rename(indexTable(collection, index.number), "i");
  database.prepare("DELETE FROM _indexes WHERE collection = ? AND number = ?").run(collection, index.number);
}

/** Tells every reader that its copy of the catalog is out of date. */
export function raiseStructure(database: Database): void {
  database.exec("UPDATE _state SET structure = structure + 1");
}

/** Puts tables aside at once, however large; {@link sweepLeftovers} empties them bit by bit. */
export class Leftovers {
  readonly #database: Database;
  readonly #structure: number;
  #count = 0;

  /** @param structure makes names that were never used, since every drop raises it */
  constructor(database: Database, structure: number) {
    this.#database = database;
    this.#structure = structure;
  }

  rename(table: string, kind: "d" | "i"): void {
    this.#count += 1;
    const name = quote(`${LEFTOVER}${kind}_${this.#structure}_${this.#count}`);
    this.#database.exec(`ALTER TABLE ${table} RENAME TO ${name}`);
  }
}

/** Rows deleted by one statement: few, since a document may take hundreds of pages. */
const ROWS = 16;

/**
 * Empties and drops tables that were put aside, for some milliseconds.
 *
 * @returns whether there is more to do
 */
export function sweepLeftovers(database: Database, milliseconds: number): boolean {
  const table = database
    .prepare<[string], string>("SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 2) = ? LIMIT 1")
    .pluck()
    .get(LEFTOVER);
  if (table === undefined) return false;
  const row = table.startsWith(`${LEFTOVER}d_`) ? "n" : "key, id";
  database
    .transaction(() => {
      const some = `SELECT ${row} FROM ${quote(table)} LIMIT ${ROWS}`;
      const remove = database.prepare(`DELETE FROM ${quote(table)} WHERE (${row}) IN (${some})`);
      const end = performance.now() + milliseconds;
      let removed = ROWS;
      while (removed === ROWS && performance.now() < end) removed = remove.run().changes;
      if (removed < ROWS) database.exec(`DROP TABLE ${quote(table)}`);
    })
    .immediate();
  return true;
}
