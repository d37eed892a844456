import type { Node, SortKey } from "#protocol/ast";
import type { Key } from "#protocol/compare";
import { DistinctValues } from "#protocol/distinct";
import { type ErrorCode, GalleyError } from "#protocol/errors";
import { Grouping } from "#protocol/grouping";
import { LIMITS } from "#protocol/limits";
import { compileFilter } from "#protocol/match";
import { compareKeys } from "#protocol/sort";
import { type Document, encodeValue, parseText } from "#protocol/values";
import type { IndexDefinition, Position, Row, Write } from "../../server/stores/document-store.ts";
import { type Change, CollectionState } from "./collection-state.ts";
import { sortedByKey } from "./reference.ts";
import type { QueriedStore } from "./store-side.ts";

/** The parts of a store in which a mistake can be planted. */
export interface MemoryStoreParts {
  readonly compile: (filter: Node) => (document: Document) => boolean;
  /** Whether a row with this key belongs to the pages after the cursor. */
  readonly isAfter: (sort: readonly SortKey[], key: readonly Key[], after: readonly Key[]) => boolean;
  /** What a put keeps of a document's text. */
  readonly keep: (text: string) => string;
  /** What a collection's indexes are taken to be. */
  readonly indexes: (declared: readonly IndexDefinition[]) => readonly IndexDefinition[];
}

const SOUND: MemoryStoreParts = {
  compile: compileFilter,
  isAfter: (sort, key, after) => compareKeys(sort, key, after) > 0,
  keep: (text) => text,
  indexes: (declared) => declared,
};

/**
 * The plainest store there can be: arrays and the evaluator. The generator must find nothing in it, and must find every
 * mistake that is planted in it; so it is the generator that this store tests.
 */
export function createMemoryStore(planted: Partial<MemoryStoreParts> = {}): QueriedStore {
  const parts = { ...SOUND, ...planted };
  const collections = new Map<string, { declared: readonly IndexDefinition[]; state: CollectionState }>();
  const cost = { position: "memory.0" as Position, examined: 0 };
  const matching = (collection: string, filter: Node): Document[] =>
    (collections.get(collection)?.state.documents ?? []).filter(parts.compile(filter));

  return {
    async find({ collection, filter, sort, limit, after }) {
      const keyed = sortedByKey(matching(collection, filter), sort);
      const rest = after ? keyed.filter(({ key }) => parts.isAfter(sort, key, after)) : keyed;
      return { rows: rest.slice(0, limit).map(({ document }) => rowOf(document)), more: rest.length > limit, ...cost };
    },

    async count({ collection, filter, cap }) {
      const found = matching(collection, filter).length;
      return { count: Math.min(found, cap), more: found > cap, ...cost };
    },

    async distinct({ collection, filter, path }) {
      const values = new DistinctValues(path, LIMITS.distinctValues);
      for (const document of matching(collection, filter)) values.add(document);
      return { ...values.result(), ...cost };
    },

    async aggregate({ collection, filter, aggregate }) {
      const grouping = new Grouping(aggregate);
      for (const document of matching(collection, filter)) grouping.add(document);
      return { ...grouping.result(), ...cost };
    },

    async commit(writes) {
      const state = collections.get(writes[0]?.collection ?? "")?.state;
      const [verdict = "ok"] = state?.commit(writes.flatMap(changeOf)) ?? [];
      if (verdict !== "ok") throw refusal(verdict);
      return cost.position;
    },

    async ensureCollection({ name, indexes }) {
      const state = new CollectionState(parts.indexes(indexes));
      for (const put of collections.get(name)?.state.documents ?? []) state.commit([{ put }]);
      collections.set(name, { declared: indexes, state });
    },

    async dropCollection(name) {
      collections.delete(name);
      return cost.position;
    },

    async stats(name) {
      const collection = collections.get(name);
      const indexes = collection?.declared.map((index) => ({ ...index, state: "ready" as const, progress: 1 }));
      return collection && { documents: collection.state.documents.length, bytes: 0, indexes: indexes ?? [] };
    },
  };

  function changeOf(write: Write): Change[] {
    if (write.kind === "check") return [];
    return [write.kind === "delete" ? { delete: write.id } : { put: parseText(parts.keep(write.text)) as Document }];
  }
}

function rowOf(value: Document): Row {
  return { id: value._id, version: value._v, text: encodeValue(value), value };
}

/** Turns a verdict of `CollectionState.commit` back into the error that it words. */
function refusal(verdict: string): GalleyError {
  const [, code, reason, operation] = /^error (\w+)(?: (\w+))? in (\d+)$/.exec(verdict) ?? [];
  return new GalleyError(code as ErrorCode, verdict, {
    operation: Number(operation),
    ...(reason !== undefined && { reason }),
  });
}
