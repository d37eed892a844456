import { BSON, type Document as Stored } from "mongodb";
import type { SortKey } from "#protocol/ast";
import { EMPTY, type Key } from "#protocol/compare";
import type { Value } from "#protocol/values";
import type { FindQuery } from "../document-store.ts";
import type { Plan } from "../plan-shape.ts";
import {
  filterOn,
  hintOf,
  type IndexedCollection,
  type NamedIndex,
  partsOf,
  planOn,
  stretchOf,
} from "./collection-plan.ts";
import { behind } from "./cursor-filter.ts";
import { CODES, codeOf, isParallelArrays } from "./errors.ts";
import type { Expense } from "./expense.ts";
import { type KeyBounds, lower, upper } from "./key-bounds.ts";
import { type Page, type PageSource, pageOf, pageSortedHere } from "./page.ts";
import { BSON_OPTIONS } from "./values.ts";

/**
 * A page that is there within this time has not looked at a hundred thousand documents, so it need not be counted how many
 * it did. Under a smaller budget than the least one it is counted all the same.
 */
const QUICK = { milliseconds: 25, leastBudget: 50_000 };
/** As on SQLite: documents in the order of the sort after which another plan is thought of. */
const PATIENCE = 500;
/** Beyond this many documents no other plan is thought of. */
const MOST_READS = 100_000;

/** One page on one state of the database. */
export class PageRun {
  plan: Plan<NamedIndex>;
  readonly #source: PageSource;
  #filter: Stored;
  readonly #collection: IndexedCollection;
  readonly #expense: Expense;

  constructor(source: PageSource, collection: IndexedCollection, plan: Plan<NamedIndex>, expense: Expense) {
    this.#source = source;
    this.#filter = filterOn(source.query, plan);
    this.#collection = collection;
    this.plan = plan;
    this.#expense = expense;
  }

  get #query(): FindQuery {
    return this.#source.query;
  }

  /** @throws GalleyError as `DocumentStore.find` */
  async page(): Promise<Page> {
    const { access, ordered, residual } = this.plan;
    if (access.kind === "none") return NO_ROWS;
    if (!ordered) {
      await this.#expense.judge(access);
      return this.#sorted();
    }
    if (residual.kind === "true" || (await this.#expense.isCovered())) return this.#inOrder();
    return (await this.#quickly()) ?? this.#counted();
  }

  /** Reads in the order of the index that serves the sort, from the cursor on. */
  async #inOrder(end?: Partial<KeyBounds>, milliseconds?: number): Promise<Page> {
    const { sort, after } = this.#query;
    const stretch = after || end ? stretchOf(this.plan, this.#query, sort, after) : undefined;
    if (stretch === "nothing") return NO_ROWS;
    const filter = after && !stretch ? { $and: [this.#filter, behind(sort, after, false)] } : this.#filter;
    const page = await pageOf(this.#source, { ...this.#search(filter), ...stretch, ...end }, milliseconds);
    if (this.plan.residual.kind === "true") this.#expense.spend(page.rows.length + (page.more ? 1 : 0));
    else {
      this.#expense.examined += page.returned;
      if (!page.more && !end) await this.#expense.sawAll(this.plan.access);
    }
    return page;
  }

  /** Lets MongoDB sort all matches and keep the first ones. */
  async #sorted(): Promise<Page> {
    const { sort, after } = this.#query;
    const filter = after ? { $and: [this.#filter, behind(sort, after, true)] } : this.#filter;
    try {
      const page = await pageOf(this.#source, this.#search(filter));
      this.#expense.examined = Math.max(this.#expense.examined, page.returned);
      return page;
    } catch (error) {
      // Perhaps of a document that is none of ours.
      if (!isParallelArrays(error)) throw error;
      return pageSortedHere(this.#source, { find: this.#collection.name, filter, ...hintOf(this.plan) });
    }
  }

  #search(filter: Stored): Stored {
    return { find: this.#collection.name, filter, sort: orderOf(this.#query.sort), ...hintOf(this.plan) };
  }

  /** The page, if it comes so fast that it cannot have cost too much. */
  async #quickly(): Promise<Page | undefined> {
    if (this.#expense.budget < QUICK.leastBudget) return undefined;
    try {
      return await this.#inOrder(undefined, QUICK.milliseconds);
    } catch (error) {
      if (codeOf(error) !== CODES.maxTimeExpired) throw error;
      this.#source.clock.check();
      return undefined;
    }
  }

  /**
   * A page in the order of the sort, of which the filter may leave few: no more candidates are looked at than another plan
   * would read, which then takes over, or else than the budget has.
   */
  async #counted(): Promise<Page> {
    const { budget } = this.#expense;
    const other = { ...planOn(this.#query, undefined, this.#collection), ordered: false };
    const most = Math.min(budget, MOST_READS);
    const reads = await this.#expense.within(other.access, most);
    const better = reads < most;
    const allowed = better ? Math.max(reads, Math.min(PATIENCE, Math.floor(budget / 2))) : budget;
    const end = await this.#endAfter(allowed);
    if (end !== "unknown") {
      const page = await this.#inOrder(end);
      if (page.more || !end) return page;
    } else if ((await this.#expense.within(this.plan.access, budget + 1)) <= budget) return this.#inOrder();
    if (!better) throw this.#expense.exceeded();
    this.plan = other;
    this.#filter = filterOn(this.#query, other);
    this.#expense.examined += reads;
    return this.#sorted();
  }

  /**
   * The bound behind the first `documents` candidates that the plan reads. Undefined if it reads no more than those.
   */
  async #endAfter(documents: number): Promise<Partial<KeyBounds> | "unknown" | undefined> {
    const { sort, after } = this.#query;
    const { access } = this.plan;
    const stretch = stretchOf(this.plan, this.#query, sort, after);
    if (stretch === "nothing") return undefined;
    if (!stretch || !("backward" in access)) return "unknown";
    const { backward } = access;
    const parts = partsOf(this.plan);
    const order = orderOf(parts.map(({ path, descending }) => ({ path, descending: descending !== backward })));
    // The least bound of a forward seek is the cursor's own row, which is none of the candidates.
    const skip = documents + (after && !backward ? 1 : 0);
    const probe = { find: this.#collection.name, ...hintOf(this.plan), ...stretch, sort: order };
    for await (const [found] of this.#source.snapshot.batches({ ...probe, skip, limit: 1, returnKey: true })) {
      if (!found) return undefined;
      const place = keyOf(parts, found);
      return backward ? { min: upper(parts, place) } : { max: lower(parts, place) };
    }
    return undefined;
  }
}

const NO_ROWS: Page = { rows: [], more: false, returned: 0 };

/** A sort as MongoDB takes it. */
function orderOf(sort: readonly SortKey[]): Stored {
  return Object.fromEntries(sort.map(({ path, descending }) => [path.join("."), descending ? -1 : 1]));
}

/** The key of an index as `returnKey` gives it. An empty array stands there as a value that the driver takes for none. */
function keyOf(parts: readonly SortKey[], bytes: Uint8Array): Key[] {
  const keys: Stored = BSON.deserialize(bytes, BSON_OPTIONS);
  return parts.map(({ path }) => {
    const key: Value | undefined = keys[path.join(".")];
    return key === undefined ? EMPTY : key;
  });
}
