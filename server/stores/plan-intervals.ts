import type { Key, Rank } from "#protocol/compare";

/**
 * A place between keys, in the order of query-language.md 3.2: just before or after one key, a whole class, or all
 * strings that start with a text.
 */
export type Edge =
  | { readonly at: "before" | "after"; readonly key: Key }
  | { readonly at: "before" | "after"; readonly rank: Rank }
  | { readonly at: "after"; readonly prefix: string };

/** A set of keys without gaps. A point is kept apart because only points let the next path of an index be bounded. */
export type Interval =
  | { readonly kind: "point"; readonly key: Key }
  | { readonly kind: "range"; readonly from: Edge; readonly to: Edge };
