import { EMPTY, type Key, MISSING } from "#protocol/compare";
import { normalNumbers } from "#protocol/normal-numbers";
import { someValue } from "#protocol/paths";
import { tuplesOf } from "#protocol/tuples";
import { type Document, encodeValue } from "#protocol/values";
import type { IndexDefinition } from "../../server/stores/document-store.ts";
import { indexKeys } from "../../server/stores/plan.ts";

export type Change = { readonly put: Document } | { readonly delete: string };

/** What is stored in one collection by the laws of the port, over plain data. */
export class CollectionState {
  readonly #indexes: readonly IndexDefinition[];
  #documents = new Map<string, Document>();

  constructor(indexes: readonly IndexDefinition[]) {
    this.#indexes = indexes;
  }

  get documents(): Document[] {
    return [...this.#documents.values()];
  }

  versionOf(id: string): number {
    return this.#documents.get(id)?._v ?? 0;
  }

  /**
   * Applies all changes, or none.
   *
   * @returns the verdicts that a store may give: `ok` alone, or each fault found, since a store may check in any order
   */
  commit(changes: readonly Change[]): string[] {
    const next = new Map(this.#documents);
    const verdicts: string[] = [];
    for (const [operation, change] of changes.entries()) {
      if ("delete" in change) next.delete(change.delete);
      else {
        verdicts.push(...this.#faults(change.put, next).map((fault) => `${fault} in ${operation}`));
        next.set(change.put._id, change.put);
      }
    }
    if (verdicts.length > 0) return verdicts;
    this.#documents = next;
    return ["ok"];
  }

  #faults(document: Document, stored: ReadonlyMap<string, Document>): string[] {
    return this.#indexes.flatMap((index) => {
      // A unique index does not look at a document that takes no part.
      if (index.unique && !takesPart(index, document)) return [];
      if (!tuplesOf(pathsOf(index), document)) return ["error schema_violation parallel_arrays"];
      return index.unique && this.#clashes(index, document, stored) ? ["error unique_violation"] : [];
    });
  }

  #clashes(index: IndexDefinition, document: Document, stored: ReadonlyMap<string, Document>): boolean {
    const own = new Set(uniqueKeys(index, document));
    for (const other of stored.values()) {
      if (other._id === document._id || !takesPart(index, other)) continue;
      if (uniqueKeys(index, other).some((key) => own.has(key))) return true;
    }
    return false;
  }
}

function pathsOf(index: IndexDefinition): (readonly string[])[] {
  return indexKeys(index).map(({ path }) => path);
}

/** Whether each path of a unique index yields a value (query-language.md 8 "Unique"). */
function takesPart(index: IndexDefinition, document: Document): boolean {
  return pathsOf(index).every((path) => someValue(document, path, true, (found) => found !== MISSING));
}

/** The keys that no other document may have. */
function uniqueKeys(index: IndexDefinition, document: Document): string[] {
  return tuplesOf(pathsOf(index), document)?.map((tuple) => tuple.map(keyText).join()) ?? [];
}

function keyText(key: Key): string {
  return key === EMPTY ? "EMPTY" : encodeValue(normalNumbers(key));
}
