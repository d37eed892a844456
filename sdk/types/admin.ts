import type { Me, SessionInfo } from "./auth.ts";
import type { Json } from "./document.ts";
import type { AdminRules } from "./rules.ts";

export type * from "./rules.ts";

/** What admins and service keys with the scope do. Times are ISO 8601. */
export interface Admin {
  readonly users: AdminUsers;
  readonly admins: AdminAdmins;
  readonly keys: AdminKeys;
  readonly rules: AdminRules;
  readonly settings: AdminSettings;
  readonly audit: AdminAudit;
}

/** The app's users. Nobody chooses or sees a password of theirs. Scopes `admin:users:read` and `:write`. */
export interface AdminUsers {
  /**
   * A page, by id. `q` is an id, or how an address begins.
   *
   * @example const { users, next } = await admin(db).users.list({ q: "ada@" });
   */
  list(options?: { q?: string | undefined; after?: string | undefined }): Promise<{ users: UserInfo[]; next?: string }>;
  /** null: there is none. */
  get(id: string): Promise<UserInfo | null>;
  /**
   * Makes a user, and mails an invitation by which they choose a password.
   *
   * @example await admin(db).users.create({ email: "ada@example.org", roles: ["editor"] });
   * @throws ApiError `already_exists`
   */
  create(values: NewUser): Promise<UserInfo>;
  /** @example await admin(db).users.update(id, { roles: ["editor"], claims: { plan: "pro" } }); */
  update(id: string, values: UserChange): Promise<UserInfo>;
  /** Removes a user, and all that proves or shows them; what they wrote stays. */
  delete(id: string): Promise<void>;
  /** Closes the account: nobody comes in by it, and who is in is out. */
  disable(id: string, reason?: string): Promise<UserInfo>;
  enable(id: string): Promise<UserInfo>;
  /** Ends all sessions. */
  signOut(id: string): Promise<void>;
  /** Mails a link that sets a new password. */
  sendReset(id: string): Promise<void>;
  /** Newest first. */
  sessions(id: string): Promise<SessionInfo[]>;
}

/** A user as admins see them. */
export interface UserInfo extends Me {
  /** null: the account is open. */
  readonly disabledAt: string | null;
  readonly disabledReason: string | null;
  /** What admins note down; the user never sees it. */
  readonly notes: string | null;
  /** Requests for data a minute; null: as many as the setting `limits.user` says. */
  readonly limits: { readonly requestsPerMinute: number | null };
}

export interface NewUser {
  email: string;
  name?: string | undefined;
  /** At most 16. */
  roles?: readonly string[] | undefined;
  /** At most 4 KiB: what rules know of the user. */
  claims?: Json | undefined;
  /** You vouch for the address. */
  proven?: boolean | undefined;
}

export interface UserChange extends Omit<NewUser, "email" | "name" | "proven"> {
  name?: string | null | undefined;
  locale?: string | null | undefined;
  data?: Json | undefined;
  /** At most 4,000 characters; null takes them off. */
  notes?: string | null | undefined;
  /** null takes the user's own limit off. */
  limits?: { requestsPerMinute: number | null } | null | undefined;
}

/** Who runs this Galley: for owners who have lately proven who they are, and full service keys. */
export interface AdminAdmins {
  list(): Promise<AdminInfo[]>;
  /**
   * Mails an invitation. A service key is also told its link.
   *
   * @example await admin(db).admins.invite({ email: "grace@example.org", role: "editor" });
   */
  invite(values: { email: string; role: AdminRole }): Promise<{ admin: AdminInfo; link?: string }>;
  /** @throws ApiError `failed_precondition`: the last owner stays one */
  update(id: string, values: { role: AdminRole }): Promise<AdminInfo>;
  delete(id: string): Promise<void>;
}

export type AdminRole = "owner" | "editor" | "viewer";

export interface AdminInfo {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: AdminRole;
  /** Whether the invitation is still open. */
  readonly invited: boolean;
  readonly createdAt: string;
  readonly lastSignInAt: string | null;
}

/** Service keys. Scopes `admin:keys:read` and `:write`; none gives more than the maker has. */
export interface AdminKeys {
  list(): Promise<KeyInfo[]>;
  /**
   * Makes a key. Its `secret` is the whole key, and shown this once.
   *
   * @example const { secret } = await admin(db).keys.create({ name: "nightly", scopes: ["documents:*:list"] });
   */
  create(values: KeyValues & { name: string; scopes: readonly string[] }): Promise<{ key: KeyInfo; secret: string }>;
  /** `suspended: false` lets a suspended key count again: whoever says so answers for it from then on. */
  update(id: string, values: KeyValues & { suspended?: false | undefined }): Promise<KeyInfo>;
  /**
   * Gives a key a new secret; the old one stays good for `overlap` seconds, at most a day.
   *
   * @example const { secret } = await admin(db).keys.rotate(id, { overlap: 3600 });
   */
  rotate(id: string, options?: { overlap?: number | undefined }): Promise<{ key: KeyInfo; secret: string }>;
  /** Revokes a key, at once. */
  delete(id: string): Promise<void>;
}

export interface KeyValues {
  name?: string | undefined;
  /** As in `documents:posts:list`. */
  scopes?: readonly string[] | undefined;
  /** null: never; a year from now if absent. */
  expiresAt?: string | null | undefined;
  /** Where it may come from, as in `10.0.0.0/8`; empty: anywhere. */
  networks?: readonly string[] | undefined;
}

export interface KeyInfo {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: string;
  /** Id of who made it. */
  readonly createdBy: string;
  /** The admin who made it is gone: nobody comes in by it. */
  readonly suspended: boolean;
  /** null: never. */
  readonly expiresAt: string | null;
  readonly networks: readonly string[];
  readonly lastUsedAt?: string;
  readonly lastUsedFrom?: string;
}

/** What is set while the server runs, by group. Scopes `admin:settings:read` and `:write`. */
export interface AdminSettings {
  get(): Promise<ShownSettings>;
  /**
   * Changes what is named; null brings a default back.
   *
   * @example await admin(db).settings.update({ signUp: { confirm: "first" }, password: { min: 12 } });
   * @returns all settings, which hold on every node then
   */
  update(change: SettingsChange): Promise<ShownSettings>;
}

/** Times are in seconds. */
export interface Settings {
  readonly app: { readonly name: string; readonly urls: readonly string[] };
  readonly signUp: { readonly open: true | false | "invite"; readonly confirm: "later" | "first" };
  readonly password: { readonly min: number };
  readonly sessions: { readonly accessSeconds: number; readonly user: SessionLives; readonly admin: SessionLives };
  /** Where admins may come from, as in `10.0.0.0/8`; empty: anywhere. */
  readonly admins: { readonly networks: readonly string[] };
  /** `anonymous` and `user`: requests for data a minute of one network and of one user; null: any. */
  readonly limits: {
    readonly anonymous: number | null;
    readonly user: number | null;
  } & { readonly [of in "network" | "account" | "session"]: { readonly [limit: string]: number } };
  readonly mail: { readonly templates: Json };
}

export interface ShownSettings extends Settings {
  /** What variables fix, by their name. `value` is what holds, null for nothing; secrets have none. */
  readonly environment: { readonly [variable: string]: { readonly set: boolean; readonly value?: unknown } };
  /** What the server has noticed since its start that whoever runs it should know. */
  readonly warnings: readonly string[];
}

export interface SessionLives {
  readonly idleSeconds: number;
  readonly absoluteSeconds: number;
  /** How many one person has at once. */
  readonly most: number;
}

export type SettingsChange = Change<Settings>;
type Change<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: Change<T[K]> | null }
    : T;

/** What was done by whom, kept for a year. Scope `admin:audit:read`. */
export interface AdminAudit {
  /**
   * A page, newest first.
   *
   * @example const { lines, next } = await admin(db).audit.list({ user: id, limit: 20 });
   */
  list(options?: AuditOptions): Promise<{ lines: AuditLine[]; next?: string }>;
}

export interface AuditOptions {
  /** The `next` of the page before. */
  after?: string | undefined;
  limit?: number | undefined;
  /** Only what this person or key did, or what was done to them. */
  user?: string | undefined;
  action?: string | undefined;
}

export interface AuditLine {
  readonly id: string;
  readonly at: string;
  readonly action: string;
  /** Id of who did it, or a word, as in `anonymous`. */
  readonly by: string;
  /** Id of whom it concerns. */
  readonly for: string | null;
  readonly network: string | null;
  readonly address: string | null;
  readonly requestId: string | null;
  readonly userAgent: string | null;
  readonly details: Json;
}
