import type { Timestamp } from "mongodb";
import { aggregatePaths } from "#protocol/aggregate";
import type { SortKey } from "#protocol/ast";
import { DistinctValues } from "#protocol/distinct";
import { Grouping } from "#protocol/grouping";
import { LIMITS } from "#protocol/limits";
import { memberReader } from "#protocol/members-of-text";
import type { Cost, DocumentStore, Position, Query } from "../document-store.ts";
import { tooManyGroups } from "../query-refusals.ts";
import { createCandidateCounter } from "./candidate-count.ts";
import type { IndexedCollection } from "./collection-plan.ts";
import type { Connection } from "./connect.ts";
import { readError } from "./errors.ts";
import { createPositionedReads, type PositionedReadsOptions } from "./positioned-reads.ts";
import { timeOf } from "./positions.ts";
import { QueryRun } from "./query-run.ts";
import { createReadAttempts, type KnownCollections } from "./read-attempts.ts";
import { ReadClock } from "./read-clock.ts";
import type { ReadMeter } from "./rows.ts";
import { Snapshot } from "./snapshot.ts";

export interface QueriesOptions {
  readonly connection: Connection;
  readonly catalog: KnownCollections;
  /** The position of a state of the database. */
  readonly positionAt: (time: Timestamp) => Position;
  readonly order: PositionedReadsOptions["order"] & Pick<DocumentStore, "position">;
  readonly meter: ReadMeter;
}

/** Reads of many documents, each from one state of the database. */
export type Queries = Pick<DocumentStore, "find" | "count" | "distinct" | "aggregate">;

export function createQueries({ connection, catalog, positionAt, order, meter }: QueriesOptions): Queries {
  const counter = createCandidateCounter(connection);
  const attempts = createReadAttempts(connection, catalog);
  const positioned = {
    counter: createCandidateCounter({ db: (collection) => connection.positioned.db(collection) }),
    reads: createPositionedReads({ connection, catalog, order }),
  };

  /** Reads one state; `empty` answers where there is nothing to be read. */
  async function read<T>(
    query: Query,
    sort: readonly SortKey[] | undefined,
    work: (run: QueryRun) => Promise<T>,
    empty: () => T,
  ): Promise<T & Cost> {
    const clock = new ReadClock(query.budget);
    const nothing = (position: Position) => ({ ...empty(), position, examined: 0 });
    /** @param at undefined: of now */
    const look = async (collection: IndexedCollection, at?: Position) => {
      const clients = at === undefined ? connection : connection.positioned;
      const time = at === undefined ? undefined : timeOf(at);
      const snapshot = new Snapshot({ connection, clients, collection: collection.name, clock, at: time });
      try {
        const counting = at === undefined ? counter : positioned.counter;
        const run = new QueryRun({ query, sort, collection, snapshot, clock, meter, counter: counting });
        const result = await work(run);
        const read = at ?? (snapshot.time ? positionAt(snapshot.time) : order.position());
        return { ...result, ...run.cost(read) };
      } finally {
        await snapshot.end();
      }
    };
    try {
      clock.check();
      const { at } = query;
      if (at !== undefined) return await positioned.reads.run({ ...query, at }, clock, look, nothing);
      return await attempts.run(query.collection, clock, async (collection) =>
        collection && query.filter.kind !== "false" ? look(collection) : nothing(order.position()),
      );
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
          const read = memberReader([query.path]);
          for await (const rows of run.rows()) for (const { text } of rows) values.add(read(text));
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
          const read = memberReader(aggregatePaths(query.aggregate));
          for await (const rows of run.rows()) {
            for (const { text } of rows) if (!grouping.add(read(text))) throw tooManyGroups();
          }
          return grouping.result();
        },
        () => new Grouping(query.aggregate).result(),
      ),
  };
}
