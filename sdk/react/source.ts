import type { LiveState } from "../types/live.ts";

/** What a component shows: a store as `useSyncExternalStore` takes it. It asks nothing until somebody subscribes. */
export interface Source<R> {
  subscribe(fn: () => void): () => void;
  /** The same object until something changes. */
  read(): LiveState<R>;
}

/** Before the first answer, and where nothing is asked. */
export const NOTHING: LiveState<never> = {
  data: undefined,
  changes: [],
  more: false,
  synced: false,
  pending: false,
  fromCache: false,
  error: undefined,
  position: undefined,
};

/** Of no question. */
export const IDLE: Source<never> = { subscribe: () => () => {}, read: () => NOTHING };

/** What failed shows its error, and nothing else. */
export function failed(error: unknown): LiveState<never> {
  return { ...NOTHING, error: error as NonNullable<LiveState<never>["error"]> };
}

/** Shows another source's data until its own are there. */
export function keeping<R>(own: Source<R>, before: Source<R>): Source<R> {
  let old = before.read();
  let kept: LiveState<R> = { ...old, changes: [], synced: false };
  return {
    subscribe(fn) {
      const leaves = [own, before].map(({ subscribe }) => subscribe(fn));
      return () => {
        for (const leave of leaves) leave();
      };
    },
    read() {
      const state = own.read();
      const newest = before.read();
      if (state !== NOTHING || newest.data === undefined) return state;
      if (newest !== old) kept = { ...newest, changes: [], synced: false };
      old = newest;
      return kept;
    },
  };
}
