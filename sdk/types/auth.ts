import type { Json } from "./document.ts";

/** Who is signed in, and the ways in and out; one of each client. Times are ISO 8601. */
export interface Auth {
  /** Who is signed in; null: nobody. Known at once where the storage answers at once, as in browsers; else after {@link ready}. */
  readonly user: Me | null;
  /**
   * Resolves when the storage was read. Whether the session still holds, the first request tells.
   *
   * @example if (!(await db.auth.ready)) location.href = "/sign-in";
   */
  readonly ready: Promise<Me | null>;

  /**
   * Tells who is signed in whenever that changes, in other tabs too: `in`, `out`, `ended` (by the server: signed out
   * elsewhere, or too long away), `changed` (the same person, with other data).
   *
   * @example const stop = db.auth.onChange((user, why) => render(user, why === "ended" ? "Please sign in again" : ""));
   * @returns what ends it
   */
  onChange(fn: (user: Me | null, why: Why) => void): () => void;

  /**
   * Makes an account. Where the server wants the address proven first, `next` says so, and {@link finish} signs in.
   * A guest becomes that user, and keeps the id.
   *
   * @example
   * const { next } = await db.auth.signUp({ email, password });
   * if (next) await db.auth.finish(next, { code: prompt("The code that we mailed you") });
   * @throws ApiError `invalid_argument` (see `fields`), `already_exists`, `permission_denied` (`sign_up_closed`)
   */
  signUp(values: SignUp): Promise<AuthStep>;

  /**
   * Signs in. Also the answer to `reauth_required`: who is signed in proves again who they are.
   *
   * @example await db.auth.signIn({ email, password });
   * @throws ApiError `unauthenticated` (`bad_credentials`), `rate_limited`
   */
  signIn(values: { email: string; password: string }): Promise<AuthStep>;

  /**
   * Goes on as somebody without a name, who may sign up later.
   *
   * @example const guest = await db.auth.signInAsGuest();
   */
  signInAsGuest(values?: { profile?: Json }): Promise<Me>;

  /**
   * Gives what was mailed: the code with the step it belongs to, or the secret of the link. A link proves an address
   * together with a session of the account or with its password.
   *
   * @example const { user } = await db.auth.finish(next, { code: "123456" });
   * @example await db.auth.finish(null, { token: location.hash.split("token=")[1] });
   * @returns who is signed in then: null if the address is proven, but nobody is signed in here
   * @throws ApiError `unauthenticated` (`secret_invalid`, `reauth_required`)
   */
  finish(next: Next | null, answer: Answer): Promise<AuthStep | { user: null; next?: undefined }>;

  /**
   * Mails a new code and link, of a pending sign-up; without `next`, for the address of who is signed in.
   *
   * @example next = await db.auth.resend(next);
   * @throws ApiError `rate_limited`, `failed_precondition` if there is nothing to prove
   */
  resend(next?: Next): Promise<Next>;

  /**
   * Signs out here, at once; it rejects if the server could not be told.
   *
   * @example await db.auth.signOut();
   */
  signOut(): Promise<void>;

  /**
   * Changes what you say of yourself; null takes a name or a locale off.
   *
   * @example await db.auth.update({ name: "Ada", data: { theme: "dark" } });
   */
  update(values: { name?: string | null; locale?: string | null; data?: Json }): Promise<Me>;

  /**
   * Removes the account. What the app stored under it is the app's to keep.
   *
   * @example await db.auth.deleteAccount();
   * @throws ApiError `unauthenticated` (`reauth_required`): sign in again first
   */
  deleteAccount(): Promise<void>;

  /**
   * Mails a link by which a new password is set, if somebody has the address.
   *
   * @example await db.auth.forgotPassword("ada@example.org");
   */
  forgotPassword(email: string): Promise<void>;

  /**
   * Sets a new password by the secret of that link. Every session ends, and nobody is signed in.
   *
   * @example await db.auth.resetPassword({ token, password });
   * @throws ApiError `unauthenticated` (`secret_invalid`), `invalid_argument`
   */
  resetPassword(values: { token: string; password: string }): Promise<void>;

  /**
   * Changes the password. All other sessions end.
   *
   * @example await db.auth.changePassword({ current, password });
   * @throws ApiError `unauthenticated` (`bad_credentials`), `invalid_argument`
   */
  changePassword(values: { current: string; password: string }): Promise<void>;

  /**
   * Mails a code to the address that you want to have; {@link finish} makes it yours.
   *
   * @example const next = await db.auth.changeEmail("new@example.org");
   * @throws ApiError `unauthenticated` (`reauth_required`): sign in again first
   */
  changeEmail(email: string): Promise<Next>;

  /** Where you are signed in. */
  readonly sessions: {
    /** @example for (const { id, device, current } of await db.auth.sessions.list()) console.log(id, device.os, current); */
    list(): Promise<SessionInfo[]>;
    /** @example await db.auth.sessions.end(id); */
    end(id: string): Promise<void>;
    /** @example await db.auth.sessions.endOthers(); */
    endOthers(): Promise<void>;
  };

  /**
   * An access token for a request of your own, good for at least 30 s; null if nobody is signed in.
   *
   * @example fetch(url, { headers: { authorization: `Bearer ${await db.auth.token()}` } });
   */
  token(): Promise<string | null>;
}

/** Why another user, or none, is signed in. */
export type Why = "in" | "out" | "ended" | "changed";

export interface SignUp {
  email: string;
  password: string;
  name?: string | undefined;
  /** As in `de-CH`: the language of mails. */
  locale?: string | undefined;
  /** Private preferences, at most 8 KiB: you and admins read them. */
  data?: Json | undefined;
  /** The new user's document in the collection `users`, by its rules. */
  profile?: Json | undefined;
  /** The secret of an invitation's link. */
  invite?: string | undefined;
}

/** What was mailed: the code, or the secret of the link. */
export type Answer = { code: string } | { token: string; password?: string | undefined };

/** How a way in goes on: somebody is signed in, or something is asked for first. */
export type AuthStep = { user: Me; next?: undefined } | { user?: undefined; next: Next };

/** What is asked for before anybody is signed in. Plain data: it may be stored until the code has come. */
export interface Next {
  readonly kind: "email";
  readonly challenge: string;
  readonly expiresAt: string;
}

/** A person as they see themselves. */
export interface Me {
  readonly id: string;
  /** null: a guest has none. */
  readonly email: string | null;
  readonly emailProven: boolean;
  readonly guest: boolean;
  readonly name: string | null;
  readonly locale: string | null;
  readonly data: Json;
  readonly roles: readonly string[];
  readonly claims: Json;
  /** Of admins only. */
  readonly role?: "owner" | "editor" | "viewer";
  readonly mfa: { readonly totp: boolean; readonly passkeys: number; readonly recoveryLeft: number };
  readonly identities: readonly {
    readonly id: string;
    readonly provider: string;
    readonly email: string | null;
    readonly linkedAt: string;
  }[];
  readonly createdAt: string;
  readonly lastSignInAt: string | null;
}

/** One sign-in on one device; ended ones are listed for 30 days. */
export interface SessionInfo {
  readonly id: string;
  /** Whether it is the session that asks. */
  readonly current: boolean;
  readonly kind: "normal";
  readonly device: { readonly name: string | null; readonly os: string; readonly app: string };
  readonly network: string;
  readonly createdAt: string;
  readonly lastUsedAt: string;
  readonly endsAt: string;
  /** null: it has not. */
  readonly endedAt: string | null;
  readonly mfa: boolean;
}
