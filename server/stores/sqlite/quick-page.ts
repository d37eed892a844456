import type { Statement } from "better-sqlite3";
import type { FindQuery, FindResult, Position } from "../document-store.ts";
import type { PlanMemo } from "../plan-memo.ts";
import type { IndexUse, Plan, PrimaryUse } from "../plan-shape.ts";
import { checkPageSize } from "../query-refusals.ts";
import { type Activity, stampOf } from "./activity.ts";
import { idStatements, indexStatements } from "./candidates.ts";
import type { Catalog, StoredIndex } from "./catalog.ts";
import type { Cursor } from "./ranges.ts";
import { type ParseMeter, StoredRow } from "./row.ts";
import { documentTable, indexTable } from "./schema/tables.ts";
import type { ReadSession } from "./session.ts";

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
  activity,
  catalog,
  known,
  plans,
  meter,
  at,
}: QuickPageOptions): QuickPages {
  /** Of first pages, as long as their plan is remembered. */
  const firstSteps = new WeakMap<Use, { readonly collection: string; readonly steps: readonly Step[] }>();

  /** The state in which the writer was last seen at rest. */
  let rest: (State & { readonly stamp: number }) | undefined;

  function decided(query: FindQuery, from: Catalog | undefined): Use | undefined {
    const collection = from?.collections.get(query.collection);
    return collection && useOf(plans.plan(query.filter, query.sort, collection.indexes));
  }

  function stepsFor({ collection, sort, after }: FindQuery, use: Use): readonly Step[] {
    if (after) return stepsOf(session, collection, use, { sort, after });
    const known = firstSteps.get(use);
    if (known?.collection === collection) return known.steps;
    const steps = stepsOf(session, collection, use, undefined);
    firstSteps.set(use, { collection, steps });
    return steps;
  }

  /** Undefined if the index does not decide it, by this catalog. */
  function read(query: FindQuery, { catalog, sequence }: State): FindResult | undefined {
    const use = decided(query, catalog);
    if (!use) return undefined;
    const most = query.limit + 1;
    const texts = firstTexts(stepsFor(query, use), most);
    checkPageSize(query.budget, charactersOf(texts));
    const rows = texts.slice(0, query.limit).map((text) => new StoredRow(undefined, undefined, text, meter));
    return { rows, more: texts.length === most, position: at(sequence), examined: texts.length };
  }

  /** Reads without a transaction, if the writer rests and the state is known: undefined if either is not so. */
  function readAtRest(query: FindQuery): FindResult | undefined {
    const stamp = stampOf(activity);
    if (stamp === undefined || stamp !== rest?.stamp) return undefined;
    try {
      const page = read(query, rest);
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
      return read(query, state);
    } finally {
      session.end();
    }
  }

  return {
    find(query) {
      if (query.limit >= AT_ONCE || query.limit >= query.budget.candidates) return undefined;
      return decided(query, known()) && (readAtRest(query) ?? readInTransaction(query));
    },
  };
}

/** A state of the store: what exists, and the last commit. */
interface State {
  readonly catalog: Catalog;
  readonly sequence: number;
}

type Use = IndexUse<StoredIndex> | PrimaryUse;

function useOf({ access, residual, ordered, repeats }: Plan<StoredIndex>): Use | undefined {
  if (residual.kind !== "true" || !ordered || repeats) return undefined;
  return access.kind === "index" || access.kind === "primary" ? access : undefined;
}

function charactersOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}

/** A statement that reads one step of a use, and its bounds. */
interface Step {
  readonly select: Statement<unknown[], string>;
  readonly bounds: readonly unknown[];
}

/** The texts of the first documents that the steps find. */
function firstTexts(steps: readonly Step[], most: number): string[] {
  let texts: string[] | undefined;
  for (const { select, bounds } of steps) {
    const found = select.all(...bounds, most - (texts?.length ?? 0));
    if (texts) texts.push(...found);
    else texts = found;
    if (texts.length === most) break;
  }
  return texts ?? [];
}

function stepsOf(session: ReadSession, collection: string, use: Use, cursor: Cursor | undefined): Step[] {
  const documents = documentTable(collection);
  const statements =
    use.kind === "primary"
      ? idStatements(`SELECT data FROM ${documents}`, use, cursor)
      : indexStatements(
          // CROSS JOIN, because SQLite keeps its order: the index leads.
          `SELECT d.data FROM ${indexTable(collection, use.index.number)} AS i CROSS JOIN ${documents} AS d ON d.n = i.n`,
          use,
          cursor,
        );
  return [...statements].map(({ sql, bounds }) => ({ select: session.prepareColumn(`${sql} LIMIT ?`), bounds }));
}
