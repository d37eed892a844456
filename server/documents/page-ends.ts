import type { Node, SortKey } from "#protocol/ast";
import { memberReader } from "#protocol/members-of-text";
import { sortKeyOf } from "#protocol/sort";
import { RecentPairs } from "../recent.ts";
import type { Row } from "../stores/document-store.ts";
import type { Cursors, Question } from "./cursors.ts";

/** Where pages end: the cursors behind their last rows. */
interface PageEnds {
  /** @param judged the question's filter joined with the rule, which the rows passed */
  next(question: Question, judged: Node, rows: readonly Row[]): { readonly next?: string };
}

/** How a page ended, and the cursor that was written there. */
interface PageEnd extends Pick<Question, "collection" | "filter"> {
  readonly last: string;
  readonly next: string;
}

/** Ends that are remembered, each generation, and characters of a document that is worth keeping for that. */
const REMEMBERED = 1000;
const MOST_KEPT = 2000;

/**
 * A page that is asked for again mostly ends where it did, and to write a cursor costs as much as a third of its rows.
 * Ends are known by the question joined with the rule, so that nobody's time tells what was asked with other rights.
 */
export function createPageEnds(cursors: Pick<Cursors, "write">): PageEnds {
  const ends = new RecentPairs<Node, Sort, PageEnd>(REMEMBERED);

  return {
    next(question, judged, rows) {
      const row = rows.at(-1);
      if (!row) return {};
      const { collection, filter, sort } = question;
      const last = row.text;
      const end = ends.get(judged, sort);
      // Several questions may come to the same once they are joined with a rule, and each has cursors of its own.
      const same = end?.last === last && end.filter === filter && end.collection === collection;
      if (same) return { next: end.next };
      // Of the last row only what it is sorted by is read: what is merely forwarded is not made anew.
      const keys = sortKeyOf(sort, { ...readerOf(sort)(last), _id: row.id });
      if (!keys) return {};
      const next = cursors.write(question, keys);
      if (last.length <= MOST_KEPT) ends.set(judged, sort, { collection, filter, last, next });
      return { next };
    },
  };
}

type Sort = readonly SortKey[];

/** What reads the members that a sort looks into, `_id` aside; of sorts that come again. */
const readers = new WeakMap<Sort, ReturnType<typeof memberReader>>();

function readerOf(sort: Sort): ReturnType<typeof memberReader> {
  let reader = readers.get(sort);
  if (!reader) {
    reader = memberReader(sort.slice(0, -1).map(({ path }) => path));
    readers.set(sort, reader);
  }
  return reader;
}
