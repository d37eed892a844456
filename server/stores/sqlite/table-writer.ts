import type { Database, Statement } from "better-sqlite3";
import { memberReader } from "#protocol/members-of-text";
import type { ObjectValue } from "#protocol/values";
import { type IndexRows, indexRowsOf, keysWithout } from "../index-rows.ts";
import { unfitFor, uniqueViolation } from "../write-refusals.ts";
import type { Collection, StoredIndex } from "./catalog.ts";
import { documentTable, indexTable } from "./schema/tables.ts";

/** Where a stored document lies: its row number, version and bytes. */
export type Place = readonly [n: number, version: number, bytes: number];

/** Writes documents of one collection and keeps its indexes exact, within the transaction that is open. */
export class TableWriter {
  readonly name: string;
  readonly indexes: readonly IndexWriter[];
  /** What the indexes are made of, out of a text. */
  readonly #read: (text: string) => ObjectValue;
  readonly #place: Statement<[string], Place>;
  readonly #text: Statement<[number], string>;
  readonly #insert: Statement<[string, number, string]>;
  readonly #update: Statement<[number, string, number]>;
  readonly #remove: Statement<[number]>;

  constructor(database: Database, collection: Collection) {
    const table = documentTable(collection.name);
    this.name = collection.name;
    this.#place = database.prepare<[string], Place>(`SELECT n, v, octet_length(data) FROM ${table} WHERE id = ?`).raw();
    this.#text = database.prepare<[number], string>(`SELECT data FROM ${table} WHERE n = ?`).pluck();
    this.#insert = database.prepare(`INSERT INTO ${table}(id, v, data) VALUES (?, ?, ?)`);
    this.#update = database.prepare(`UPDATE ${table} SET v = ?, data = ? WHERE n = ?`);
    this.#remove = database.prepare(`DELETE FROM ${table} WHERE n = ?`);
    this.indexes = collection.indexes
      .filter(({ state }) => state !== "failed")
      .map((index) => new IndexWriter(database, collection.name, index));
    this.#read = memberReader(this.indexes.flatMap(({ index }) => index.keys.map(({ path }) => path)));
  }

  place(id: string): Place | undefined {
    return this.#place.get(id);
  }

  /** @returns the indexes whose multikey flags must be raised for this document */
  put(id: string, version: number, text: string, old: Place | undefined): IndexWriter[] {
    const changes = this.#changes(id, old, text);
    let n: number;
    if (old) {
      n = old[0];
      this.#update.run(version, text, n);
    } else n = Number(this.#insert.run(id, version, text).lastInsertRowid);
    return applyChanges(changes, id, n);
  }

  remove(id: string, old: Place): void {
    const changes = this.#changes(id, old, undefined);
    this.#remove.run(old[0]);
    applyChanges(changes, id, old[0]);
  }

  /** Computes and checks before anything is written. */
  #changes(id: string, old: Place | undefined, text: string | undefined): IndexChange[] {
    if (this.indexes.length === 0) return [];
    const before = old && this.#read(this.#text.get(old[0]) as string);
    const after = text === undefined ? undefined : this.#read(text);
    return this.indexes.map((index) => index.change(id, before, after));
  }
}

interface IndexChange {
  readonly index: IndexWriter;
  readonly added: readonly Buffer[];
  readonly gone: readonly Buffer[];
  readonly differing: readonly boolean[] | undefined;
}

function applyChanges(changes: readonly IndexChange[], id: string, n: number): IndexWriter[] {
  const raised: IndexWriter[] = [];
  for (const { index, added, gone, differing } of changes) {
    for (const key of gone) index.remove(key, id);
    for (const key of added) index.insert(key, id, n);
    if (differing && index.raise(differing)) raised.push(index);
  }
  return raised;
}

const NOTHING: readonly Buffer[] = [];

/** Writes the rows of one index. */
export class IndexWriter {
  readonly index: StoredIndex;
  /** As in the catalog, raised with the documents that are written. */
  readonly multikey: boolean[];
  readonly rowsOf: ReturnType<typeof indexRowsOf>;
  readonly #insert: Statement<[Buffer, string, number]>;
  readonly #remove: Statement<[Buffer, string]>;
  readonly #other: Statement<[Buffer, string], string>;

  constructor(database: Database, collection: string, index: StoredIndex) {
    const table = indexTable(collection, index.number);
    this.index = index;
    this.multikey = [...index.multikey];
    this.rowsOf = indexRowsOf(index);
    // A build may have put the row there already.
    this.#insert = database.prepare(`INSERT OR IGNORE INTO ${table}(key, id, n) VALUES (?, ?, ?)`);
    this.#remove = database.prepare(`DELETE FROM ${table} WHERE key = ? AND id = ?`);
    this.#other = database
      .prepare<[Buffer, string], string>(`SELECT id FROM ${table} WHERE key = ? AND id <> ? LIMIT 1`)
      .pluck();
  }

  insert(key: Buffer, id: string, n: number): void {
    this.#insert.run(key, id, n);
  }

  remove(key: Buffer, id: string): void {
    this.#remove.run(key, id);
  }

  /** Another document that has this key. */
  other(key: Buffer, id: string): string | undefined {
    return this.#other.get(key, id);
  }

  /** Remembers parts in which a document's tuples differ. @returns whether one is new */
  raise(differing: readonly boolean[]): boolean {
    let changed = false;
    for (const [i, differs] of differing.entries()) {
      if (!differs || this.multikey[i]) continue;
      this.multikey[i] = true;
      changed = true;
    }
    return changed;
  }

  /**
   * What a write changes here.
   *
   * @throws GalleyError `schema_violation` if the index cannot hold the document, `unique_violation`
   */
  change(id: string, before: ObjectValue | undefined, after: ObjectValue | undefined): IndexChange {
    // What is stored was fit, or it would not be stored; what a build finds unfit fails the build.
    const old = before ? (fitRows(this.rowsOf(before))?.keys ?? NOTHING) : NOTHING;
    if (!after) return { index: this, added: NOTHING, gone: old, differing: undefined };
    const rows = this.rowsOf(after);
    const { paths } = this.index.definition;
    if (typeof rows === "string") {
      throw unfitFor(paths, rows);
    }
    const added = keysWithout(rows.keys, old);
    if (this.index.unique && added.some((key) => this.other(key, id) !== undefined)) {
      throw uniqueViolation(paths);
    }
    return { index: this, added, gone: keysWithout(old, rows.keys), differing: rows.differing };
  }
}

function fitRows(rows: IndexRows | string): IndexRows | undefined {
  return typeof rows === "string" ? undefined : rows;
}
