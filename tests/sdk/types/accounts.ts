// Judged by the compiler: what stands here must compile, and each line under `@ts-expect-error` must not.
import { type AuthStep, createClient, type KeyStorage, type Me, type Next, type SessionInfo } from "@galley/sdk";
import { type AdminInfo, type AuditLine, admin, type KeyInfo, type Settings, type UserInfo } from "@galley/sdk/admin";
import type { AuditLine as ServerAuditLine } from "../../../server/accounts/audit/audit.ts";
import type { Next as ServerNext } from "../../../server/accounts/entry.ts";
import type { AdminInfo as ServerAdminInfo } from "../../../server/accounts/flows/admins.ts";
import type { KeyInfo as ServerKeyInfo } from "../../../server/accounts/keys/service-keys.ts";
import type * as present from "../../../server/accounts/present.ts";
import type { StoredSettings } from "../../../server/accounts/settings/settings.ts";
import { db, type Same, same } from "./schema.ts";

/** What the server answers is what the SDK says, member by member. */
type Served<Client, Server> = [Server] extends [Client] ? Same<keyof Client, keyof Server> : false;
same<Served<Me, present.Me>>();
same<Served<UserInfo, present.UserInfo>>();
same<Served<SessionInfo, present.SessionInfo>>();
same<Served<Next, ServerNext>>();
same<Served<AdminInfo, ServerAdminInfo>>();
same<Served<KeyInfo, ServerKeyInfo>>();
same<Served<AuditLine, ServerAuditLine>>();
same<Served<Settings["sessions"], StoredSettings["sessions"]>>();
same<Served<Settings["signUp"], StoredSettings["signUp"]>>();
same<Same<keyof Settings, keyof StoredSettings>>();
same<Same<keyof Settings["limits"], keyof StoredSettings["limits"]>>();

const { user, next } = await db.auth.signUp({ email: "ada@example.org", password: "x", data: { theme: "dark" } });
if (next) await db.auth.finish(next, { code: "123456" });
else same<Same<typeof user, Me>>();
const step: AuthStep = await db.auth.signIn({ email: "ada@example.org", password: "x" });
if (step.user) step.user.name?.toUpperCase();
const proven = await db.auth.finish(null, { token: "t", password: "x" });
same<Same<typeof proven.user, Me | null | undefined>>();
const stop: () => void = db.auth.onChange((user, why) => {
  const text: "in" | "out" | "ended" | "changed" = why;
  void [user?.id, text];
});
stop();
await db.auth.update({ name: null, locale: "de-CH" });
const [device] = await db.auth.sessions.list();
same<Same<typeof device, SessionInfo | undefined>>();
const token: string | null = await db.auth.token();
void token;

// @ts-expect-error one of them, or what comes next
step.user.id;
// @ts-expect-error nobody may be signed in
db.auth.user.id;
// @ts-expect-error who is signed in is not set
db.auth.user = null;
// @ts-expect-error roles are the admins' to give
db.auth.update({ roles: ["admin"] });
// @ts-expect-error a password is needed
db.auth.signIn({ email: "ada@example.org" });
// @ts-expect-error neither a code nor a link
db.auth.finish(null, { totp: "123456" });
// @ts-expect-error a code belongs to a step
db.auth.resend({ challenge: "x" });

declare const asyncStorage: {
  getItem(key: string, callback?: (error?: Error | null, result?: string | null) => void): Promise<string | null>;
  setItem(key: string, value: string, callback?: (error?: Error | null) => void): Promise<void>;
  removeItem(key: string, callback?: (error?: Error | null) => void): Promise<void>;
};
const storages: KeyStorage[] = [localStorage, sessionStorage, asyncStorage];
createClient({ url: "http://localhost", storage: storages[0] });
// @ts-expect-error no storage
createClient({ url: "http://localhost", storage: new Map() });

const { users, keys, settings, admins, audit } = admin(db);
const found = await users.get("x");
same<Same<typeof found, UserInfo | null>>();
await users.update("x", { roles: ["editor"], claims: { plan: "pro" }, name: null });
await keys.create({ name: "nightly", scopes: ["documents:*:list"], expiresAt: null });
await settings.update({ signUp: { open: "invite", confirm: null }, sessions: { user: { most: 5 } }, password: null });
await settings.update({ limits: { user: 600, anonymous: null }, admins: { networks: ["10.0.0.0/8"] } });
const port: unknown = (await settings.get()).environment.GALLEY_PORT?.value;
void port;
await keys.update("x", { suspended: false });
await admins.invite({ email: "grace@example.org", role: "editor" });
await audit.list({ user: "x", limit: 5 });
// @ts-expect-error no such role
admins.invite({ email: "grace@example.org", role: "boss" });
// @ts-expect-error admins choose no password
users.create({ email: "ada@example.org", password: "x" });
// @ts-expect-error no such setting
settings.update({ signUp: { opened: true } });
// @ts-expect-error a number
settings.update({ password: { min: "12" } });
