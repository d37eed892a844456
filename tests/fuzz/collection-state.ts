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
    const faults: string[] = [];
    for (const index of this.#indexes) {
      if (!tuplesOf(pathsOf(index), document)) faults.push("error schema_violation parallel_arrays");
      else if (index.unique && this.#clashes(index, document, stored)) faults.push("error unique_violation");
    }
    return faults;
  }

  #clashes(index: IndexDefinition, document: Document, stored: ReadonlyMap<string, Document>): boolean {
    const own = uniqueKeys(index, document);
    if (own.size === 0) return false;
    for (const other of stored.values()) {
      if (other._id === document._id) continue;
      for (const key of uniqueKeys(index, other)) if (own.has(key)) return true;
    }
    return false;
  }
}

function pathsOf(index: IndexDefinition): (readonly string[])[] {
  return indexKeys(index).map(({ path }) => path);
}

/** The keys that no other document may have: none if a path is missing (query-language.md 8 "Unique"). */
function uniqueKeys(index: IndexDefinition, document: Document): Set<string> {
  const paths = pathsOf(index);
  const whole = paths.every((path) => someValue(document, path, true, (found) => found !== MISSING));
  return new Set(whole ? tuplesOf(paths, document)?.map((tuple) => tuple.map(keyText).join()) : []);
}

function keyText(key: Key): string {
  return key === EMPTY ? "EMPTY" : encodeValue(normalNumbers(key));
}
