import type { Watch } from "../live.ts";
import type { Live, LiveState } from "../types/live.ts";
import type { Question } from "../types/question.ts";
import { failed, NOTHING, type Source } from "./source.ts";

/** Milliseconds that a live result outlives the last component that shows it. */
const LINGER = 5000;

/** One live result, for all components that show it: in one commit they show one state. */
interface Shared extends Source<unknown> {}

const results = new WeakMap<Watch, Map<string, Shared>>();

/** The live result of a key, which equal questions of a client share. */
export function liveSource<R>(watch: Watch, key: string): Source<R> {
  return {
    read: () => (results.get(watch)?.get(key)?.read() ?? NOTHING) as LiveState<R>,
    subscribe(fn) {
      const all = results.get(watch) ?? new Map<string, Shared>();
      results.set(watch, all);
      const shared = all.get(key) ?? createShared(watch, key, () => all.delete(key));
      all.set(key, shared);
      return shared.subscribe(fn);
    },
  };
}

/** @param gone called when nobody shows it any more */
function createShared(watch: Watch, key: string, gone: () => void): Shared {
  const listeners = new Set<() => void>();
  let live: Live<unknown> | undefined;
  let failure: LiveState<never> | undefined;
  let linger: ReturnType<typeof setTimeout> | undefined;
  const tell = (): void => {
    for (const fn of listeners) fn();
  };
  const read = (): LiveState<unknown> => {
    const state = failure ?? live?.state ?? NOTHING;
    return state.data === undefined && !state.error ? NOTHING : state;
  };

  function ask(): void {
    failure = undefined;
    live?.close();
    try {
      // It has lingered when it is closed.
      live = watch(key, tell, 0);
    } catch (error) {
      // Where there is no WebSocket.
      failure = failed(error);
    }
  }

  const close = (): void => {
    stop();
    live?.close();
    gone();
  };
  const stop = watch.auth.onChange((_user, why) => {
    // What was refused to one may be shown to another.
    if (why !== "changed" && read().error) ask();
  });
  ask();
  return {
    read,
    subscribe(fn) {
      clearTimeout(linger);
      // It was refused after the last one had left.
      if (listeners.size === 0 && read().error) ask();
      listeners.add(fn);
      return () => {
        listeners.delete(fn);
        if (listeners.size > 0) return;
        // Whoever comes back to what has failed asks anew.
        if (read().error) close();
        else linger = setTimeout(close, LINGER);
      };
    },
  };
}

/** The answer to a question that is asked once, and anew for another user. */
export function onceSource<R>(question: Question<R>, watch: Watch): Source<R> {
  const listeners = new Set<() => void>();
  let state: LiveState<R> = NOTHING;
  let asked: object | undefined;
  /** Whose answer it is: who comes back, as from a hidden `Activity`, has not been told of others meanwhile. */
  let who: string | undefined;
  const me = (): string | undefined => watch.auth.user?.id;
  const become = (next: LiveState<R>): void => {
    state = next;
    for (const fn of listeners) fn();
  };
  const ask = (): void => {
    const mine = {};
    asked = mine;
    who = me();
    become(NOTHING);
    question.then(
      (data) => asked === mine && become({ ...NOTHING, data, synced: true }),
      (error) => asked === mine && become(failed(error)),
    );
  };
  return {
    read: () => (who === me() ? state : NOTHING),
    subscribe(fn) {
      listeners.add(fn);
      if (!asked || who !== me()) ask();
      const stop = watch.auth.onChange((_user, why) => why !== "changed" && ask());
      return () => {
        listeners.delete(fn);
        stop();
      };
    },
  };
}
