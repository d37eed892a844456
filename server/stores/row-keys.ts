import type { SortKey } from "#protocol/ast";
import type { Key } from "#protocol/compare";
import { memberReader } from "#protocol/members-of-text";
import { sortKeyOf } from "#protocol/sort";
import type { Row } from "./document-store.ts";
import { parallelArrays } from "./query-refusals.ts";

/**
 * Gives the sort keys of rows, from their texts: most rows of a page are forwarded, and none of those is made a value.
 *
 * The function throws GalleyError `invalid_argument` if a document has two arrays on the sort's paths.
 */
export function rowKeys(sort: readonly SortKey[]): (row: Row) => readonly Key[] {
  if (sort.length === 1) return ({ id }) => [id];
  const read = memberReader(sort.map(({ path }) => path));
  return ({ id, text }) => {
    const key = sortKeyOf(sort, read(text));
    if (!key) throw parallelArrays(sort, id);
    return key;
  };
}
