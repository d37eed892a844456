import { useCallback, useInsertionEffect, useRef, useState, useSyncExternalStore } from "react";
import type { ApiError } from "../error.ts";

/** What runs, and how it went. */
export interface Mutation<A extends unknown[], R> extends Progress {
  /** Stays the same function. What it returns rejects as `fn` does; whoever does not wait for it finds that in `error`. */
  run(...args: A): Promise<R>;
  /** Forgets the error. */
  reset(): void;
}

interface Progress {
  /** Some run has not ended. */
  readonly pending: boolean;
  /** Of the run that failed last, until the next one begins. The SDK throws `ApiError`; `fn` may throw others. */
  readonly error: ApiError | Error | undefined;
}

const IDLE: Progress = { pending: false, error: undefined };

/**
 * Runs something that writes, and tells whether it is under way and what went wrong.
 *
 * @example
 * const { run, pending, error } = useMutation((title: string) => todos.create({ title, done: false }));
 * return <button disabled={pending} onClick={() => run("Buy milk")}>{error ? error.message : "Add"}</button>;
 */
export function useMutation<A extends unknown[], R>(fn: (...args: A) => Promise<R>): Mutation<A, R> {
  const newest = useRef(fn);
  useInsertionEffect(() => {
    newest.current = fn;
  });
  const [runs] = useState(createRuns);
  const run = useCallback((...args: A) => runs.run(() => newest.current(...args)), [runs]);
  const progress = useSyncExternalStore(runs.subscribe, runs.read, () => IDLE);
  return { ...progress, run, reset: runs.reset };
}

function createRuns() {
  const listeners = new Set<() => void>();
  let running = 0;
  let progress = IDLE;
  const become = (change: Partial<Progress>): void => {
    const next = { ...progress, ...change, pending: running > 0 };
    if (next.pending === progress.pending && next.error === progress.error) return;
    progress = next;
    for (const fn of listeners) fn();
  };
  return {
    run<R>(fn: () => Promise<R>): Promise<R> {
      running++;
      become({ error: undefined });
      const ended: Promise<R> = (async () => {
        try {
          return await fn();
        } catch (error) {
          // A component shows it, so that it is nothing for the platform to report.
          if (listeners.size > 0) queueMicrotask(() => ended.catch(() => {}));
          become({ error: error as Error });
          throw error;
        } finally {
          running--;
          become({});
        }
      })();
      return ended;
    },
    reset: () => become({ error: undefined }),
    read: () => progress,
    subscribe(fn: () => void) {
      listeners.add(fn);
      return () => listeners.delete(fn);
    },
  };
}
