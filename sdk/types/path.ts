import type { Body, ServerFields } from "./document.ts";

/** What a path does not go into. */
export type Leaf = string | number | bigint | boolean | symbol | null | undefined | Date | Uint8Array;

/**
 * How a path may pass an array: `read` through all its elements (`items.price`), `filter` also by an index (`items.0`),
 * `write` only by an index, `$[]` or `$[name]`.
 */
type Mode = "read" | "filter" | "write";

/** Dotted paths into `T`, four keys deep; what lies deeper, or under keys that are data themselves, is any text. */
type PathsIn<T, M extends Mode, Depth extends unknown[]> = unknown extends T
  ? string
  : T extends Leaf
    ? never
    : T extends readonly (infer E)[]
      ? Through<PathsIn<Exclude<E, readonly unknown[]>, M, Depth>, M> | Nested<Extract<E, readonly unknown[]>, M, Depth>
      : string extends keyof T
        ? string
        : Depth extends [unknown, ...infer Below]
          ? { [K in keyof T & string]: K | `${K}.${Inside<T[K], M, Below>}` }[keyof T & string]
          : string;

/**
 * An array directly inside another is entered by an index, but for `select`. It counts as a key: types that hold lists of
 * themselves have no end of them.
 */
type Nested<A, M extends Mode, Depth extends unknown[]> = [A] extends [never]
  ? never
  : Depth extends [unknown, ...infer Below]
    ? InNested<PathsIn<A, M, Below>, M>
    : InNested<string, M>;
type InNested<Inner extends string, M extends Mode> = M extends "read" ? Inner : `${Step<M>}.${Inner}`;

type Inside<V, M extends Mode, Depth extends unknown[]> = unknown extends V
  ? string
  : PathsIn<NonNullable<V>, M, Depth>;

type Through<Inner extends string, M extends Mode> =
  | (M extends "write" ? never : Inner)
  | (M extends "read" ? never : Step<M> | `${Step<M>}.${Inner}`);
type Step<M extends Mode> = M extends "write" ? `${number}` | `$[${string}]` : `${number}`;

type Depth4 = [1, 2, 3, 4];
/** Whether nothing is known of `T`, so that a path is any text. */
export type Untyped<T> = string extends keyof T ? true : false;

/** Paths to sort, select, group and ask distinct values by: `"author.name"`. */
export type Path<T> = Untyped<Body<T>> extends true ? string : PathsIn<Body<T> & ServerFields, "read", Depth4>;
/** Paths of a filter: also by an array's index. */
export type FilterPath<T> = PathsIn<T, "filter", Depth4>;
/** Paths of an update. */
export type UpdatePath<T> = PathsIn<T, "write", Depth4>;

/** `"at"`, or `"-at"` for descending. */
export type SortKey<T> = Path<T> | `-${Path<T>}`;

/** The value at a path, through arrays to what their elements hold; `undefined` where a parent may be missing. */
export type At<T, P extends string> = P extends `${infer Head}.${infer Rest}`
  ? Below<Member<T, Head>, Rest>
  : Member<T, P>;
type Below<V, Rest extends string> = V extends null | undefined ? undefined : At<V, Rest>;

type Member<T, K extends string> = unknown extends T
  ? unknown
  : T extends readonly (infer E)[]
    ? K extends `${number}` | `$[${string}]`
      ? E
      : Own<E, K>
    : Own<T, K>;
type Own<T, K extends string> = T extends Leaf
  ? never
  : string extends K
    ? unknown
    : K extends keyof T
      ? T[K]
      : undefined;
