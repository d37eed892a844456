import type { FindQuery, FindResult, Position } from "../document-store.ts";
import type { PlanMemo } from "../plan-memo.ts";
import type { Plan } from "../plan-shape.ts";
import { checkPageSize } from "../query-refusals.ts";
import { type Activity, stampOf } from "./activity.ts";
import type { Catalog, StoredIndex } from "./catalog.ts";
import type { FileMapping } from "./file-mapping.ts";
import { type ParseMeter, StoredRow } from "./row.ts";
import type { ReadSession } from "./session.ts";
import { type Use, UseReader } from "./use-reader.ts";

/** Rows that are read in one turn: few enough that even the largest documents fit. */
const AT_ONCE = 101;

/** Pages that an index decides alone, so that every document read is shown: what most requests of an app ask for. */
export interface QuickPages {
  /** The page; undefined if it takes more than that, for whom the page then falls back on a run of its own. */
  find(query: FindQuery): FindResult | undefined;
}

export interface QuickPageOptions {
  /** Not in a transaction, and nobody else's until a call returns. */
  readonly session: ReadSession;
  readonly mapping: FileMapping;
  readonly activity: Activity;
  readonly catalog: (session: ReadSession) => Catalog;
  /** The catalog as it was last read. */
  readonly known: () => Catalog | undefined;
  readonly plans: PlanMemo<StoredIndex>;
  readonly meter: ParseMeter;
  readonly at: (sequence: number) => Position;
}

/** Reads in the caller's turn, with no generator, slice or session to wait for: each costs as much as some rows do. */
export function createQuickPages({
  session,
  mapping,
  activity,
  catalog,
  known,
  plans,
  meter,
  at,
}: QuickPageOptions): QuickPages {
  /** As long as their plans are remembered. */
  const readers = new WeakMap<Use, UseReader>();

  /** The state in which the writer was last seen at rest. */
  let rest: (State & { readonly stamp: number }) | undefined;

  function decided(query: FindQuery, from: Catalog): Use | undefined {
    const collection = from.collections.get(query.collection);
    return collection && useOf(plans.plan(query.filter, query.sort, collection.indexes));
  }

  function readerOf({ collection }: FindQuery, use: Use): UseReader {
    let reader = readers.get(use);
    if (reader?.collection !== collection) {
      reader = new UseReader(session, collection, use);
      readers.set(use, reader);
    }
    return reader;
  }

  /** @param use of the catalog of that state */
  function read(query: FindQuery, use: Use, { sequence }: State): FindResult {
    const most = query.limit + 1;
    const { sort, after } = query;
    const texts = readerOf(query, use).texts(after && { sort, after }, most);
    checkPageSize(query.budget, charactersOf(texts));
    const examined = texts.length;
    const more = examined === most;
    if (more) texts.pop();
    const rows = texts.map((text) => new StoredRow(undefined, undefined, text, meter));
    return { rows, more, position: at(sequence), examined };
  }

  /** Reads without a transaction, if the writer rests and the state is known: undefined if either is not so. */
  function readAtRest(query: FindQuery, use: Use, from: Catalog): FindResult | undefined {
    const stamp = stampOf(activity);
    if (stamp === undefined || stamp !== rest?.stamp || rest.catalog !== from) return undefined;
    try {
      const page = read(query, use, rest);
      return stampOf(activity) === stamp ? page : undefined;
    } catch (error) {
      // What changed meanwhile may be why.
      if (stampOf(activity) === stamp) throw error;
      return undefined;
    }
  }

  function readInTransaction(query: FindQuery): FindResult | undefined {
    const stamp = stampOf(activity);
    try {
      session.begin();
      const state = { catalog: catalog(session), sequence: session.sequence };
      if (stamp !== undefined && stampOf(activity) === stamp) rest = { ...state, stamp };
      const use = decided(query, state.catalog);
      return use && read(query, use, state);
    } finally {
      session.end();
    }
  }

  return {
    find(query) {
      if (query.limit >= AT_ONCE || query.limit >= query.budget.candidates) return undefined;
      const from = known();
      const use = from && decided(query, from);
      if (!use) return undefined;
      mapping.reading(query.limit);
      return readAtRest(query, use, from) ?? readInTransaction(query);
    },
  };
}

/** A state of the store: what exists, and the last commit. */
interface State {
  readonly catalog: Catalog;
  readonly sequence: number;
}

function useOf({ access, residual, ordered, repeats }: Plan<StoredIndex>): Use | undefined {
  if (residual.kind !== "true" || !ordered || repeats) return undefined;
  return access.kind === "index" || access.kind === "primary" ? access : undefined;
}

function charactersOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}
