import type { Database } from "better-sqlite3";
import type { SortKey } from "#protocol/ast";
import type { IndexDefinition, IndexStats } from "../document-store.ts";
import { indexKeys } from "../plan.ts";
import type { IndexFacts } from "../plan-shape.ts";

/** What exists: the collections and their indexes, as of one count of `_state.structure`. */
export interface Catalog {
  readonly structure: number;
  readonly collections: ReadonlyMap<string, Collection>;
}

export interface Collection {
  readonly name: string;
  readonly indexes: readonly StoredIndex[];
}

/** An index as the planner and the writer see it. */
export interface StoredIndex extends IndexFacts {
  readonly number: number;
  readonly definition: IndexDefinition;
  readonly state: IndexStats["state"];
}

interface IndexRecord {
  collection: string;
  number: number;
  paths: string;
  is_unique: number;
  state: IndexStats["state"];
  multikey: string;
}

/** Reads the catalog within the transaction that is open, or else as it is now. */
export function readCatalog(database: Database): Catalog {
  const structure = database.prepare<[], number>("SELECT structure FROM _state").pluck().get() ?? 0;
  const names = database.prepare<[], string>("SELECT collection FROM _tables").pluck().all();
  const indexes = new Map<string, StoredIndex[]>(names.map((name) => [name, []]));
  const records = database.prepare<[], IndexRecord>("SELECT * FROM _indexes ORDER BY collection, number").all();
  for (const record of records) indexes.get(record.collection)?.push(toIndex(record));
  const collections = new Map(names.map((name) => [name, { name, indexes: indexes.get(name) ?? [] }]));
  return { structure, collections };
}

function toIndex(record: IndexRecord): StoredIndex {
  const unique = record.is_unique === 1;
  const definition: IndexDefinition = { paths: JSON.parse(record.paths) as string[], ...(unique && { unique }) };
  const keys: readonly SortKey[] = indexKeys(definition);
  const multikey = JSON.parse(record.multikey) as boolean[];
  return {
    number: record.number,
    definition,
    keys,
    unique,
    state: record.state,
    ready: record.state === "ready",
    multikey,
  };
}

/** Whether two definitions ask for the same index. */
export function sameIndex(a: IndexDefinition, b: IndexDefinition): boolean {
  return (a.unique ?? false) === (b.unique ?? false) && a.paths.join(",") === b.paths.join(",");
}
