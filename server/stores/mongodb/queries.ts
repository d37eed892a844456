import type { Timestamp } from "mongodb";
import type { SortKey } from "#protocol/ast";
import { DistinctValues } from "#protocol/distinct";
import { Grouping } from "#protocol/grouping";
import { LIMITS } from "#protocol/limits";
import type { Cost, DocumentStore, Position, Query } from "../document-store.ts";
import { tooManyGroups } from "../query-refusals.ts";
import { createCandidateCounter } from "./candidate-count.ts";
import type { IndexedCollection } from "./collection-plan.ts";
import type { Connection } from "./connect.ts";
import { readError } from "./errors.ts";
import { QueryRun } from "./query-run.ts";
import { createReadAttempts } from "./read-attempts.ts";
import { ReadClock } from "./read-clock.ts";
import type { ReadMeter } from "./rows.ts";
import { Snapshot } from "./snapshot.ts";

export interface QueriesOptions {
  readonly connection: Connection;
  readonly catalog: {
    get(collection: string): IndexedCollection | undefined;
    refresh(collection: string): Promise<unknown>;
  };
  /** The position of a state of the database. */
  readonly positionAt: (time: Timestamp) => Position;
  /** A position at which all that was confirmed is visible, for answers that need no read. */
  readonly position: () => Position;
  readonly meter: ReadMeter;
}

/** Reads of many documents, each from one state of the database. */
export type Queries = Pick<DocumentStore, "find" | "count" | "distinct" | "aggregate">;

export function createQueries(options: QueriesOptions): Queries {
  const { connection, catalog, positionAt, position, meter } = options;
  const counter = createCandidateCounter(connection);
  const attempts = createReadAttempts(connection, catalog);

  /** Reads one state; `empty` answers where there is nothing to be read. */
  async function read<T>(
    query: Query,
    sort: readonly SortKey[] | undefined,
    work: (run: QueryRun) => Promise<T>,
    empty: () => T,
  ): Promise<T & Cost> {
    const clock = new ReadClock(query.budget);
    try {
      clock.check();
      return await attempts.run(query.collection, clock, async (collection) => {
        if (!collection || query.filter.kind === "false") return { ...empty(), position: position(), examined: 0 };
        const snapshot = new Snapshot(connection, collection.name, clock);
        try {
          const run = new QueryRun({ query, sort, collection, snapshot, clock, meter, counter });
          const result = await work(run);
          const { time } = snapshot;
          return { ...result, ...run.cost(time ? positionAt(time) : position()) };
        } finally {
          await snapshot.end();
        }
      });
    } catch (error) {
      throw readError(error);
    }
  }

  return {
    find: (query) =>
      read(
        query,
        query.sort,
        async (run) => {
          const { rows, more } = await run.page(query);
          return { rows, more };
        },
        () => ({ rows: [], more: false }),
      ),
    count: (query) =>
      read(
        query,
        undefined,
        async (run) => {
          let count = 0;
          for await (const rows of run.firstRows(query.cap + 1)) {
            count += rows.length;
            if (count > query.cap) break;
          }
          return { count: Math.min(count, query.cap), more: count > query.cap };
        },
        () => ({ count: 0, more: false }),
      ),
    distinct: (query) =>
      read(
        query,
        undefined,
        async (run) => {
          const values = new DistinctValues(query.path, LIMITS.distinctValues);
          for await (const rows of run.rows()) for (const { value } of rows) values.add(value);
          return values.result();
        },
        () => ({ values: [], more: false }),
      ),
    aggregate: (query) =>
      read(
        query,
        undefined,
        async (run) => {
          const grouping = new Grouping(query.aggregate);
          for await (const rows of run.rows()) {
            for (const { value } of rows) if (!grouping.add(value)) throw tooManyGroups();
          }
          return grouping.result();
        },
        () => new Grouping(query.aggregate).result(),
      ),
  };
}
