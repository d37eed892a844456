import type { Database } from "better-sqlite3";
import { GalleyError } from "#protocol/errors";
import type { Write } from "../document-store.ts";
import { unknownCollection, versionConflict } from "../write-refusals.ts";
import { type Catalog, readCatalog } from "./catalog.ts";
import { sqliteCode } from "./errors.ts";
import type { Refusal } from "./messages.ts";
import { TableWriter } from "./table-writer.ts";

/** Applies groups of commits: one transaction a group, a savepoint a commit of several writes. */
export interface GroupWriter {
  /**
   * The verdicts on the commits, once the group is durable.
   *
   * @throws whatever SQLite threw; `committing` then tells whether COMMIT had been called
   */
  apply(commits: readonly (readonly Write[])[]): (number | Refusal)[];
  readonly committing: boolean;
}

/** What the commits of a group did to one collection's size. */
interface Growth {
  documents: number;
  bytes: number;
}

export function createGroupWriter(database: Database): GroupWriter {
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const savepoint = database.prepare("SAVEPOINT one");
  const release = database.prepare("RELEASE one");
  const undo = database.prepare("ROLLBACK TO one");
  const readState = database
    .prepare<[], [number, number, number]>("SELECT sequence, highest, structure FROM _state")
    .raw();
  const writeState = database.prepare("UPDATE _state SET sequence = ?, highest = ?, structure = structure + ?");
  const grow = database.prepare("UPDATE _tables SET documents = documents + ?, bytes = bytes + ? WHERE collection = ?");
  const raise = database.prepare("UPDATE _indexes SET multikey = ? WHERE collection = ? AND number = ?");

  let catalog: Catalog | undefined;
  const tables = new Map<string, TableWriter>();
  let committing = false;

  /** The tables of a collection; undefined if there is none. */
  function table(collection: string): TableWriter | undefined {
    const known = tables.get(collection);
    if (known) return known;
    catalog ??= readCatalog(database);
    const found = catalog.collections.get(collection);
    if (!found) return undefined;
    const writer = new TableWriter(database, found);
    tables.set(collection, writer);
    return writer;
  }

  function forget(): void {
    catalog = undefined;
    tables.clear();
  }

  function apply(commits: readonly (readonly Write[])[]): (number | Refusal)[] {
    committing = false;
    begin.run();
    try {
      const [sequence, highest, structure] = readState.get() as [number, number, number];
      if (catalog && catalog.structure !== structure) forget();
      let last = sequence;
      let top = highest;
      let raised = 0;
      const group = new Map<string, Growth>();
      const verdicts = commits.map((writes): number | Refusal => {
        const growth = new Map<string, Growth>();
        const raisedBefore = raised;
        // A single write is judged whole before it touches anything, so there is nothing to undo.
        const several = writes.length > 1;
        if (several) savepoint.run();
        try {
          for (const [operation, write] of writes.entries()) raised += applyWrite(write, operation, growth);
        } catch (error) {
          if (sqliteCode(error) !== undefined) throw error;
          if (several) {
            undo.run();
            release.run();
          }
          // Multikey flags are raised in memory as well, and the savepoint does not take those back.
          if (raised > raisedBefore) forget();
          return refusal(error);
        }
        if (several) release.run();
        if (growth.size === 0) return last;
        for (const write of writes) if (write.kind === "put" && write.version > top) top = write.version;
        for (const [collection, { documents, bytes }] of growth) add(group, collection, documents, bytes);
        last += 1;
        return last;
      });
      for (const [collection, { documents, bytes }] of group) grow.run(documents, bytes, collection);
      if (last > sequence) writeState.run(last, top, raised > 0 ? 1 : 0);
      committing = true;
      commit.run();
      return verdicts;
    } catch (error) {
      forget();
      if (database.inTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }

  /** @returns how many indexes had their multikey flags raised */
  function applyWrite(write: Write, operation: number, growth: Map<string, Growth>): number {
    const target = table(write.collection);
    const old = target?.place(write.id);
    if ((old?.[1] ?? 0) !== write.expect) {
      throw versionConflict(write.collection, write.id).with({ operation });
    }
    if (write.kind === "check" || (write.kind === "delete" && !old)) return 0;
    if (!target) {
      throw unknownCollection(write.collection).with({ operation });
    }
    try {
      if (write.kind === "delete") {
        if (old) target.remove(write.id, old);
        add(growth, write.collection, -1, -(old?.[2] ?? 0));
        return 0;
      }
      const raised = target.put(write.id, write.version, write.text, old);
      for (const { index, multikey } of raised) raise.run(JSON.stringify(multikey), write.collection, index.number);
      add(growth, write.collection, old ? 0 : 1, Buffer.byteLength(write.text) - (old?.[2] ?? 0));
      return raised.length;
    } catch (error) {
      throw error instanceof GalleyError ? error.with({ operation }) : error;
    }
  }

  return {
    apply,
    get committing() {
      return committing;
    },
  };
}

function add(growth: Map<string, Growth>, collection: string, documents: number, bytes: number): void {
  const found = growth.get(collection);
  if (found) {
    found.documents += documents;
    found.bytes += bytes;
  } else growth.set(collection, { documents, bytes });
}

/** Why one commit was refused, by the transaction that also undid it: that is proof that it was not applied. */
function refusal(error: unknown): Refusal {
  if (error instanceof GalleyError) {
    return { code: error.code, message: error.message, details: { ...error.details, outcome: "not_applied" } };
  }
  const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: "internal", message: "the store failed to write", details: { outcome: "not_applied" }, cause };
}
