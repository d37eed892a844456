import type { SortKey } from "#protocol/ast";
import { compileFilter } from "#protocol/match";
import type { Cost, IndexDefinition, Position, Query, Row } from "../document-store.ts";
import { type Plan, planQuery } from "../plan.ts";
import { adviseIndex } from "../plan-advice.ts";
import { candidates } from "./candidates.ts";
import type { Collection, StoredIndex } from "./catalog.ts";
import { Expense } from "./expense.ts";
import { needlesOf } from "./prefilter.ts";
import type { Cursor } from "./ranges.ts";
import { type ParseMeter, StoredRow } from "./row.ts";
import type { ReadSession } from "./session.ts";
import type { QueryClock } from "./slices.ts";

/** Documents, and bytes of them, that one statement reads. */
const CHUNK = { documents: 256, bytes: 512 * 1024 };

export interface RunOptions {
  readonly query: Query;
  /** Undefined if the order is of no matter. */
  readonly sort: readonly SortKey[] | undefined;
  readonly collection: Collection;
  /** In its transaction, to which everything here belongs. */
  readonly session: ReadSession;
  readonly clock: QueryClock;
  readonly meter: ParseMeter;
  readonly position: Position;
}

/** One query on one state of the store: how it is planned, what it finds and what it costs. */
export class QueryRun {
  readonly plan: Plan<StoredIndex>;
  readonly session: ReadSession;
  readonly collection: Collection;
  readonly #options: RunOptions;
  readonly #expense: Expense;

  constructor(options: RunOptions) {
    const { query, sort, collection, session } = options;
    this.#options = options;
    this.session = session;
    this.collection = collection;
    this.plan = planQuery(query.filter, sort, collection.indexes);
    this.#expense = new Expense(query.budget.candidates, () => this.#advise());
  }

  /** How many documents the collection holds, and their bytes. */
  get size(): { readonly documents: number; readonly bytes: number } {
    const { session, collection } = this.#options;
    const size = session.prepare<[string], [number, number]>(
      "SELECT documents, bytes FROM _tables WHERE collection = ?",
    );
    const [documents, bytes] = size.get(collection.name) ?? [0, 0];
    return { documents, bytes };
  }

  /** The rows that match, in the plan's order; undefined where it is time to pause. */
  *matches(cursor?: Cursor): Generator<Row | undefined> {
    const { session, collection, clock, meter } = this.#options;
    const { access, residual, repeats } = this.plan;
    const matches = residual.kind === "true" ? undefined : compileFilter(residual);
    const found = candidates(access, {
      session,
      collection: collection.name,
      cursor,
      needles: needlesOf(residual),
      chunk: () => this.#chunk(),
      seen: repeats ? new Set<number>() : undefined,
      expense: this.#expense,
    });
    for (const candidate of found) {
      if (clock.due) yield undefined;
      if (!candidate) continue;
      const row = new StoredRow(candidate[1], candidate[2], candidate[3], meter);
      if (!matches || matches(row.value)) yield row;
    }
  }

  /** What the query has cost so far. */
  cost(): Cost {
    const { kind } = this.plan.access;
    const advice = kind === "index" || kind === "union" || kind === "none" ? undefined : this.#advise();
    return { position: this.#options.position, examined: this.#expense.examined, ...(advice && { advice }) };
  }

  #advise(): IndexDefinition | undefined {
    const { query, sort, collection } = this.#options;
    return adviseIndex(
      query.filter,
      sort,
      collection.indexes.map(({ definition }) => definition),
    );
  }

  #chunk(): number {
    const { documents, bytes } = this.size;
    return Math.max(1, Math.min(CHUNK.documents, Math.floor((CHUNK.bytes * documents) / Math.max(1, bytes))));
  }
}
