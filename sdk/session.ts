import { ApiError } from "./error.ts";
import { type Held, idOf, isDue, left, readHeld, type Tokens } from "./held.ts";
import type { Grant, Http } from "./http.ts";
import { createLock } from "./lock.ts";
import { type Keeper, type Soon, whenever } from "./storage.ts";
import type { Auth, Me, Why } from "./types/auth.ts";

/** The part of `db.auth` that is always there. */
export type OwnAuth = Pick<Auth, "user" | "ready" | "onChange" | "signOut" | "token">;

/** Who is signed in, in this tab and in all others of the same storage; sdk.md 7. */
export interface Session {
  readonly auth: OwnAuth;
  /** The grant of a request that is made now. It is good for one user: nobody's request becomes another's. */
  claim(): Grant;
  /**
   * Runs what may change who is signed in, one at a time over all tabs: nothing renews the tokens meanwhile.
   *
   * @param work must send with the grant that it gets
   */
  alone<R>(work: (grant: Grant, held: Held | null) => Promise<R>): Promise<R>;
  /** Tells of a session, and keeps it; null: there is none. */
  keep(held: Held | null): Soon<unknown>;
  refresh(refreshToken?: string): Promise<Tokens>;
  close(): void;
}

export interface SessionOptions {
  /** Its name, in the storage too. */
  readonly key: string;
  readonly keeper: Keeper;
  /** Of what tabs share: their storage, or a cookie. */
  readonly locks: LockManager | undefined;
  /** What demands of the server to read its cookie. */
  readonly headers?: Record<string, string>;
  /** Where a cookie holds the refresh token: asks whose it is now, since other tabs sign in and out by it as well. */
  readonly restore?: () => Promise<Tokens & Pick<Held, "user">>;
  readonly send: Http["send"];
}

/** Milliseconds for a refresh with its retries: up to 30 s later the server still knows the token that it replaced. */
const REFRESH_TIME = 25_000;
/** Another tab has written; a page that the browser had put aside, deaf to that, is shown again. */
const CHANGES = ["storage", "pageshow"];
/** Milliseconds in which the tabs of a browser see what one of them has written. */
const WRITTEN = 2000;
/** Milliseconds that a token still holds when it is handed out. */
const HANDED_OUT = 30_000;

export function createSession({ key, keeper, locks, headers, restore, send }: SessionOptions): Session {
  const listeners = new Set<(user: Me | null, why: Why) => void>();
  let held: Held | null = null;
  let loaded = false;
  let loading: Soon<unknown>;
  /** The refresh under way in this tab. */
  let renewing: Promise<void> | undefined;
  /** The end of what runs alone in this tab. */
  let changing: Promise<unknown> | undefined;
  /** The session that was signed out here: a refresh that ends later, in another tab, must not bring it back. */
  let gone: string | undefined;
  /** Another tab has written something. */
  let wrote: (() => void) | undefined;
  const exclusive = createLock(locks, `${key}:refresh`);
  const user = (): Me | null => held?.user ?? null;

  function become(next: Held | null, lost: Why = "out"): void {
    const before = user();
    const now = next?.user ?? null;
    const same = JSON.stringify(now) === JSON.stringify(before);
    held = next && { ...next, user: (same ? before : now) as Me };
    if (same) return;
    const why = now ? (now.id === before?.id ? "changed" : "in") : lost;
    // Each by itself and later: what one throws is the platform's to report, and no caller's code runs under the lock.
    for (const tell of listeners) queueMicrotask(() => listeners.has(tell) && tell(now, why));
  }

  function keep(next: Held | null, lost?: Why): Soon<unknown> {
    become(next, lost);
    return keeper.set(key, next ? JSON.stringify(next) : undefined);
  }

  /** Takes over what is kept: another tab may have changed it. */
  function adopt(): Soon<unknown> {
    return whenever(keeper.get(key), (text) => {
      const next = readHeld(text);
      if (next && next.id === gone) return keep(null);
      // Another tab wrote before it saw what this one had written: outdated tokens would end the session.
      if (next && next.id === held?.id && next.turn < held.turn) return keep({ ...held, user: next.user });
      return become(next);
    });
  }

  function load(): Soon<unknown> {
    if (loaded || loading) return loading;
    for (const type of CHANGES) globalThis.addEventListener?.(type, onChange);
    const restored = restore && exclusive(restore).then((found) => keep({ id: "", turn: 0, ...found }), demandNobody);
    loading = whenever(restored, () =>
      whenever(adopt(), () => {
        loaded = true;
      }),
    );
    // Whoever asks next tries again.
    (loading as Promise<unknown> | undefined)?.then(undefined, () => {
      loading = undefined;
    });
    return loading;
  }

  function onChange(event: Event & { key?: string | null }): void {
    if (event.key && event.key !== key) return;
    adopt();
    wrote?.();
  }

  async function post(path: string, refreshToken: string | undefined, timeout?: number): Promise<unknown> {
    const body = JSON.stringify({ refreshToken });
    return send({ method: "POST", path: `auth/${path}`, body, headers, timeout, grant: async () => undefined });
  }

  async function refresh(refreshToken?: string): Promise<Tokens> {
    const at = Date.now();
    return { ...((await post("refresh", refreshToken, REFRESH_TIME)) as Tokens), at };
  }

  /**
   * @param ended the server's word that it is over
   * @param waited whether another tab may have done it just now
   */
  async function renew(needs: (held: Held) => boolean, ended?: ApiError, waited?: boolean): Promise<void> {
    await adopt();
    if (!restore && (waited || (ended && locks)) && held && needs(held)) {
      // The lock is there before what its last holder has written.
      await new Promise<void>((resolve) => {
        wrote = resolve;
        setTimeout(resolve, WRITTEN);
      });
      await adopt();
    }
    const mine = held;
    if (!mine || !needs(mine)) return;
    // It may have become another one meanwhile, or was signed out: what came of a refresh is then nobody's.
    const replace = async (change: (now: Held) => Held | null): Promise<void> => {
      await adopt();
      if (held?.accessToken === mine.accessToken) await keep(change(held), "ended");
    };
    try {
      if (ended) throw ended;
      const found = restore ? await restore() : await refresh(mine.refreshToken);
      await replace((now) => ({ ...now, ...found, turn: now.turn + 1 }));
    } catch (error) {
      if (ApiError.is(error, "unauthenticated")) await replace(() => null);
      throw error;
    }
  }

  /** One for all who need it in this tab, and one tab at a time. */
  const renewShared: typeof renew = (needs, ended) => {
    renewing ??= exclusive((waited) => renew(needs, ended, waited)).finally(() => {
      renewing = undefined;
    });
    return renewing;
  };

  function claim(run = renewShared): Grant {
    load();
    let who = loaded ? idOf(held) : undefined;
    return async (refused) => {
      await load();
      who ??= idOf(held);
      const needs = refused ? ({ accessToken }: Held) => accessToken === refused.token : isDue;
      if (held && needs(held)) {
        const ended = refused?.error.reason === "session_ended" ? refused.error : undefined;
        await run(needs, ended).catch((error) => {
          // A token that still holds does for now.
          if (refused || !held || left(held) <= 0) throw error;
        });
      }
      if (who !== idOf(held)) throw refused?.error ?? new ApiError("aborted", "someone else is signed in by now");
      return held?.accessToken;
    };
  }

  return {
    auth: {
      get user() {
        load();
        return user();
      },
      get ready() {
        return Promise.resolve(load()).then(user);
      },
      onChange(fn) {
        load();
        const tell: typeof fn = (...change) => fn(...change);
        listeners.add(tell);
        return () => listeners.delete(tell);
      },
      async signOut() {
        await load();
        await changing;
        await adopt();
        if (!held) return;
        const { id, refreshToken } = held;
        gone = id;
        await keep(null);
        await post("sign-out", refreshToken);
      },
      async token() {
        await load();
        const needs = (held: Held): boolean => left(held) < HANDED_OUT;
        if (held && needs(held)) await renewShared(needs);
        return held?.accessToken ?? null;
      },
    },
    claim,
    async alone(work) {
      await load();
      const run = exclusive(async () => {
        await adopt();
        return work(claim(renew), held);
      });
      changing = run.catch(() => {});
      return run;
    },
    keep,
    refresh,
    close() {
      for (const type of CHANGES) globalThis.removeEventListener?.(type, onChange);
    },
  };
}

/** @throws what was thrown, unless it says that nobody is signed in */
function demandNobody(error: unknown): void {
  if (!ApiError.is(error, "unauthenticated")) throw error;
}
