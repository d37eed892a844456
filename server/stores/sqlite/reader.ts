import type { Database, Statement } from "better-sqlite3";
import type { Row } from "../document-store.ts";
import { isMissingTable } from "./errors.ts";
import type { FileMapping } from "./file-mapping.ts";
import { type ParseMeter, StoredRow } from "./row.ts";
import { documentTable } from "./schema/tables.ts";

/** Point reads: one prepared statement a collection, on a connection that nothing else holds up. */
export interface PointReader {
  get(collection: string, ids: readonly string[]): (Row | undefined)[];
}

type Found = [version: number, text: string];

export function createPointReader(database: Database, mapping: FileMapping, meter: ParseMeter): PointReader {
  const statements = new Map<string, Statement<[string], Found>>();
  const begin = database.prepare("BEGIN");
  const end = database.prepare("COMMIT");

  function statement(collection: string): Statement<[string], Found> {
    const known = statements.get(collection);
    if (known) return known;
    const made = database
      .prepare<[string], Found>(`SELECT v, data FROM ${documentTable(collection)} WHERE id = ?`)
      .raw();
    statements.set(collection, made);
    return made;
  }

  function one(select: Statement<[string], Found>, id: string): Row | undefined {
    const found = select.get(id);
    return found && new StoredRow(id, found[0], found[1], meter);
  }

  return {
    get(collection, ids) {
      mapping.reading(ids.length);
      try {
        const select = statement(collection);
        if (ids.length === 1) return [one(select, ids[0] as string)];
        // Several rows are of one state.
        begin.run();
        try {
          return ids.map((id) => one(select, id));
        } finally {
          end.run();
        }
      } catch (error) {
        if (!isMissingTable(error)) throw error;
        statements.delete(collection);
        return ids.map(() => undefined);
      }
    },
  };
}
