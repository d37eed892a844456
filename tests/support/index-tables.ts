import type { Node, SortKey } from "#protocol/ast";
import type { Key } from "#protocol/compare";
import { compareStrings, MISSING } from "#protocol/compare";
import { compileFilter } from "#protocol/match";
import { someValue } from "#protocol/paths";
import { sortKeyOf } from "#protocol/sort";
import { tuplesOf } from "#protocol/tuples";
import type { ObjectValue } from "#protocol/values";
import type { IndexDefinition } from "../../server/stores/document-store.ts";
import { encodeTuple } from "../../server/stores/key-encoding.ts";
import { differingParts, indexKeys } from "../../server/stores/plan.ts";
import type { Access, IndexFacts, Plan } from "../../server/stores/plan-shape.ts";
import type { Cursor, IdScan, IndexScan } from "../../server/stores/sqlite/ranges.ts";
import { idScan, indexScan } from "../../server/stores/sqlite/ranges.ts";

export interface Stored extends ObjectValue {
  readonly _id: string;
}

interface Row {
  readonly key: Buffer;
  readonly id: string;
}

/** One index over some documents, as a table would hold it. */
export interface IndexTable extends IndexFacts {
  readonly rows: readonly Row[];
}

/** Builds an index; undefined if it refuses one of the documents (parallel arrays). */
export function indexTable(definition: IndexDefinition, documents: readonly Stored[]): IndexTable | undefined {
  const keys = indexKeys(definition);
  const unique = definition.unique ?? false;
  const paths = keys.map(({ path }) => path);
  const directions = keys.map(({ descending }) => descending);
  const multikey = keys.map(() => false);
  const rows = new Map<string, Row>();
  for (const document of documents) {
    const tuples = tuplesOf(paths, document);
    if (!tuples) return undefined;
    const exists = paths.every((path) => someValue(document, path, true, (found) => found !== MISSING));
    if (unique && !exists) continue;
    for (const [i, differs] of differingParts(tuples).entries()) if (differs) multikey[i] = true;
    for (const tuple of tuples) {
      const key = encodeTuple(tuple, directions);
      rows.set(`${key.toString("hex")} ${document._id}`, { key, id: document._id });
    }
  }
  const down = directions.at(-1) ? -1 : 1;
  const sorted = [...rows.values()].sort((a, b) => a.key.compare(b.key) || compareStrings(a.id, b.id) * down);
  return { keys, unique, ready: true, multikey, rows: sorted };
}

/** The ids that a plan's access finds, in the order in which it finds them, repeated ones included. */
export function idsOf(access: Access<IndexTable>, documents: readonly Stored[], cursor?: Cursor): string[] {
  switch (access.kind) {
    case "none":
      return [];
    case "scan":
      return documents.map(({ _id }) => _id);
    case "primary":
      return readIds(idScan(access, cursor), documents);
    case "index":
      return readIndex(indexScan(access, cursor), access.index.rows);
    case "union":
      return access.of.flatMap((use) => idsOf(use, documents));
  }
}

function readIndex({ steps, backward, idsDescending }: IndexScan, rows: readonly Row[]): string[] {
  const ordered = backward ? rows.toReversed() : rows;
  return steps.flatMap((step) => {
    const found = ordered.filter(({ key, id }) => {
      if (step.kind === "range") return key.compare(step.from) >= 0 && key.compare(step.to) < 0;
      return key.equals(step.key) && compareStrings(id, step.id) * (idsDescending ? -1 : 1) > 0;
    });
    return found.map(({ id }) => id);
  });
}

function readIds({ steps, backward }: IdScan, documents: readonly Stored[]): string[] {
  const ids = documents.map(({ _id }) => _id).sort(compareStrings);
  if (backward) ids.reverse();
  return steps.flatMap(({ from, to }) => ids.filter((id) => id >= from && id < to));
}

/** The ids that a plan answers in all: its candidates, the residual evaluated, repeated ones dropped. */
export function answer(plan: Plan<IndexTable>, documents: readonly Stored[], cursor?: Cursor): string[] {
  const byId = new Map(documents.map((document) => [document._id, document]));
  const accepts = compileFilter(plan.residual);
  const ids = idsOf(plan.access, documents, cursor).filter((id) => accepts(byId.get(id) as Stored));
  return [...new Set(ids)];
}

/** A document's place under a sort; these tests sort only where there is one. */
export function placeOf(sort: readonly SortKey[], document: Stored): Key[] {
  const key = sortKeyOf(sort, document);
  if (!key) throw new Error(`parallel arrays in ${document._id}`);
  return key;
}

export function matching(filter: Node, documents: readonly Stored[]): Stored[] {
  return documents.filter(compileFilter(filter));
}
