import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { DOOR } from "../door.ts";
import type { Watch } from "../live.ts";
import type { Collection } from "../types/collection.ts";
import type { Doc } from "../types/document.ts";
import type { LiveState } from "../types/live.ts";
import type { Question } from "../types/question.ts";
import { liveSource, onceSource } from "./shared.ts";
import { IDLE, keeping, NOTHING, type Source } from "./source.ts";

/** A question; nothing is asked where it is none. */
export type Maybe<Q> = Q | null | undefined | false | "";

/**
 * Keeps a question answered while the component is there. It may be written inline: equal questions are one.
 *
 * @param question what is falsy asks nothing, as in `id && todos.get(id)`
 * @param options `once` asks without watching; `keep` shows the old data while those of a new question load
 * @example const { data = [], synced } = useLive(todos.find({ done: false }, { sort: "-_createdAt" }));
 */
export function useLive<R>(
  question: Maybe<Question<R>>,
  { once = false, keep = false }: { once?: boolean; keep?: boolean } = {},
): LiveState<R> {
  const watch = watchOf(question);
  const key = question ? question.key : undefined;
  // Not of the question itself: one written inline is another object each time.
  const source = useMemo<Source<R>>(() => {
    if (!question || !watch) return IDLE;
    return once ? onceSource(question, watch) : liveSource(watch, question.key);
  }, [watch, key, once]);
  return useSource(source, keep ? watch : undefined);
}

/**
 * One document by its id; null if it is absent or not visible.
 *
 * @example const { data: todo } = useDocument(todos, id);
 */
export function useDocument<T, S>(
  collection: Collection<T, S>,
  id: string | null | undefined | false,
): LiveState<Doc<T> | null> {
  return useLive(id ? collection.get(id) : null);
}

/** Of the client that a question belongs to. */
export function watchOf(question: Maybe<Question<unknown>>): Watch | undefined {
  return question ? (question as Question<unknown> & { readonly [DOOR]: Watch })[DOOR] : undefined;
}

/**
 * What a source shows.
 *
 * @param group where the source before had the same one, its data are shown until there are others
 */
export function useSource<R>(source: Source<R>, group: unknown): LiveState<R> {
  const [shown, setShown] = useState({ source, group });
  const before = group && group === shown.group ? shown.source : source;
  const { subscribe, read } = useMemo(() => (before === source ? source : keeping(source, before)), [source, before]);
  const state = useSyncExternalStore<LiveState<R>>(subscribe, read, () => NOTHING);
  useEffect(() => {
    // Once it has data of its own the one before is left.
    if (group && (shown.group !== group || (shown.source !== source && state === source.read()))) {
      setShown({ source, group });
    }
  }, [source, group, shown, state]);
  return state;
}
