import type { SortKey } from "#protocol/ast";
import type { Key } from "#protocol/compare";
import type { IndexUse, PrimaryUse } from "../plan.ts";

/** How to read an index table: the steps one after the other, each in the same direction. */
export interface IndexScan {
  /** Whether rows are read by descending key. */
  readonly backward: boolean;
  /**
   * Whether rows of one key are read by descending id. An index table must therefore keep ids in the direction of its
   * last path: PRIMARY KEY (key, id) or, if that is descending, PRIMARY KEY (key, id DESC).
   */
  readonly idsDescending: boolean;
  readonly steps: readonly IndexStep[];
}

export type IndexStep =
  /** Rows with `from <= key < to`. */
  | { readonly kind: "range"; readonly from: Buffer; readonly to: Buffer }
  /** Rows with this key whose id lies behind `id` in the scan's direction: what is left of a cursor's equals. */
  | { readonly kind: "equals"; readonly key: Buffer; readonly id: string };

/** How to read documents by id: `from <= id < to`, the steps one after the other in one direction. */
export interface IdScan {
  readonly backward: boolean;
  readonly steps: readonly { readonly from: string; readonly to: string }[];
}

/**
 * The rows of an index that a use reads, in the order in which it reads them.
 *
 * @param cursor leave out unless the plan is `ordered`: rows up to it are left out
 */
export declare function indexScan(use: IndexUse, cursor?: Cursor): IndexScan;

/** As {@link indexScan}, for `_id`. */
export declare function idScan(use: PrimaryUse, cursor?: Cursor): IdScan;

/** The key tuple of the last row read, `_id` included, under its sort. */
export interface Cursor {
  readonly sort: readonly SortKey[];
  readonly after: readonly Key[];
}
