import type { Leaf } from "./path.ts";

/** A document of an unknown shape: what `T` is without a schema. */
export type Json = Record<string, unknown>;

/** The fields that the server fills; query-language.md 2. */
export interface ServerFields {
  readonly _id: string;
  /** The version: for `ifVersion`, to compare for equality only. */
  readonly _v: number;
  readonly _createdAt: Date;
  readonly _updatedAt: Date;
}

/** What a schema says of a collection beside its documents' type; `galley types` writes it. */
export interface Meta {
  /** Paths of the fields that the server fills with a default, as a union: `"done" | "address.country"`. */
  defaults?: string;
  /** Which collection each reference points to, by path. */
  refs?: Record<string, string>;
}

declare const defined: unique symbol;
/**
 * A collection in a schema whose server-side definition is known too.
 *
 * @example
 * interface Schema { todos: Defined<Todo, { defaults: "done"; refs: { owner: "users" } }> }
 */
export interface Defined<T, M extends Meta = Meta> {
  readonly [defined]: [type: T, meta: M];
}

/** The documents' own type of a schema's entry. */
export type Body<T> = T extends Defined<infer Type, infer _> ? Type : T;
type MetaOf<T> = T extends Defined<infer _, infer M> ? M : Meta;

/** A stored document, as it is read. */
export type Doc<T> = Readonly<Body<T>> & ServerFields;

/** A document to store: without what the server fills. A document that was read may be put back as it is. */
export type New<T> = Optional<Body<T>, MetaOf<T> extends { defaults: infer D extends string } ? D : never> &
  Partial<ServerFields>;

/** `T` without the need for what stands at the paths `K`, also inside arrays. */
type Optional<T, K extends string> = [K] extends [never]
  ? T
  : unknown extends T
    ? T
    : T extends Leaf
      ? T
      : T extends readonly unknown[]
        ? { [I in keyof T]: Optional<T[I], K> }
        : Flat<
            { [P in keyof T as P extends K ? never : P]: Optional<T[P], Inside<K, P>> } & {
              [P in keyof T as P extends K ? P : never]?: Optional<T[P], Inside<K, P>>;
            }
          >;
type Inside<K extends string, P> = K extends `${P & string}.${infer Rest}` ? Rest : never;
type Flat<T> = { [K in keyof T]: T[K] };

/** The paths that `expand` takes: the declared references, or any path without a definition. */
export type Ref<T> = MetaOf<T> extends { refs: infer R } ? keyof R & string : string;

/** What `expand` adds. Not enumerable, so that the document can be put back. */
export interface Expanded<T, E extends string, S> {
  /** The referred documents by path: null if gone, hidden or not named, a list where the path leads through an array. */
  readonly _expanded: { readonly [P in E]: Referred<T, P, S> };
}

type Referred<T, P extends string, S> =
  MetaOf<T> extends { refs: infer R }
    ? P extends keyof R
      ? Shaped<T, P, (R[P] extends keyof S ? Doc<S[R[P]]> : Doc<Json>) | null>
      : never
    : Doc<Json> | null | (Doc<Json> | null)[];

type Shaped<T, P extends string, D> =
  ThroughArray<Body<T>, P> extends false ? D : D[] | Extract<ThroughArray<Body<T>, P>, null>;
/** `true` for a path through an array, with `null` where that array may be missing; else `false`. */
type ThroughArray<T, P extends string, Gaps = never> =
  NonNullable<T> extends readonly unknown[]
    ? true | Gaps | Gap<T>
    : P extends `${infer Head}.${infer Rest}`
      ? Head extends keyof NonNullable<T>
        ? ThroughArray<NonNullable<T>[Head], Rest, Gaps | Gap<T>>
        : false
      : P extends keyof NonNullable<T>
        ? NonNullable<NonNullable<T>[P]> extends readonly unknown[]
          ? true | Gaps | Gap<T> | Gap<NonNullable<T>[P]>
          : false
        : false;
type Gap<T> = undefined extends T ? null : null extends T ? null : never;
