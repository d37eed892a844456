import type { KeyStorage } from "./types/client.ts";

/** What may take time where a storage is asynchronous, and is there at once where it is not. */
export type Soon<T> = T | PromiseLike<T>;

/** Texts by key, kept where the app wants them. */
export interface Keeper {
  get(key: string): Soon<unknown>;
  /** @param text undefined: removes it */
  set(key: string, text: string | undefined): Soon<unknown>;
}

/** @param storage without one in memory, and so from the moment on when it fails: full, switched off, broken */
export function createKeeper(storage: KeyStorage | undefined): Keeper {
  const memory = new Map<string, unknown>();
  let sound = storage;
  /** The end of what was asked for before: a slow write must not end after a later one. */
  let last: Soon<unknown>;

  const inOrder = (act: () => Soon<unknown>): Soon<unknown> => {
    last = whenever(last, act);
    return last;
  };
  const attempt = (act: () => Soon<unknown>, failed: () => Soon<unknown>): Soon<unknown> => {
    const fail = (): Soon<unknown> => {
      sound = undefined;
      return failed();
    };
    try {
      const result = act();
      return isPromise(result) ? result.then(undefined, fail) : result;
    } catch {
      return fail();
    }
  };
  return {
    get: (key) =>
      inOrder(() =>
        attempt(
          () => (sound ? sound.getItem(key) : memory.get(key)),
          () => memory.get(key),
        ),
      ),
    set(key, text) {
      memory.set(key, text);
      // What a storage that fails still holds gets old: an outdated token would end the session.
      const remove = (): Soon<unknown> => storage?.removeItem(key);
      return inOrder(() =>
        attempt(
          () => (sound && text !== undefined ? sound.setItem(key, text) : remove()),
          () => attempt(remove, () => {}),
        ),
      );
    },
  };
}

/** @returns undefined where there is none, or where the page may not have it */
export function pageStorage(): KeyStorage | undefined {
  try {
    return "document" in globalThis ? localStorage : undefined;
  } catch {
    return undefined;
  }
}

/** Goes on with a value as soon as it is there: at once, if it is. */
export function whenever<T, R>(value: Soon<T>, next: (value: T) => Soon<R>): Soon<R> {
  return isPromise(value) ? value.then(next) : next(value);
}

function isPromise<T>(value: Soon<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | undefined)?.then === "function";
}
