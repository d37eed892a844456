import type { Document as Stored } from "mongodb";
import { compileTextFilter } from "#protocol/members-of-text";
import type { Cost, FindQuery, Position, Row } from "../document-store.ts";
import type { Plan } from "../plan-shape.ts";
import { boundsFilter } from "./bounds-filter.ts";
import { adviceOn, filterOn, hintOf, type NamedIndex, planOn } from "./collection-plan.ts";
import { Expense, type ExpenseOptions } from "./expense.ts";
import type { Page } from "./page.ts";
import { PageRun } from "./page-run.ts";
import { type ReadMeter, rowOfBytes } from "./rows.ts";
import type { Snapshot } from "./snapshot.ts";

export interface RunOptions extends ExpenseOptions {
  readonly snapshot: Snapshot;
  readonly meter: ReadMeter;
}

/** One query on one state of the database: how it is planned, what it finds and what it costs. */
export class QueryRun {
  readonly #options: RunOptions;
  readonly #expense: Expense;
  readonly #filter: Stored;
  readonly #matches: (text: string) => boolean;
  #plan: Plan<NamedIndex>;

  constructor(options: RunOptions) {
    const { query, sort, collection } = options;
    this.#options = options;
    this.#plan = planOn(query, sort, collection);
    this.#expense = new Expense(options);
    this.#filter = filterOn(query, this.#plan);
    this.#matches = compileTextFilter(query.filter);
  }

  /** The page that a query asks for. @throws GalleyError as `DocumentStore.find` */
  async page(query: FindQuery): Promise<Page> {
    const { snapshot, clock, meter, collection } = this.#options;
    const source = { query, snapshot, clock, meter, matches: this.#matches };
    const run = new PageRun(source, collection, this.#plan, this.#expense);
    const page = await run.page();
    this.#plan = run.plan;
    return page;
  }

  /** All rows that match, in any order, some at a time. */
  async *rows(): AsyncGenerator<Row[]> {
    if (this.#plan.access.kind === "none") return;
    await this.#expense.judge(this.#plan.access);
    yield* this.#stream(this.#search());
  }

  /**
   * As {@link rows}, for one who wants a few of them only: looks at no more documents than the query may, and refuses only
   * if the wanted ones are not among those.
   */
  async *firstRows(wanted: number): AsyncGenerator<Row[]> {
    const { access, residual } = this.#plan;
    if (access.kind === "none") return;
    const refusal = residual.kind === "true" ? undefined : await this.#expense.refusalOf(access);
    let found = 0;
    for await (const rows of this.#stream(refusal ? this.#searchWithinBudget() : this.#search())) {
      yield rows;
      found += rows.length;
      if (found >= wanted) return;
    }
    if (refusal) throw refusal;
  }

  /** What the query has cost so far. */
  cost(position: Position): Cost {
    const { query, sort, collection } = this.#options;
    const { access } = this.#plan;
    const narrowed = access.kind === "primary" ? access.bounds !== undefined : access.kind !== "scan";
    const advice = narrowed ? undefined : adviceOn(query, sort, collection);
    return { position, examined: this.#expense.examined, ...(advice && { advice }) };
  }

  #search(): Stored {
    return { find: this.#options.collection.name, filter: this.#filter, ...hintOf(this.#plan) };
  }

  /** A search among as many candidates as the budget has. */
  #searchWithinBudget(): Stored {
    const bounds = boundsFilter(this.#plan.access);
    const pipeline = [
      ...(bounds ? [{ $match: bounds }] : []),
      { $limit: this.#expense.budget },
      { $match: this.#filter },
    ];
    return { aggregate: this.#options.collection.name, pipeline, cursor: {}, ...hintOf(this.#plan) };
  }

  async *#stream(search: Stored): AsyncGenerator<Row[]> {
    const { snapshot, clock, meter } = this.#options;
    for await (const batch of snapshot.batches(search)) {
      const rows: Row[] = [];
      for (const bytes of batch) {
        const row = rowOfBytes(bytes);
        if (!row) meter.foreign++;
        else if (!this.#matches(row.text)) meter.parity++;
        else rows.push(row);
        if (clock.due) await clock.pause();
      }
      yield rows;
    }
  }
}
