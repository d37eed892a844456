import type { SortKey } from "#protocol/ast";
import type { Key } from "#protocol/compare";
import { GalleyError } from "#protocol/errors";
import { compareKeys, sortKeyOf } from "#protocol/sort";
import type { ObjectValue } from "#protocol/values";

/** A document's place in a list. The key ends with the id, so that no two rows of a list tie. */
export interface ListRow {
  readonly id: string;
  readonly version: number;
  readonly key: readonly Key[];
}

/** What a commit made of a document, as one list sees it. */
export interface ListChange {
  readonly id: string;
  /** Undefined: it is gone, or the filter does not accept it. */
  readonly row: ListRow | undefined;
}

/**
 * The place of a document that the filter accepts.
 *
 * A document with two different arrays on the sort's paths has none, and `find` refuses the whole question because of
 * it. So does a live query: whoever judges a commit ends the window with this error, as a load of it would.
 *
 * @throws GalleyError `invalid_argument` (`sort_parallel_arrays`)
 */
export function listRow(
  sort: readonly SortKey[],
  row: { readonly id: string; readonly version: number; readonly value: ObjectValue },
): ListRow {
  const { id, version, value } = row;
  const key = sortKeyOf(sort, value);
  if (key) return { id, version, key };
  const paths = sort.slice(0, -1).map(({ path }) => path.join("."));
  const message = `sort: the document ${JSON.stringify(id)} has two different arrays on the paths ${paths.join(", ")}, so it has no place in this order`;
  throw new GalleyError("invalid_argument", message, {
    faults: [{ path: "sort", code: "sort_parallel_arrays", message }],
  });
}

/** Whether a list that shows one may show the other in its place and nobody sees it. */
export function sameRow(sort: readonly SortKey[], a: ListRow, b: ListRow): boolean {
  return a.version === b.version && compareKeys(sort, a.key, b.key) === 0;
}
