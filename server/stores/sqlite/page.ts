import { compareKeys } from "#protocol/sort";
import type { FindQuery, Row } from "../document-store.ts";
import type { Plan } from "../plan-shape.ts";
import { checkPageSize } from "../query-refusals.ts";
import { rowKeys } from "../row-keys.ts";
import { TopRows } from "../top-rows.ts";
import type { Cursor } from "./ranges.ts";
import type { Work } from "./slices.ts";

/** The rows of one page and whether more follow. */
export interface Page {
  readonly rows: readonly Row[];
  readonly more: boolean;
}

/**
 * Gathers the first rows of a sort behind a cursor. In the plan's order it stops one row after the page; otherwise it
 * looks at all matches and keeps the first.
 *
 * @param matches gives the rows that match, from the cursor on if it is given one
 */
export function* pageOf(
  query: FindQuery,
  plan: Plan,
  matches: (cursor?: Cursor) => Generator<Row | undefined>,
): Work<Page> {
  const { sort, after, limit } = query;
  if (!plan.ordered) return finish(yield* best(query, matches), limit);
  const keyOf = rowKeys(sort);
  const rows: Row[] = [];
  let characters = 0;
  for (const row of matches(after && { sort, after })) {
    if (row === undefined) {
      yield;
      continue;
    }
    // Of a document with several rows in the index, an earlier one may lie before the cursor.
    if (plan.repeats && after && compareKeys(sort, keyOf(row), after) <= 0) continue;
    rows.push(row);
    characters += row.text.length;
    checkPageSize(query.budget, characters);
    if (rows.length > limit) break;
  }
  return finish(rows, limit);
}

function* best(query: FindQuery, matches: () => Generator<Row | undefined>): Work<Row[]> {
  const { sort, after, limit } = query;
  const keyOf = rowKeys(sort);
  const top = new TopRows(sort, limit + 1);
  for (const row of matches()) {
    if (row === undefined) {
      yield;
      continue;
    }
    const key = keyOf(row);
    if (after && compareKeys(sort, key, after) <= 0) continue;
    top.add(key, row);
    checkPageSize(query.budget, top.characters);
  }
  return top.rows();
}

function finish(rows: Row[], limit: number): Page {
  const more = rows.length > limit;
  return { rows: more ? rows.slice(0, limit) : rows, more };
}
