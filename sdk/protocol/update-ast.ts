import type { Leaf, SortKey } from "./ast.ts";
import type { Value } from "./values.ts";

/** A parsed update: frozen plain data, made only by update.ts (query-language.md 6). Operands are never changed. */
export interface Update {
  /** In the order written; it decides where new keys stand, never a value. */
  readonly changes: readonly Change[];
}

/** What one operator does at one path. */
export type Change = { readonly operator: string; readonly path: WritePath } & Effect;

export type Effect =
  | { readonly kind: "set" | "setOnInsert"; readonly value: Value }
  | { readonly kind: "unset" }
  | { readonly kind: "now" }
  | { readonly kind: "inc" | "mul"; readonly by: number | bigint }
  | { readonly kind: "min" | "max"; readonly value: Value }
  | ({ readonly kind: "push" } & Push)
  | { readonly kind: "addToSet"; readonly values: readonly Value[] }
  /** Removes elements that `$elemMatch` would accept. */
  | { readonly kind: "pull"; readonly of: ElementMatch }
  | { readonly kind: "pullAll"; readonly values: readonly Value[] }
  | { readonly kind: "pop"; readonly end: "first" | "last" }
  | { readonly kind: "rename"; readonly to: WritePath };

export interface Push {
  readonly values: readonly Value[];
  /** Where to insert; from the end if negative; after the last one if undefined. */
  readonly position?: number;
  /** Applied after the insert; an empty path compares the elements themselves. */
  readonly sort?: readonly SortKey[];
  /** How many to keep at last: the first ones, or the last ones if negative. */
  readonly slice?: number;
}

/** An `$elemMatch` operand: its inner paths start at the element. */
export type ElementMatch = Extract<Leaf, { kind: "elementValue" | "elementObject" }>;

/** A path that is written; unlike the path of a filter it names elements by `$[]` and `$[x]`. */
export interface WritePath {
  /** As it was written, for messages. */
  readonly text: string;
  readonly segments: readonly Segment[];
}

/** A key or index, or which elements of an array. */
export type Segment = string | Elements;

/** `$[]`, or `$[x]` with the operand of its array filter; all uses of one `$[x]` share one object. */
export type Elements =
  | { readonly kind: "every" }
  | { readonly kind: "accepted"; readonly name: string; readonly of: ElementMatch };
