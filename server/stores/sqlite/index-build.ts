import type { Database } from "better-sqlite3";
import { memberReader } from "#protocol/members-of-text";
import { readCatalog } from "./catalog.ts";
import { documentTable, indexTable } from "./schema/tables.ts";
import { chunkSize, readSize } from "./size.ts";
import { Leftovers, raiseStructure } from "./structure.ts";
import { IndexWriter } from "./table-writer.ts";

/** Documents, and bytes of them, read at once. */
const CHUNK = { documents: 32, bytes: 256 * 1024 };
/** Pairs of clashing ids that a failed unique index names. */
const PAIRS = 10;

interface Unfinished {
  collection: string;
  number: number;
  reached: number;
  reason: string | null;
  duplicates: string | null;
}

/**
 * Builds indexes, a few milliseconds at a time: walks the documents by row number and puts each into the index. Writes
 * keep an index from the moment it exists, so what the walk has not reached yet may be there already. How far it came is
 * stored with what it did, in one transaction: a kill loses nothing, the next start goes on.
 *
 * @returns whether there is more to do
 */
export function buildIndexes(database: Database, milliseconds: number): boolean {
  const unfinished = database
    .prepare<[], Unfinished>("SELECT * FROM _indexes WHERE state = 'building' ORDER BY collection, number LIMIT 1")
    .get();
  if (!unfinished) return false;
  database.transaction(() => buildSome(database, unfinished, performance.now() + milliseconds)).immediate();
  return true;
}

function buildSome(database: Database, unfinished: Unfinished, end: number): void {
  const { collection, number } = unfinished;
  const catalog = readCatalog(database);
  const index = catalog.collections.get(collection)?.indexes.find((each) => each.number === number);
  if (!index) return;
  const writer = new IndexWriter(database, collection, index);
  const members = memberReader(index.keys.map(({ path }) => path));
  const chunk = chunkSize(readSize(database, collection), CHUNK);
  const read = database.prepare<[number], { n: number; id: string; data: string }>(
    `SELECT n, id, data FROM ${documentTable(collection)} WHERE n > ? ORDER BY n LIMIT ${chunk}`,
  );
  const duplicates = JSON.parse(unfinished.duplicates ?? "[]") as string[][];
  let { reached, reason } = unfinished;
  let raised = false;
  let ended = false;
  while (!ended && performance.now() < end) {
    const documents = read.all(reached);
    for (const { n, id, data } of documents) {
      reached = n;
      const rows = writer.rowsOf(members(data));
      if (typeof rows === "string") {
        reason = `the document ${JSON.stringify(id)} cannot be indexed: ${rows}`;
        ended = true;
        break;
      }
      for (const key of rows.keys) {
        const other = index.unique ? writer.other(key, id) : undefined;
        if (other === undefined) writer.insert(key, id, n);
        else if (duplicates.length < PAIRS) duplicates.push([other, id]);
      }
      if (rows.differing && writer.raise(rows.differing)) raised = true;
    }
    if (documents.length < chunk || duplicates.length === PAIRS) ended = true;
  }
  if (duplicates.length > 0) reason = "some documents have the same values, which are to be unique";
  const state = !ended ? "building" : reason ? "failed" : "ready";
  database
    .prepare(
      `UPDATE _indexes SET state = ?, reached = ?, multikey = ?, reason = ?, duplicates = ?
       WHERE collection = ? AND number = ?`,
    )
    .run(
      state,
      reached,
      JSON.stringify(writer.multikey),
      reason,
      duplicates.length > 0 ? JSON.stringify(duplicates) : null,
      collection,
      number,
    );
  if (state === "failed") new Leftovers(database, catalog.structure).rename(indexTable(collection, number), "i");
  if (state !== "building" || raised) raiseStructure(database);
}
