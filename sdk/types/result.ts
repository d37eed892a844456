import type { Doc, ServerFields } from "./document.ts";
import type { Element } from "./filter.ts";
import type { At, Leaf, Path } from "./path.ts";

/** What `select` leaves of a document: the named paths, `_id` and `_v`. */
export type Picked<T, P extends string> = Pick<ServerFields, "_id" | "_v"> & Pruned<Doc<T>, P>;

type Pruned<T, P extends string> = T extends Leaf
  ? never
  : T extends readonly (infer E)[]
    ? readonly Pruned<E, P>[]
    : string extends keyof T
      ? // Keys that are data themselves: those that were asked for, each of which may be missing.
        { readonly [K in First<P>]?: K extends P ? T[K & keyof T] : Kept<T[K & keyof T], After<P, K>> }
      : {
          readonly [K in keyof T as K extends First<P> ? K : never]: K extends P
            ? T[K]
            : Kept<T[K], After<P, K & string>>;
        };
type Kept<V, P extends string> = V extends null | undefined ? V : Pruned<V, P>;
type First<P extends string> = P extends `${infer Head}.${string}` ? Head : P;
type After<P extends string, K extends string> = P extends `${K}.${infer Rest}` ? Rest : never;

/** The values at a path, arrays unwound; an int64 may come as the number of its size. */
export type ValueAt<D, P extends string> = Normal<Element<Exclude<At<D, P>, undefined>>> | Missing<At<D, P>>;
type Normal<V> = V extends bigint ? bigint | number : V;
type Missing<V> = undefined extends V ? null : never;

/**
 * What to compute over all matches: groups by the values at paths, and outputs for each.
 *
 * @example { group: ["status"], out: { n: { count: true }, total: { sum: "amount" } }, sort: "-n" }
 */
export interface Aggregate<D> {
  readonly group: readonly Path<D>[];
  readonly out: Readonly<Record<string, Output<D>>>;
  /** By outputs, `-` for descending. */
  readonly sort?: string | readonly string[];
  readonly limit?: number;
}

export type Output<D> =
  | { readonly count: true }
  | { readonly sum: Path<D> }
  | { readonly avg: Path<D> }
  | { readonly min: Path<D> }
  | { readonly max: Path<D> };

/** One group: its key, one value a path of `group`, and its outputs. */
export interface Group<D, A extends Aggregate<D>> {
  readonly key: GroupKey<D, A["group"]>;
  readonly out: { readonly [N in keyof A["out"]]: OutputValue<D, A["out"][N]> };
}

// With a parameter of its own the mapped type stays a tuple.
type GroupKey<D, G extends readonly string[]> = { readonly [I in keyof G]: GroupValue<D, G[I]> };
type GroupValue<D, P extends string> = Normal<Exclude<At<D, P>, undefined>> | Missing<At<D, P>>;
type OutputValue<D, O> = O extends { count: true }
  ? number
  : O extends { sum: infer P extends string }
    ? Extract<At<D, P>, bigint> extends never
      ? number
      : number | bigint
    : O extends { avg: string }
      ? number | null
      : O extends { min: infer P extends string } | { max: infer P extends string }
        ? Normal<Exclude<At<D, P>, undefined>> | null
        : never;
