import type { SortKey } from "#protocol/ast";
import { GalleyError } from "#protocol/errors";
import { LIMITS } from "#protocol/limits";
import type { Budget, IndexDefinition } from "./document-store.ts";

/** A query that would look at more documents than it may; `index` is the one that would have narrowed them. */
export function tooManyCandidates(most: number, index: IndexDefinition | undefined): GalleyError {
  const spent = `the query has to look at more than ${most} documents`;
  if (!index) return new GalleyError("query_too_expensive", `${spent}: narrow the filter`);
  const declared = JSON.stringify(index.paths);
  return new GalleyError("index_required", `${spent}: declare the index {"paths": ${declared}} to narrow them`, {
    index,
  });
}

/** A matching document that has no place in the order of a sort. */
export function parallelArrays(sort: readonly SortKey[], id: string): GalleyError {
  const paths = sort.slice(0, -1).map(({ path }) => path.join("."));
  const message = `sort: the document ${JSON.stringify(id)} has two different arrays on the paths ${paths.join(", ")}, so it has no place in this order`;
  return new GalleyError("invalid_argument", message, {
    faults: [{ path: "sort", code: "sort_parallel_arrays", message }],
  });
}

export function tooManyGroups(): GalleyError {
  const message = `the documents fall into more than ${LIMITS.groupsHeld} groups: group by fewer paths or narrow the filter`;
  return new GalleyError("query_too_expensive", message);
}

/** A page is held in memory until it is answered. @throws GalleyError `payload_too_large` */
export function checkPageSize({ characters: most }: Budget, characters: number): void {
  if (most === undefined || characters <= most) return;
  throw new GalleyError(
    "payload_too_large",
    `the page's documents are larger than ${most} characters: lower the limit`,
  );
}
