import { BSON, type Document as Stored } from "mongodb";
import type { SortKey } from "#protocol/ast";
import { EMPTY, type Key } from "#protocol/compare";
import { LIMITS } from "#protocol/limits";
import { compileFilter } from "#protocol/match";
import { type Document, encodeValue, fitsUtf8, type Value } from "#protocol/values";
import type { Cost, FindQuery, Position, Query } from "../document-store.ts";
import type { Plan } from "../plan-shape.ts";
import { tooManyCandidates } from "../query-refusals.ts";
import { boundsFilter } from "./bounds-filter.ts";
import type { CandidateCounter } from "./candidate-count.ts";
import {
  adviceOn,
  hintOf,
  type IndexedCollection,
  type NamedIndex,
  partsOf,
  planOn,
  stretchOf,
} from "./collection-plan.ts";
import { afterCursor, parallelArraysOn } from "./cursor-filter.ts";
import { CODES, codeOf, isParallelArrays } from "./errors.ts";
import { type KeyBounds, lower, upper } from "./key-bounds.ts";
import { type Page, type PageSource, pageOf, pageSortedHere } from "./page.ts";
import type { ReadClock } from "./read-clock.ts";
import { documentOf, type ReadMeter } from "./rows.ts";
import type { Snapshot } from "./snapshot.ts";
import { toMongoFilter } from "./translate.ts";
import { BSON_OPTIONS } from "./values.ts";

/**
 * A page that is there within this time has not looked at a hundred thousand documents, so it need not be counted how many
 * it did. Below the least budget for which that holds, it is counted.
 */
const QUICK = { milliseconds: 25, leastBudget: 10_000 };
/** As on SQLite (query-run.ts there): documents in the order of the sort after which another plan is thought of. */
const PATIENCE = 500;
/** Beyond this many documents no other plan is thought of. */
const MOST_READS = 100_000;
/** Documents so large that their text may be over the limit: no value's text is eight times its bytes. */
const SUSPICIOUS_BYTES = LIMITS.documentBytes / 8;

export interface RunOptions {
  readonly query: Query;
  /** Undefined if the order is of no matter. */
  readonly sort: readonly SortKey[] | undefined;
  readonly collection: IndexedCollection;
  readonly snapshot: Snapshot;
  readonly clock: ReadClock;
  readonly meter: ReadMeter;
  readonly counter: CandidateCounter;
}

/** One query on one state of the database: how it is planned, what it finds and what it costs. */
export class QueryRun {
  plan: Plan<NamedIndex>;
  examined = 0;
  readonly #options: RunOptions;
  readonly #matches: (document: Document) => boolean;
  readonly #filter: Stored;

  constructor(options: RunOptions) {
    this.#options = options;
    this.plan = planOn(options.query, options.sort, options.collection);
    this.#matches = compileFilter(options.query.filter);
    this.#filter = toMongoFilter(options.query.filter);
  }

  /** The page that a query asks for. @throws GalleyError as `DocumentStore.find` */
  async page(query: FindQuery): Promise<Page> {
    const { access, ordered, residual } = this.plan;
    if (access.kind === "none") return NO_ROWS;
    if (ordered && residual.kind === "true") return this.#orderedPage(query);
    if (!ordered) {
      await this.#judge();
      return this.#sortedPage(query);
    }
    if (await this.#isCheap()) return this.#orderedPage(query);
    if (query.budget.candidates >= QUICK.leastBudget) {
      const page = await this.#quickPage(query);
      if (page) return page;
    }
    return this.#countedPage(query);
  }

  /** All documents that match, in any order. */
  async *documents(): AsyncGenerator<Document> {
    if (this.plan.access.kind === "none") return;
    await this.#judge();
    yield* this.#stream({ find: this.#name, filter: this.#filter, ...hintOf(this.plan) });
  }

  /**
   * Documents that match, for one who wants a few of them only: looks at no more than the budget allows, and refuses only
   * if they are not among those.
   *
   * @param most how many are wanted
   */
  async *firstDocuments(most: number): AsyncGenerator<Document> {
    const { access, residual } = this.plan;
    if (access.kind === "none") return;
    const plain = { find: this.#name, filter: this.#filter, ...hintOf(this.plan) };
    if (residual.kind === "true") {
      yield* this.#stream(plain);
      return;
    }
    const refusal = await this.#judge().then(
      () => undefined,
      (error: unknown) => error,
    );
    if (refusal === undefined) {
      yield* this.#stream(plain);
      return;
    }
    let found = 0;
    for await (const document of this.#stream(this.#withinBudget())) {
      yield document;
      if (++found >= most) return;
    }
    throw refusal;
  }

  /** What the query has cost so far. */
  cost(position: Position): Cost {
    const { query, sort, collection } = this.#options;
    const { access } = this.plan;
    const narrowed = access.kind === "primary" ? access.bounds !== undefined : access.kind !== "scan";
    const advice = narrowed ? undefined : adviceOn(query, sort, collection);
    return { position, examined: this.examined, ...(advice && { advice }) };
  }

  get #name(): string {
    return this.#options.collection.name;
  }

  #source(query: FindQuery): PageSource {
    const { snapshot, clock, meter } = this.#options;
    return { query, snapshot, clock, meter, matches: this.#matches };
  }

  /** Reads a page in the order of the index that serves the sort, from the cursor on. */
  async #orderedPage(query: FindQuery, end?: Partial<KeyBounds>, milliseconds?: number): Promise<Page> {
    const { sort, after } = query;
    const stretch = after || end ? stretchOf(this.plan, query, sort, after) : undefined;
    if (stretch === "nothing") return NO_ROWS;
    const filter = after && !stretch ? { $and: [this.#filter, afterCursor(sort, after)] } : this.#filter;
    const search = { ...this.#search(query, filter), ...stretch, ...end };
    const page = await pageOf(this.#source(query), search, milliseconds);
    this.examined += page.returned;
    if (!page.more && !end) await this.#examinedAll();
    return page;
  }

  /** Lets MongoDB sort all matches and keep the first ones. */
  async #sortedPage(query: FindQuery): Promise<Page> {
    const { sort, after } = query;
    const parallel = after && parallelArraysOn(sort);
    const behind = after && (parallel ? { $or: [afterCursor(sort, after), parallel] } : afterCursor(sort, after));
    const filter = behind ? { $and: [this.#filter, behind] } : this.#filter;
    try {
      const page = await pageOf(this.#source(query), this.#search(query, filter));
      this.examined = Math.max(this.examined, page.returned);
      return page;
    } catch (error) {
      if (!isParallelArrays(error)) throw error;
      return pageSortedHere(this.#source(query), { find: this.#name, filter, ...hintOf(this.plan) });
    }
  }

  #search({ sort }: FindQuery, filter: Stored): Stored {
    return { find: this.#name, filter, sort: orderOf(sort), ...hintOf(this.plan) };
  }

  /** Whether no plan can cost more than the budget, since the collection is not that large. */
  async #isCheap(): Promise<boolean> {
    const { query, counter, clock } = this.#options;
    const { candidates } = query.budget;
    if (candidates === Number.POSITIVE_INFINITY) return true;
    const recent = counter.recent(this.#name);
    if (recent !== undefined && recent * 2 + QUICK.leastBudget <= candidates) return true;
    return (await counter.size(this.#name, clock)) <= candidates;
  }

  /** @throws GalleyError if the query, which looks at all candidates of its plan, has more than its budget */
  async #judge(): Promise<void> {
    const { query, counter, clock } = this.#options;
    const { candidates } = query.budget;
    if (boundsFilter(this.plan.access) === undefined) {
      this.examined += await counter.size(this.#name, clock);
    } else if (!(await this.#isCheap())) {
      this.examined += (await counter.within(this.#name, this.plan.access, candidates + 1, clock)) ?? 0;
    }
    if (this.examined > candidates) throw this.#exceeded();
  }

  /** What a page has cost that went through all candidates. */
  async #examinedAll(): Promise<void> {
    const { counter, clock } = this.#options;
    if (boundsFilter(this.plan.access) !== undefined || this.plan.residual.kind === "true") return;
    this.examined = Math.max(this.examined, await counter.size(this.#name, clock));
  }

  /** The page, if it comes so fast that it cannot have cost too much. */
  async #quickPage(query: FindQuery): Promise<Page | undefined> {
    try {
      return await this.#orderedPage(query, undefined, QUICK.milliseconds);
    } catch (error) {
      if (codeOf(error) !== CODES.maxTimeExpired) throw error;
      this.#options.clock.check();
      return undefined;
    }
  }

  /**
   * A page in the order of the sort, of which the filter may leave few: no more candidates are looked at than another plan
   * would read, which then takes over, or else than the budget has.
   */
  async #countedPage(query: FindQuery): Promise<Page> {
    const { collection, counter, clock } = this.#options;
    const { candidates } = query.budget;
    const other = { ...planOn(query, undefined, collection), ordered: false };
    const most = Math.min(candidates, MOST_READS);
    const reads = (await counter.within(this.#name, other.access, most, clock)) ?? MOST_READS;
    const better = reads < most;
    const allowed = better ? Math.max(reads, Math.min(PATIENCE, candidates / 2)) : candidates;
    const end = await this.#endAfter(query, Math.floor(allowed));
    if (end === "unknown") {
      const all =
        (await counter.within(this.#name, this.plan.access, candidates + 1, clock)) ?? Number.POSITIVE_INFINITY;
      if (all <= candidates) return this.#orderedPage(query);
    } else {
      const page = await this.#orderedPage(query, end);
      if (page.more || !end) return page;
    }
    if (!better) throw this.#exceeded();
    this.plan = other;
    this.examined += reads;
    return this.#sortedPage(query);
  }

  /**
   * The bound behind the first `documents` candidates that the plan reads; undefined if it reads no more than those.
   */
  async #endAfter(query: FindQuery, documents: number): Promise<Partial<KeyBounds> | "unknown" | undefined> {
    const stretch = stretchOf(this.plan, query, query.sort, query.after);
    if (stretch === "nothing") return undefined;
    if (!stretch) return "unknown";
    const parts = partsOf(this.plan);
    const { access } = this.plan;
    const backward = access.kind !== "union" && "backward" in access && access.backward;
    const order = orderOf(parts.map(({ path, descending }) => ({ path, descending: descending !== backward })));
    // The least bound of a forward seek is the cursor's own row, which is none of the candidates.
    const skip = documents + (query.after && !backward ? 1 : 0);
    const probe = { find: this.#name, ...hintOf(this.plan), ...stretch, sort: order, skip, limit: 1, returnKey: true };
    for await (const [found] of this.#options.snapshot.batches(probe)) {
      if (!found) return undefined;
      const place = parts.map(({ path }): Key => (found[path.join(".")] as Value | undefined) ?? EMPTY);
      return backward ? { min: upper(parts, place) } : { max: lower(parts, place) };
    }
    return undefined;
  }

  #exceeded(): Error {
    const { query, sort, collection } = this.#options;
    return tooManyCandidates(query.budget.candidates, adviceOn(query, sort, collection));
  }

  /** A search among as many candidates as the budget has. */
  #withinBudget(): Stored {
    const bounds = boundsFilter(this.plan.access);
    const pipeline = [
      ...(bounds ? [{ $match: bounds }] : []),
      { $limit: this.#options.query.budget.candidates },
      { $match: this.#filter },
    ];
    return { aggregate: this.#name, pipeline, ...hintOf(this.plan) };
  }

  async *#stream(search: Stored): AsyncGenerator<Document> {
    const { snapshot, clock, meter } = this.#options;
    for await (const batch of snapshot.rawBatches(search)) {
      for (const bytes of batch) {
        await clock.pause();
        const document = documentOf(BSON.deserialize(bytes, BSON_OPTIONS));
        if (!document || (bytes.length > SUSPICIOUS_BYTES && !fitsUtf8(encodeValue(document), LIMITS.documentBytes))) {
          meter.foreign++;
        } else if (!this.#matches(document)) meter.parity++;
        else yield document;
      }
    }
  }
}

const NO_ROWS: Page = { rows: [], more: false, returned: 0 };

/** A sort as MongoDB takes it. */
function orderOf(sort: readonly SortKey[]): Stored {
  return Object.fromEntries(sort.map(({ path, descending }) => [path.join("."), descending ? -1 : 1]));
}
