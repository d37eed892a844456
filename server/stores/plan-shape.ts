import type { Node, SortKey } from "#protocol/ast";
import type { Interval } from "./plan-intervals.ts";

/** What a plan must know of a declared index; an engine adds what it needs and gets the same object back. */
export interface IndexFacts {
  /** The declared paths in order, `-` read into `descending`. */
  readonly keys: readonly SortKey[];
  readonly unique: boolean;
  /** Whether it holds every document; another index is never used. */
  readonly ready: boolean;
  /**
   * For each path: whether the index ever held a document whose tuples differ in this part (see `differingParts`). Must
   * be as old as the rows that the plan will read, or older flags may hide a document: read both in one transaction.
   */
  readonly multikey: readonly boolean[];
}

/** How candidates are found and what is left to be tested on them. Frozen plain data. */
export interface Plan<I extends IndexFacts = IndexFacts> {
  readonly access: Access<I>;
  /** What the access does not decide: evaluate it on every candidate. `{ kind: "true" }`: every candidate matches. */
  readonly residual: Node;
  /** Whether candidates come in the order of the sort; else keep the best `limit + 1` in a heap. */
  readonly ordered: boolean;
  /**
   * Whether one document may come more than once: drop repeated ids. If `ordered` too, the first time is its place, and
   * after a cursor a document whose own sort key is not greater than the cursor has had its place on an earlier page.
   */
  readonly repeats: boolean;
}

export type Access<I extends IndexFacts = IndexFacts> =
  /** No document can match. */
  | { readonly kind: "none" }
  /** Every document, in any order. */
  | { readonly kind: "scan" }
  | PrimaryUse
  | IndexUse<I>
  /** One use for each branch of an `or`: what any of them finds. */
  | { readonly kind: "union"; readonly of: readonly (PrimaryUse | IndexUse<I>)[] };

/** Reads by `_id`, which every engine keeps sorted. Without bounds: all documents in the order of `_id`. */
export interface PrimaryUse {
  readonly kind: "primary";
  readonly bounds: readonly Interval[] | undefined;
  readonly backward: boolean;
}

/** Reads the rows of one index. Its own order is its keys in their directions, then `_id` in the last one's. */
export interface IndexUse<I extends IndexFacts = IndexFacts> {
  readonly kind: "index";
  readonly index: I;
  /**
   * For the first paths of the index, what their key must lie in: intervals in ascending order, without overlap. All
   * but the last hold points only. [] reads the whole index.
   */
  readonly bounds: readonly (readonly Interval[])[];
  /** Whether the index is read from its end; only of meaning if the plan is `ordered`. */
  readonly backward: boolean;
}
