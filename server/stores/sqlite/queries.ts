import type { Database } from "better-sqlite3";
import { aggregatePaths } from "#protocol/aggregate";
import type { SortKey } from "#protocol/ast";
import { DistinctValues } from "#protocol/distinct";
import { Grouping } from "#protocol/grouping";
import { LIMITS } from "#protocol/limits";
import { memberReader } from "#protocol/members-of-text";
import type {
  Aggregated,
  Cost,
  Counted,
  Distinct,
  DocumentStore,
  FindQuery,
  FindResult,
  Position,
  Query,
} from "../document-store.ts";
import { createPlanMemo } from "../plan-memo.ts";
import { tooManyGroups } from "../query-refusals.ts";
import type { Activity } from "./activity.ts";
import type { StoredIndex } from "./catalog.ts";
import { countRows } from "./exact-count.ts";
import type { FileMapping } from "./file-mapping.ts";
import { pageOf } from "./page.ts";
import { QueryRun } from "./query-run.ts";
import { createQuickPages } from "./quick-page.ts";
import type { ParseMeter } from "./row.ts";
import { createSessionPool, ReadSession } from "./session.ts";
import { createSlices, QueryClock, type Work } from "./slices.ts";

/** Reads of many documents, each from one state of the store. */
export interface Queries extends Pick<DocumentStore, "count" | "distinct" | "aggregate"> {
  /** At once where it can: a promise would cost a small page a turn. */
  find(query: FindQuery): FindResult | Promise<FindResult>;
  /** Ends when the queries under way have ended. */
  close(): Promise<void>;
}

/** Questions that read at once; reads at a position have sessions of their own, which no slow question holds. */
const SESSIONS = { now: 8, positioned: 4 };

export interface QueriesOptions {
  readonly file: string;
  /** For what is read in one turn; larger questions open connections of their own. */
  readonly database: Database;
  readonly mapping: FileMapping;
  readonly activity: Activity;
  readonly meter: ParseMeter;
  readonly at: (sequence: number) => Position;
}

export function createQueries({ file, database, mapping, activity, meter, at }: QueriesOptions): Queries {
  const pool = createSessionPool(file, SESSIONS.now);
  const positioned = createSessionPool(file, SESSIONS.positioned);
  const slices = createSlices();
  const plans = createPlanMemo<StoredIndex>();
  const { catalog, known } = pool;
  const session = new ReadSession(database);
  const quick = createQuickPages({ session, mapping, activity, catalog, known, plans, meter, at });

  /** Begins a read transaction and works in it; `empty` answers for a collection that does not exist. */
  async function read<T>(
    query: Query,
    sort: readonly SortKey[] | undefined,
    work: (run: QueryRun) => Work<T>,
    empty: (cost: Cost) => T,
  ): Promise<T> {
    const clock = new QueryClock(query.budget);
    const from = query.at === undefined ? pool : positioned;
    const taken = from.take(clock);
    const session = taken instanceof ReadSession ? taken : await taken;
    try {
      const collection = from.catalog(session).collections.get(query.collection);
      if (!collection) return empty({ position: at(session.sequence), examined: 0 });
      const run = new QueryRun({
        query,
        sort,
        collection,
        session,
        clock,
        plans,
        meter,
        position: at(session.sequence),
      });
      return await slices.run(work(run), clock);
    } finally {
      from.give(session);
    }
  }

  return {
    find: (query) =>
      quick.find(query) ??
      read<FindResult>(
        query,
        query.sort,
        function* (run) {
          const gather = () => pageOf(query, run.plan, (cursor) => run.matches(cursor));
          let page = yield* gather();
          if (run.overtaken) page = yield* gather();
          return { ...page, ...run.cost() };
        },
        (cost) => ({ rows: [], more: false, ...cost }),
      ),
    count: (query) =>
      read<Counted>(
        query,
        undefined,
        function* (run) {
          const exact = yield* countRows(run, query.cap + 1);
          let count = exact ?? 0;
          if (exact === undefined) {
            for (const row of run.matches()) {
              if (row === undefined) yield;
              else if (++count > query.cap) break;
            }
          }
          return { count: Math.min(count, query.cap), more: count > query.cap, ...run.cost() };
        },
        (cost) => ({ count: 0, more: false, ...cost }),
      ),
    distinct: (query) =>
      read<Distinct>(
        query,
        undefined,
        function* (run) {
          const values = new DistinctValues(query.path, LIMITS.distinctValues);
          const read = memberReader([query.path]);
          for (const row of run.matches()) {
            if (row === undefined) yield;
            else values.add(read(row.text));
          }
          return { ...values.result(), ...run.cost() };
        },
        (cost) => ({ values: [], more: false, ...cost }),
      ),
    aggregate: (query) =>
      read<Aggregated>(
        query,
        undefined,
        function* (run) {
          const grouping = new Grouping(query.aggregate);
          const read = memberReader(aggregatePaths(query.aggregate));
          for (const row of run.matches()) {
            if (row === undefined) yield;
            else if (!grouping.add(read(row.text))) throw tooManyGroups();
          }
          return { ...grouping.result(), ...run.cost() };
        },
        (cost) => ({ ...new Grouping(query.aggregate).result(), ...cost }),
      ),
    async close() {
      await Promise.all([pool.close(), positioned.close()]);
    },
  };
}
