import type { ValueClass } from "../protocol/values.ts";
import type { Body, Json, ServerFields } from "./document.ts";
import type { At, FilterPath, Leaf, Untyped } from "./path.ts";

/**
 * What documents to find: values and operators by path, all of which must hold; query-language.md 3.
 *
 * @example
 * { done: false, n: { $gte: 3 }, "author.name": { $startsWith: "A" }, $or: [{ tags: "urgent" }, { due: null }] }
 */
export type Filter<T> = Untyped<Body<T>> extends true ? Readonly<Json> : Conditions<Body<T> & ServerFields>;

/** A filter on `T`, without the server's fields unless `T` has them. */
export type Conditions<T> = { readonly [P in FilterPath<T>]?: Test<At<T, P>> } & {
  readonly $and?: readonly Conditions<T>[];
  readonly $or?: readonly Conditions<T>[];
  readonly $nor?: readonly Conditions<T>[];
};

/** What may stand at a path: a value, which means equal, or operators. */
export type Test<V> = unknown extends V ? unknown : Literal<V> | Operators<V>;

/** Operators that the values of `V` can take. */
export type Operators<V> = AnyOperators<V> &
  RangeOperators<Operand<Element<V>>> &
  TextOperators<Extract<Element<V>, string>> &
  NumberOperators<Extract<Element<V>, number | bigint>> &
  ArrayOperators<Extract<V, readonly unknown[]>>;

interface AnyOperators<V> {
  readonly $eq?: Literal<V>;
  readonly $ne?: Literal<V>;
  readonly $in?: readonly Literal<V>[];
  readonly $nin?: readonly Literal<V>[];
  readonly $not?: Operators<V>;
  readonly $exists?: boolean;
  readonly $type?: ValueClass | readonly ValueClass[];
}

type RangeOperators<O> = [O] extends [never]
  ? unknown
  : { readonly $gt?: O; readonly $gte?: O; readonly $lt?: O; readonly $lte?: O };
type TextOperators<S> = [S] extends [never]
  ? unknown
  : { readonly $startsWith?: string; readonly $endsWith?: string; readonly $contains?: string };
type NumberOperators<N> = [N] extends [never]
  ? unknown
  : { readonly $mod?: readonly [divisor: number, remainder: number] };
type ArrayOperators<A> = [A] extends [never]
  ? unknown
  : {
      readonly $size?: number;
      readonly $all?: readonly Literal<Element<A>>[] | readonly { readonly $elemMatch: ElementTest<Element<A>> }[];
      readonly $elemMatch?: ElementTest<Element<A>>;
    };

/** Operators on an element that is a value, a filter on one that is an object. */
type ElementTest<E> =
  | ([Extract<E, Leaf>] extends [never] ? never : Operators<Extract<E, Leaf>>)
  | ([Exclude<E, Leaf>] extends [never] ? never : Conditions<Exclude<E, Leaf>>);

/** An array is tested as a whole and by its elements. */
export type Element<V> = V extends readonly (infer E)[] ? E : V;
type Literal<V> = Exact<V> | Exact<Element<V>>;
/** `null` also finds what is missing; int64 equals the number of its size. */
type Exact<V> = V extends undefined ? null : V extends bigint ? bigint | number : V;
type Operand<V> = V extends number | bigint
  ? number | bigint
  : V extends string
    ? string
    : Extract<V, boolean | Date | Uint8Array>;
