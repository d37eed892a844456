import type { Live, LiveState } from "./live.ts";
import type { Path } from "./path.ts";
import type { Aggregate, Group, ValueAt } from "./result.ts";

/**
 * A question as a value: nothing is sent until it is awaited, and each await asks anew. An async function that returns
 * one asks it, because promises unwrap: hand on `{ question }` or a function instead.
 */
export interface Question<R> extends Promise<R> {
  /** JSON text of the question as it was written: what is written alike has equal keys. */
  readonly key: string;
  /**
   * Keeps it answered: a state at once, and one after every commit that changes it, in order, through drops and restarts.
   *
   * @example const live = todos.find({ done: false }, { sort: "-_createdAt" }).live(({ data }) => render(data));
   */
  live(next?: (state: LiveState<R>) => void): Live<R>;
}

/** A question for one document; `null` if it is absent or not visible. */
export interface One<D> extends Question<D | null> {}

/** Many documents: awaited, the first page as a list. */
export interface Query<D> extends Question<D[]> {
  /** One page. `next` is there if more documents follow: hand it to the next call. */
  page(after?: string): Promise<Page<D>>;
  /**
   * Every page, by cursor, without repeats.
   *
   * @example for await (const page of todos.find().pages()) for (const todo of page) console.log(todo.title);
   */
  pages(): AsyncIterable<D[]>;
  /** The first document in the query's order. */
  first(): One<D>;
  /** How many match, counted up to `cap` (10,000 if absent): `more` says that there are more than that. */
  count(options?: { cap?: number | undefined }): Question<{ count: number; more: boolean }>;
  /** The different values at a path, sorted, arrays unwound; at most 1,000. */
  distinct<P extends Path<D>>(path: P): Question<{ values: ValueAt<D, P>[]; more: boolean }>;
  /** Counts, sums and the like over all that match, in groups. */
  aggregate<const A extends Aggregate<D>>(aggregate: A): Question<{ groups: Group<D, A>[]; more: boolean }>;
}

export interface Page<D> {
  documents: D[];
  next?: string;
  /** The state of the store that the page shows. */
  position: string;
}
