import type { SortKey } from "#protocol/ast";
import type { GalleyError } from "#protocol/errors";
import type { Query } from "../document-store.ts";
import type { Access } from "../plan-shape.ts";
import { tooManyCandidates } from "../query-refusals.ts";
import { boundsFilter } from "./bounds-filter.ts";
import type { CandidateCounter } from "./candidate-count.ts";
import { adviceOn, type IndexedCollection, type NamedIndex } from "./collection-plan.ts";
import type { ReadClock } from "./read-clock.ts";

/** A collection may have grown since its size was last asked: twice as large and this many is surely beyond that. */
const GROWTH = { factor: 2, documents: 10_000 };

export interface ExpenseOptions {
  readonly query: Query;
  /** Undefined if the order is of no matter. */
  readonly sort: readonly SortKey[] | undefined;
  readonly collection: IndexedCollection;
  readonly counter: CandidateCounter;
  readonly clock: ReadClock;
}

/**
 * Tells what a query has to look at, and refuses it where that is more than it may. MongoDB evaluates by itself and says
 * only in the end what it looked at, so the candidates of a plan are counted, and only where their number matters.
 */
export class Expense {
  /** Documents looked at, as far as that is known. */
  examined = 0;
  readonly #options: ExpenseOptions;

  constructor(options: ExpenseOptions) {
    this.#options = options;
  }

  /** Documents that the query may look at. */
  get budget(): number {
    return this.#options.query.budget.candidates;
  }

  /** Whether the collection holds no more documents than the query may look at, so that no plan can cost too much. */
  async isCovered(): Promise<boolean> {
    const { collection, counter, clock } = this.#options;
    if (this.budget === Number.POSITIVE_INFINITY) return true;
    const recent = counter.recent(collection.name);
    if (recent !== undefined && recent * GROWTH.factor + GROWTH.documents <= this.budget) return true;
    return (await counter.size(collection.name, clock)) <= this.budget;
  }

  /** Counts documents that were looked at. @throws GalleyError if there were more than the query may */
  spend(documents: number): void {
    this.examined += documents;
    if (this.examined > this.budget) throw this.exceeded();
  }

  /** @throws GalleyError if a query that looks at everything an access finds has more than it may */
  async judge(access: Access<NamedIndex>): Promise<void> {
    const refusal = await this.refusalOf(access);
    if (refusal) throw refusal;
  }

  /** What {@link judge} throws. */
  async refusalOf(access: Access<NamedIndex>): Promise<GalleyError | undefined> {
    if (boundsFilter(access) === undefined) this.examined += await this.#size();
    else if (!(await this.isCovered())) this.examined += await this.within(access, this.budget + 1);
    return this.examined > this.budget ? this.exceeded() : undefined;
  }

  /** How many documents an access finds, counted no further than `most`; infinite if it reads every document. */
  async within(access: Access<NamedIndex>, most: number): Promise<number> {
    const { collection, counter, clock } = this.#options;
    return (await counter.within(collection.name, access, most, clock)) ?? Number.POSITIVE_INFINITY;
  }

  /** Takes note of a read that went to the end of an access. */
  async sawAll(access: Access<NamedIndex>): Promise<void> {
    if (boundsFilter(access) === undefined) this.examined = Math.max(this.examined, await this.#size());
  }

  exceeded(): GalleyError {
    const { query, sort, collection } = this.#options;
    return tooManyCandidates(this.budget, adviceOn(query, sort, collection));
  }

  #size(): Promise<number> {
    const { collection, counter, clock } = this.#options;
    return counter.size(collection.name, clock);
  }
}
