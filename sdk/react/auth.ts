import { useSyncExternalStore } from "react";
import type { Auth, Me } from "../types/auth.ts";
import { useClient } from "./provider.ts";

interface Known {
  readonly user: Me | null;
  /** The storage has not been read yet. */
  readonly loading: boolean;
}

interface Store {
  subscribe(fn: () => void): () => void;
  read(): Known;
}

const UNKNOWN: Known = { user: null, loading: true };
const stores = new WeakMap<Auth, Store>();

/**
 * Who is signed in, in this tab or another, and the ways in and out.
 *
 * @example
 * const { user, loading, auth } = useAuth();
 * if (loading) return null;
 * return user ? <button onClick={auth.signOut}>{user.email}</button> : <SignIn />;
 */
export function useAuth(): Known & { readonly auth: Auth } {
  const { auth } = useClient("useAuth");
  const { subscribe, read } = storeOf(auth);
  return { ...useSyncExternalStore(subscribe, read, () => UNKNOWN), auth };
}

function storeOf(auth: Auth): Store {
  const made = stores.get(auth) ?? createStore(auth);
  stores.set(auth, made);
  return made;
}

function createStore(auth: Auth): Store {
  let known = UNKNOWN;
  let loading = true;
  const ready = auth.ready
    .catch(() => {})
    .then(() => {
      loading = false;
    });
  return {
    subscribe(fn) {
      let isOver = false;
      if (loading) void ready.then(() => isOver || fn());
      const stop = auth.onChange(fn);
      return () => {
        isOver = true;
        stop();
      };
    },
    read() {
      const { user } = auth;
      const isLoading = loading && !user;
      if (known.user !== user || known.loading !== isLoading) known = { user, loading: isLoading };
      return known;
    },
  };
}
