import type { Doc, Expanded, New, Ref } from "./document.ts";
import type { Filter } from "./filter.ts";
import type { Path, SortKey } from "./path.ts";
import type { One, Query } from "./question.ts";
import type { Picked } from "./result.ts";
import type { Update } from "./update.ts";

/** The documents of one name. `S` is the schema, which knows what references lead to. */
export interface Collection<T, S = unknown> {
  /**
   * One document by its id; null if it is absent or not visible.
   *
   * @example const todo = await todos.get(id);
   */
  get(id: string, options?: ReadOptions & { select?: never; expand?: never }): One<Doc<T>>;
  get<const E extends Ref<T>>(
    id: string,
    options: ReadOptions & { select?: never; expand: readonly E[] },
  ): One<Doc<T> & Expanded<T, E, S>>;
  get<const P extends Path<T>>(
    id: string,
    options: ReadOptions & { select: readonly P[]; expand?: never },
  ): One<Picked<T, P>>;
  get<const P extends Path<T>, const E extends Ref<T>>(
    id: string,
    options: ReadOptions & { select: readonly P[]; expand: readonly E[] },
  ): One<Picked<T, P | E> & Expanded<T, E, S>>;

  /**
   * The documents that match a filter; all of them without one.
   *
   * @example const open = todos.find({ done: false, n: { $gte: 3 } }, { sort: "-n", limit: 10 });
   * @example for (const todo of await open) console.log(todo.title);
   */
  find(filter?: Filter<T>, options?: FindOptions<T> & { select?: never; expand?: never }): Query<Doc<T>>;
  find<const E extends Ref<T>>(
    filter: Filter<T>,
    options: FindOptions<T> & { select?: never; expand: readonly E[] },
  ): Query<Doc<T> & Expanded<T, E, S>>;
  find<const P extends Path<T>>(
    filter: Filter<T>,
    options: FindOptions<T> & { select: readonly P[]; expand?: never },
  ): Query<Picked<T, P>>;
  find<const P extends Path<T>, const E extends Ref<T>>(
    filter: Filter<T>,
    options: FindOptions<T> & { select: readonly P[]; expand: readonly E[] },
  ): Query<Picked<T, P | E> & Expanded<T, E, S>>;

  /**
   * Stores a new document. Its `_id` is made here unless you give one.
   *
   * @example const todo = await todos.create({ title: "Buy milk", done: false });
   * @throws ApiError `already_exists`
   */
  create(value: New<T> & { readonly _id?: string }, options?: WriteOptions): Promise<Doc<T>>;

  /**
   * Replaces a document, or creates it under this id.
   *
   * @example await todos.set("today", { ...todo, done: true }, { ifVersion: todo._v });
   */
  set(id: string, value: New<T>, options?: WriteOptions): Promise<Doc<T>>;

  /**
   * Sets fields, or applies operators.
   *
   * @example await todos.update(id, { done: true });
   * @example await todos.update(id, { $inc: { n: 1 }, $push: { tags: "urgent" } });
   * @throws ApiError `not_found`, unless `upsert` says to create it
   */
  update(id: string, change: Update<T>, options?: WriteOptions & { upsert?: boolean | undefined }): Promise<Doc<T>>;

  /**
   * Removes a document.
   *
   * @example await todos.delete(id);
   * @throws ApiError `not_found`
   */
  delete(id: string, options?: WriteOptions): Promise<void>;
}

export interface ReadOptions {
  /** Ends the question early, with `aborted`. It is no part of the key. */
  signal?: AbortSignal | undefined;
}

export interface FindOptions<T> extends ReadOptions {
  /** `"-at"` is descending. Ties are settled by `_id`, which is also the order without a sort. */
  sort?: SortKey<T> | readonly SortKey<T>[] | undefined;
  /** Documents on a page: 50 if absent, at most 1,000. */
  limit?: number | undefined;
  /** The `next` of the page before. */
  after?: string | undefined;
}

export interface WriteOptions {
  /** The `_v` that must be stored, 0 for none; otherwise the write throws `version_conflict`. */
  ifVersion?: number | undefined;
  signal?: AbortSignal | undefined;
  /** `false`: live results show it only as the server tells of it. */
  optimistic?: boolean | undefined;
  /** A key of your own makes a repeat harmless beyond this process too; `false` sends none. */
  idempotencyKey?: string | false | undefined;
}
