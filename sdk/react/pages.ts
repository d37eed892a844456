import { useCallback, useMemo, useState } from "react";
import type { LiveState } from "../types/live.ts";
import type { Query } from "../types/question.ts";
import { type Maybe, useSource, watchOf } from "./live.ts";
import { liveSource } from "./shared.ts";
import { IDLE, type Source } from "./source.ts";

/** Documents that a live list can hold. */
const MOST = 1000;
const SIZE = 50;

export interface Pages<D> extends LiveState<D[]> {
  /** Whether {@link loadMore} would show more. Lists are live up to 1,000 documents; older ones: `query.pages()`. */
  readonly more: boolean;
  /** Shows `size` more. Does nothing while those of the last call are on their way. */
  loadMore(): void;
}

/**
 * A list that grows: one live query, so that nothing is missing or there twice, and all of it stays live.
 *
 * @param options `size`: documents to begin with, and by which it grows; else the query's own `limit`, or 50
 * @example const { data = [], more, loadMore } = usePages(messages.find({ room }, { sort: "-at" }), { size: 30 });
 */
export function usePages<D>(query: Maybe<Query<D>>, { size }: { size?: number } = {}): Pages<D> {
  const watch = watchOf(query);
  const key = query ? query.key : undefined;
  const list = useMemo(() => (watch && key !== undefined ? { watch, ...partsOf(key) } : undefined), [watch, key]);
  const step = size ?? list?.limit ?? SIZE;
  const [grown, setGrown] = useState({ list, limit: 0 });
  const limit = Math.min((grown.list === list && grown.limit) || (list?.limit ?? step), MOST);
  const source = useMemo<Source<D[]>>(() => (list ? liveSource(list.watch, list.keyOf(limit)) : IDLE), [list, limit]);
  const state = useSource(source, list);
  const more = state.more && limit < MOST;
  const isLoaded = state === source.read();
  const loadMore = useCallback(() => {
    if (more && isLoaded) setGrown({ list, limit: limit + step });
  }, [list, limit, step, more, isLoaded]);
  return useMemo(() => ({ ...state, more, loadMore }), [state, more, loadMore]);
}

/** A query's own limit, and its key with another one. */
function partsOf(key: string): { readonly limit: number | undefined; keyOf(limit: number): string } {
  const [kind, collection, filter, shape] = JSON.parse(key);
  return { limit: shape.limit, keyOf: (limit) => JSON.stringify([kind, collection, filter, { ...shape, limit }]) };
}
