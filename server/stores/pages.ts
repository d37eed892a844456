import { TRUE } from "#protocol/ast";
import type { DocumentStore, FindResult } from "./document-store.ts";

/** Time for one page, which has no reader waiting but the server itself. */
const PAGE_MILLISECONDS = 60_000;

/** All documents of a collection in `_id` order, by pages of `limit`, each of one state. No long transaction. */
export async function* pagesOf(store: DocumentStore, collection: string, limit: number): AsyncGenerator<FindResult> {
  const sort = [{ path: ["_id"], descending: false }];
  let after: [string] | undefined;
  for (;;) {
    const budget = { candidates: Infinity, milliseconds: PAGE_MILLISECONDS };
    const query = { collection, filter: TRUE, sort, limit, budget };
    const page = await store.find(after ? { ...query, after } : query);
    yield page;
    const last = page.rows.at(-1);
    if (!page.more || !last) return;
    after = [last.id];
  }
}
