import type { SortKey } from "#protocol/ast";
import type { Key } from "#protocol/compare";
import { decodeCursor, encodeCursor } from "#protocol/cursor";
import { GalleyError } from "#protocol/errors";
import { and } from "#protocol/normalise";
import { sortKeyOf } from "#protocol/sort";
import { type Document, encodeValue } from "#protocol/values";
import type { Budget, DocumentStore, IndexDefinition, Row, Write } from "../../server/stores/document-store.ts";
import type { Change, CollectionState } from "./collection-state.ts";
import { describeError, type Prepared } from "./prepare.ts";
import { countLine, groupLines, placeOf, valueLines } from "./reference.ts";

/** What the generator asks of a store. Any engine is one more of these. */
export type QueriedStore = Pick<
  DocumentStore,
  "find" | "count" | "distinct" | "aggregate" | "commit" | "ensureCollection" | "dropCollection" | "stats"
>;

const BUDGET: Budget = { candidates: Number.POSITIVE_INFINITY, milliseconds: 60_000 };

/** Makes a collection with its indexes, each of them ready to serve. */
export async function declare(store: QueriedStore, name: string, indexes: readonly IndexDefinition[]): Promise<void> {
  await store.ensureCollection({ name, indexes });
  for (;;) {
    const stats = await store.stats(name);
    const states = stats?.indexes.map(({ state }) => state) ?? [];
    if (states.includes("failed")) throw new Error(`an index of ${name} failed: ${JSON.stringify(stats?.indexes)}`);
    if (states.length === indexes.length && states.every((state) => state === "ready")) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Commits, and gives the store's verdict as `CollectionState.commit` words it. */
export async function commitTo(
  store: QueriedStore,
  collection: string,
  changes: readonly Change[],
  state: CollectionState,
): Promise<string> {
  const writes = changes.map((change): Write => {
    if ("delete" in change) {
      return { kind: "delete", collection, id: change.delete, expect: state.versionOf(change.delete) };
    }
    const { _id: id, _v: version } = change.put;
    return { kind: "put", collection, id, expect: state.versionOf(id), version, text: encodeValue(change.put) };
  });
  try {
    await store.commit(writes);
    return "ok";
  } catch (error) {
    if (!(error instanceof GalleyError)) return describeError(error);
    const { reason, operation } = error.details;
    return `${["error", error.code, ...(reason ? [reason] : [])].join(" ")} in ${operation}`;
  }
}

/** A store's answer, as the lines of reference.ts. */
export async function askStore(
  store: QueriedStore,
  collection: string,
  question: Prepared,
  documents: readonly Document[],
): Promise<string[]> {
  try {
    const query = { collection, filter: and(...question.filters), budget: BUDGET };
    switch (question.kind) {
      case "find":
        return await readPages(store, query, question, placeOf(documents, question.sort, question.after));
      case "count": {
        const { count, more } = await store.count({ ...query, cap: question.cap });
        return [countLine(count, more)];
      }
      case "distinct": {
        const { values, more } = await store.distinct({ ...query, path: question.path });
        return valueLines(values, more);
      }
      case "aggregate": {
        const { groups, more } = await store.aggregate({ ...query, aggregate: question.aggregate });
        return groupLines(groups, more);
      }
    }
  } catch (error) {
    return [describeError(error)];
  }
}

type Query = Parameters<DocumentStore["count"]>[0];

async function readPages(
  store: QueriedStore,
  { collection, filter, budget }: Omit<Query, "cap">,
  { sort, limit, pages }: Prepared & { kind: "find" },
  from: Key[] | undefined,
): Promise<string[]> {
  const lines: string[] = [];
  let after = from;
  for (let page = 0; page < pages; page++) {
    const query = { collection, filter, budget, sort, limit, ...(after && { after }) };
    const { rows, more } = await store.find(query);
    lines.push(...rows.map(rowLine));
    if (!more) return [...lines, "end"];
    const last = rows.at(-1);
    if (rows.length !== limit || !last) return [...lines, `a page of ${rows.length} of ${limit} rows, and more`];
    after = throughCursor(sort, last.value);
  }
  return lines;
}

/** A row's text, once it is clear that all parts of the row say the same. */
function rowLine({ id, version, text, value }: Row): string {
  const whole = value._id === id && value._v === version && encodeValue(value) === text;
  return whole ? text : `a row that contradicts itself: ${JSON.stringify({ id, version, text })}`;
}

/** The place of a row as a client sends it back. */
function throughCursor(sort: readonly SortKey[], row: Document): Key[] {
  const keys = sortKeyOf(sort, row);
  if (!keys) throw new Error("a row without a sort key came back");
  const cursor = decodeCursor(encodeCursor(keys, "hash"));
  if (!cursor) throw new Error("a cursor that was just written cannot be read");
  return [...cursor.keys];
}
