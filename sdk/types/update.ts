import type { Body, Json } from "./document.ts";
import type { Conditions, Element, Operators } from "./filter.ts";
import type { At, Leaf, Untyped, UpdatePath } from "./path.ts";

/**
 * How to change a document: either fields by path, each of which is set, or operators; never both. query-language.md 6.
 *
 * @example
 * { title: "Buy milk", "author.name": "Ada" }
 * @example
 * { $inc: { n: 1 }, $push: { tags: "new" }, $unset: ["due"], $now: ["doneAt"] }
 */
export type Update<T> = Untyped<Body<T>> extends true ? Readonly<Json> : FieldUpdate<Body<T>> | OperatorUpdate<Body<T>>;

type FieldUpdate<T> = Assign<T> & { readonly [O in keyof Effects<T>]?: never };
type OperatorUpdate<T> = Effects<T> & { readonly [P in UpdatePath<T>]?: never };

type Assign<T> = { readonly [P in UpdatePath<T>]?: Set<At<T, P>> };
/** An optional field is set to a value or removed by `$unset`, never set to nothing. */
type Set<V> = unknown extends V ? unknown : V extends undefined ? never : V;

interface Effects<T> {
  readonly $set?: Assign<T>;
  /** As `$set`, only when `upsert` creates the document. */
  readonly $setOnInsert?: Assign<T>;
  readonly $unset?: readonly UpdatePath<T>[];
  readonly $inc?: ByPath<T, number | bigint, "number">;
  readonly $mul?: ByPath<T, number | bigint, "number">;
  readonly $min?: ByPath<T, number | bigint | string | boolean | Date | Uint8Array, "same">;
  readonly $max?: ByPath<T, number | bigint | string | boolean | Date | Uint8Array, "same">;
  readonly $push?: ByPath<T, readonly unknown[], "push">;
  readonly $addToSet?: ByPath<T, readonly unknown[], "add">;
  readonly $pull?: ByPath<T, readonly unknown[], "pull">;
  readonly $pullAll?: ByPath<T, readonly unknown[], "list">;
  readonly $pop?: ByPath<T, readonly unknown[], "pop">;
  readonly $rename?: { readonly [P in UpdatePath<T>]?: string };
  /** Sets dates to the server's time. */
  readonly $now?: readonly PathTo<T, Date>[];
  /** What `$[name]` in a path stands for: a filter on the elements. */
  readonly $arrayFilters?: Readonly<Record<string, unknown>>;
}

/** The paths whose value may be a `V`. */
type PathTo<T, V> = { [P in UpdatePath<T>]: Fits<At<T, P>, V> extends true ? P : never }[UpdatePath<T>];
type Fits<Found, V> = unknown extends Found ? true : [Extract<Found, V>] extends [never] ? false : true;

type ByPath<T, V, Kind extends keyof Operands<unknown>> = {
  readonly [P in PathTo<T, V>]?: unknown extends At<T, P> ? unknown : Operands<Extract<At<T, P>, V>>[Kind];
};

/** What an operator takes at a path whose value is a `V`. */
interface Operands<V> {
  number: V extends bigint ? bigint | number : number;
  same: V;
  push: Element<V> | Push<Element<V>>;
  add: Element<V> | { readonly $each: readonly Element<V>[] };
  pull: Element<V> | PullTest<Element<V>>;
  list: readonly Element<V>[];
  pop: 1 | -1;
}

interface Push<E> {
  readonly $each: readonly E[];
  /** Where to insert; negative counts from the end. */
  readonly $position?: number;
  /** `1`, `-1` or sort keys of the elements. */
  readonly $sort?: 1 | -1 | string | readonly string[];
  /** Keeps the first n elements, or the last n if negative. */
  readonly $slice?: number;
}

type PullTest<E> =
  | ([Extract<E, Leaf>] extends [never] ? never : Operators<Extract<E, Leaf>>)
  | ([Exclude<E, Leaf>] extends [never] ? never : Conditions<Exclude<E, Leaf>>);
