import type { Binary, Document } from "mongodb";
import { type ObjectValue, parseText } from "#protocol/values";
import type { Write } from "../document-store.ts";
import { unknownCollection, versionConflict } from "../write-refusals.ts";
import type { Catalog, MongoCollection } from "./catalog.ts";
import { COMMITS, HIDDEN } from "./commit-marker.ts";
import { toBson } from "./values.ts";
import { versionFilter } from "./version-filter.ts";
import { fitFault } from "./write-faults.ts";

/** One command of a transaction: statements of one kind on one collection, each for the write with this number. */
export interface Step {
  readonly kind: "insert" | "update" | "delete";
  readonly collection: MongoCollection;
  readonly items: { readonly operation: number; readonly statement: Document }[];
  /** Characters of texts in it. */
  characters: number;
}

/** What a commit asks of MongoDB, and what it is refused for once all steps before went well. */
export interface TransactionPlan {
  readonly steps: readonly Step[];
  readonly refusal: { readonly operation: number; readonly error: Error } | undefined;
  /** Whether the last write is a document that says by itself that it is the last. */
  readonly ended: boolean;
}

/** Characters of texts in one command, which may have 48 MB. */
const MOST_CHARACTERS = 4 * 1024 * 1024;

/**
 * Turns writes into commands, in order. Neighbours of one kind and collection share one.
 *
 * @param values what texts of puts say, where it is at hand
 * @param commit the commit's id, which checks and its last document bear
 * @param apart every write in a command of its own: then it is certain which one was refused
 */
export async function planTransaction(
  writes: readonly Write[],
  values: readonly (ObjectValue | undefined)[],
  commit: string,
  catalog: Catalog,
  apart: boolean,
): Promise<TransactionPlan> {
  const steps: Step[] = [];

  function add(
    kind: Step["kind"],
    collection: MongoCollection,
    operation: number,
    statement: Document,
    characters = 0,
  ) {
    const last = steps.at(-1);
    const fits = !apart && last && last.characters + characters <= MOST_CHARACTERS;
    if (fits && last.kind === kind && last.collection === collection) {
      last.items.push({ operation, statement });
      last.characters += characters;
    } else steps.push({ kind, collection, items: [{ operation, statement }], characters });
  }

  /** A write that changes nothing still has to meet with other writers: reads do not (query-language.md 9.4). */
  function demand(collection: MongoCollection, operation: number, { id, expect }: Write): void {
    if (expect > 0) {
      add("update", collection, operation, { q: versionFilter(id, expect), u: { $set: { [HIDDEN]: commit } } });
      return;
    }
    add("insert", collection, operation, { _id: id, [HIDDEN]: commit });
    add("delete", collection, operation, { q: { _id: id }, limit: 1 });
  }

  let ended = false;
  for (const [operation, write] of writes.entries()) {
    const { id, expect } = write;
    const collection = catalog.get(write.collection) ?? (await catalog.refresh(write.collection));
    if (!collection) {
      if (expect > 0) return { steps, refusal: { operation, error: versionConflict(write.collection, id) }, ended };
      if (write.kind !== "put") continue;
      return { steps, refusal: { operation, error: unknownCollection(write.collection) }, ended };
    }
    if (write.kind === "check" || (write.kind === "delete" && expect === 0)) {
      demand(collection, operation, write);
      continue;
    }
    if (write.kind === "delete") {
      add("delete", collection, operation, { q: versionFilter(id, expect), limit: 1 });
      continue;
    }
    const value = values[operation] ?? (parseText(write.text) as ObjectValue);
    const error = fitFault(collection, value);
    if (error) {
      demand(collection, operation, write);
      return { steps, refusal: { operation, error }, ended };
    }
    ended = operation === writes.length - 1 && write.collection === COMMITS;
    const document = ended ? { ...toBson(value), [HIDDEN]: commit } : toBson(value);
    const { length } = write.text;
    if (expect === 0) add("insert", collection, operation, document, length);
    else add("update", collection, operation, { q: versionFilter(id, expect), u: document }, length);
  }
  return { steps, refusal: undefined, ended };
}

/** The command of a step. */
export function commandOf({ kind, collection, items }: Step): Document {
  const statements = items.map(({ statement }) => statement);
  const collectionUUID: Binary = collection.uuid;
  const name = collection.name;
  switch (kind) {
    case "insert":
      return { insert: name, documents: statements, collectionUUID };
    case "update":
      return { update: name, updates: statements, collectionUUID };
    case "delete":
      return { delete: name, deletes: statements, collectionUUID };
  }
}
