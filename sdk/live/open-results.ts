import type { ApiError } from "../error.ts";
import type { Live, LiveState } from "../types/live.ts";
import type { Open } from "./join.ts";
import { LiveResult } from "./live-result.ts";
import type { Machine } from "./parts.ts";
import { watchedOf } from "./question.ts";

/** Before the first answer. */
const NOTHING: LiveState<never> = {
  ...{ data: undefined, error: undefined, changes: [] },
  ...{ more: false, synced: false, pending: false, fromCache: false },
  position: undefined,
};

/** The live results of a client, as its app holds them. */
export interface OpenResults extends Machine {
  /** Closes all of them. */
  close(): void;
}

/** @param Class handed in, as in transaction.ts */
export function createOpenResults(open: Open, openJoin: Open, Class: typeof ApiError): OpenResults {
  const lives = new Set<LiveResult<unknown>>();
  return {
    watch<R>(key: string, next?: (state: LiveState<R>) => void, linger?: number): Live<R> {
      let close = (): void => {};
      const live = new LiveResult<unknown>(NOTHING, next as (state: LiveState<unknown>) => void, () => {
        lives.delete(live);
        close();
        return new Class("aborted", "the live result was closed");
      });
      lives.add(live);
      const isJoined = watchedOf(key).shape.expand !== undefined;
      close = (isJoined ? openJoin : open)(key, live, linger);
      // What is known already, unless something newer is told first.
      if (live.state !== NOTHING) queueMicrotask(() => live.tell());
      return live as Live<unknown> as Live<R>;
    },
    close() {
      for (const live of lives) live.close();
    },
  };
}
