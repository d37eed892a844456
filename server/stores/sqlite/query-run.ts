import type { SortKey } from "#protocol/ast";
import { compileTextFilter } from "#protocol/members-of-text";
import type { Cost, IndexDefinition, Position, Query, Row } from "../document-store.ts";
import { adviseIndex } from "../plan-advice.ts";
import type { PlanMemo } from "../plan-memo.ts";
import type { Plan } from "../plan-shape.ts";
import { candidates } from "./candidates.ts";
import type { Collection, StoredIndex } from "./catalog.ts";
import { countReads } from "./exact-count.ts";
import { Expense } from "./expense.ts";
import { needlesOf } from "./prefilter.ts";
import type { Cursor } from "./ranges.ts";
import { type ParseMeter, StoredRow } from "./row.ts";
import type { ReadSession } from "./session.ts";
import { chunkSize, readSize, type Size } from "./size.ts";
import type { QueryClock } from "./slices.ts";

/** Documents, and bytes of them, that one statement reads. */
const CHUNK = { documents: 256, bytes: 512 * 1024 };

const PATIENCE = 500;
/** Beyond this many documents no other plan is thought of. */
const MOST_READS = 100_000;

export interface RunOptions {
  readonly query: Query;
  /** Undefined if the order is of no matter. */
  readonly sort: readonly SortKey[] | undefined;
  readonly collection: Collection;
  /** In its transaction, to which everything here belongs. */
  readonly session: ReadSession;
  readonly clock: QueryClock;
  readonly plans: PlanMemo<StoredIndex>;
  readonly meter: ParseMeter;
  readonly position: Position;
}

/** One query on one state of the store: how it is planned, what it finds and what it costs. */
export class QueryRun {
  plan: Plan<StoredIndex>;
  readonly session: ReadSession;
  readonly collection: Collection;
  readonly #options: RunOptions;
  readonly #expense: Expense;
  #overtaken = false;

  constructor(options: RunOptions) {
    const { query, sort, collection, session, plans } = options;
    this.#options = options;
    this.session = session;
    this.collection = collection;
    this.plan = plans.plan(query.filter, sort, collection.indexes);
    this.#expense = new Expense(query.budget.candidates, () => this.#advise());
  }

  /** How many documents the collection holds, and their bytes. */
  get size(): Size {
    return readSize(this.session.database, this.collection.name);
  }

  /** The rows that match, in the plan's order; undefined where it is time to pause. */
  *matches(cursor?: Cursor): Generator<Row | undefined> {
    const { session, collection, clock, meter } = this.#options;
    const { access, residual, repeats } = this.plan;
    const matches = residual.kind === "true" ? undefined : compileTextFilter(residual);
    const found = candidates(access, {
      session,
      collection: collection.name,
      cursor,
      needles: needlesOf(residual),
      chunk: () => chunkSize(this.size, CHUNK),
      seen: repeats ? new Set<number>() : undefined,
      expense: this.#expense,
    });
    let patience = this.plan.ordered && matches ? this.#firstPatience() : Number.POSITIVE_INFINITY;
    for (const candidate of found) {
      if (clock.due) yield undefined;
      if (this.#expense.examined > patience) {
        patience = yield* this.#otherwise();
        this.#overtaken = this.#expense.examined > patience;
        if (this.#overtaken) return;
      }
      if (!candidate) continue;
      if (!matches || matches(candidate[3])) yield new StoredRow(candidate[1], candidate[2], candidate[3], meter);
    }
  }

  /**
   * Whether {@link matches} ended early, because reading what the filter narrows and sorting it has become cheaper than
   * going on in the order of the sort. It is then the plan, with the budget renewed, and the work begins anew.
   *
   * Which of the two is cheaper cannot be known before: twenty matches may stand at the start of the order or at its end.
   * So the order is followed for as many documents as the other plan would read; no query costs twice what it had to.
   */
  get overtaken(): boolean {
    if (!this.#overtaken) return false;
    this.#overtaken = false;
    this.plan = this.#unordered();
    this.#expense.renew();
    return true;
  }

  #unordered(): Plan<StoredIndex> {
    const { query, collection, plans } = this.#options;
    return { ...plans.plan(query.filter, undefined, collection.indexes), ordered: false };
  }

  /** Documents in the order of the sort after which the other plan is thought of at all. */
  #firstPatience(): number {
    return Math.min(PATIENCE, this.#options.query.budget.candidates / 2);
  }

  /** Documents that the other plan would read; infinite if it is no better. */
  *#otherwise(): Generator<undefined, number, undefined> {
    const { access } = this.#unordered();
    const reads = yield* countReads(this, access, Math.min(this.#options.query.budget.candidates, MOST_READS));
    return reads === undefined || reads >= MOST_READS ? Number.POSITIVE_INFINITY : reads;
  }

  /** What the query has cost so far. */
  cost(): Cost {
    const { access } = this.plan;
    const narrowed = access.kind === "primary" ? access.bounds !== undefined : access.kind !== "scan";
    const advice = narrowed ? undefined : this.#advise();
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
}
