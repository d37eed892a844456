import { type Client, type ClientOptions, createClient } from "@galley/sdk";
import { admin } from "@galley/sdk/admin";
import t from "tap";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { mailFor } from "../support/mailbox.ts";
import { errorOf, mapStorage } from "./session-script.ts";

const PASSWORD = "plum-orbit-lantern-42";
const OTHER = "quartz-meadow-harbour-7";
const MINUTE = 60_000;

onEachEngine(t, async (t, engine) => {
  let now = Date.parse("2026-03-01T00:00:00Z");
  const app = await startApp({ engine, clock: () => now });
  const clients: Client[] = [];
  const connect = (options: Partial<ClientOptions> = {}): Client => {
    const client = createClient({ url: app.url, ...options });
    clients.push(client);
    return client;
  };
  t.teardown(() => {
    for (const client of clients) client.close();
    return app.close();
  });
  const root = admin(connect({ serviceKey: app.key }));
  let people = 0;
  /** Somebody new, signed in by a client of their own. */
  const someone = async () => {
    // Another mail to the same address is allowed a minute later.
    now += 2 * MINUTE;
    const email = `person${++people}@example.org`;
    const storage = mapStorage();
    const db = connect({ storage });
    const told: string[] = [];
    db.auth.onChange((user, why) => told.push(`${user === null ? "nobody" : "somebody"} ${why}`));
    const { user } = await db.auth.signUp({ email, password: PASSWORD, name: "Ada", data: { theme: "dark" } });
    if (!user) throw new Error("expects a sign-up that signs in");
    return { email, db, user, told, storage, mail: await mailFor(app.folder, email, "verify") };
  };
  const refused = (reason: string) => ({ code: "unauthenticated", reason, status: 401 });

  t.test("sign-up signs in, and the session outlives the client", async (t) => {
    const { email, db, user, told, storage } = await someone();
    t.match(user, { email, emailProven: false, guest: false, name: "Ada", data: { theme: "dark" }, roles: [] });
    t.equal(db.auth.user, user);
    t.strictSame(told, ["somebody in"]);
    const later = connect({ storage });
    t.strictSame(later.auth.user, user);
    t.match(await later.auth.sessions.list(), [{ current: true, kind: "normal" }]);
    const fault = await errorOf(connect().auth.signUp({ email: "nobody", password: "short" }));
    t.match(fault, { code: "invalid_argument", outcome: "not_applied" });
    t.strictSame(Object.keys(fault.fields).sort(), ["email", "password"]);
    t.match(await errorOf(connect().auth.signUp({ email, password: OTHER })), { code: "already_exists" });
  });

  t.test("sign-in and sign-out", async (t) => {
    const { email, db, user, told } = await someone();
    await db.auth.signOut();
    t.strictSame([db.auth.user, await db.auth.token()], [null, null]);
    t.match(await errorOf(db.auth.sessions.list()), { code: "unauthenticated", reason: undefined });
    t.match(await errorOf(db.auth.signIn({ email, password: OTHER })), refused("bad_credentials"));
    now += MINUTE;
    t.match(await db.auth.signIn({ email, password: PASSWORD }), { user: { id: user.id } });
    t.strictSame(told, ["somebody in", "nobody out", "somebody in"]);
    const [current, before] = await db.auth.sessions.list();
    t.match([current?.current, before?.current, typeof before?.endedAt], [true, false, "string"]);
  });

  t.test("a token that is over is renewed, and nobody notices", async (t) => {
    const { db, told } = await someone();
    const before = await db.auth.token();
    now += 16 * MINUTE;
    const all = await Promise.all(Array.from({ length: 20 }, () => db.auth.sessions.list()));
    t.ok(all.every(([one]) => one?.current));
    t.not(await db.auth.token(), before);
    const raw = await app.send("GET", "/v1/auth/me", { as: await db.auth.token() });
    t.equal(raw.status, 200);
    t.strictSame(told, ["somebody in"]);
  });

  t.test("a refresh whose reply is lost, and tabs that renew at once, sign nobody out", async (t) => {
    const { db, storage, user } = await someone();
    let lost = 0;
    let lostOne = (): void => {};
    const lostFirst = new Promise<void>((resolve) => {
      lostOne = resolve;
    });
    const shaky: typeof fetch = async (...request) => {
      const response = await fetch(...request);
      if (!String(request[0]).endsWith("/auth/refresh") || ++lost > 2) return response;
      lostOne();
      throw new TypeError("the connection broke");
    };
    now += 16 * MINUTE;
    const [first, ...others] = [connect({ storage, fetch: shaky }), connect({ storage }), db];
    const slow = first.auth.sessions.list();
    // A tab that came before it would renew for all, and nothing were lost.
    await Promise.race([lostFirst, slow]);
    const all = await Promise.all([slow, ...others.map((tab) => tab.auth.sessions.list())]);
    t.ok(all.every(([one]) => one?.current));
    t.ok(lost > 0);
    // Who was slower did not put anything outdated back: half a minute later that would end the session.
    now += 16 * MINUTE;
    for (const tab of [first, ...others]) t.match(await tab.auth.update({ name: "Ada" }), { id: user.id });
  });

  t.test("a session that was ended elsewhere is told as such", async (t) => {
    const { email, db, told } = await someone();
    const other = connect();
    await other.auth.signIn({ email, password: PASSWORD });
    const [here] = (await other.auth.sessions.list()).filter(({ current }) => !current);
    await other.auth.sessions.end(here?.id ?? "");
    t.match(await errorOf(db.auth.update({ name: "x" })), refused("session_ended"));
    t.strictSame([db.auth.user, told.at(-1)], [null, "nobody ended"]);
    await db.auth.signIn({ email, password: PASSWORD });
    await other.auth.sessions.endOthers();
    t.match(await errorOf(db.auth.sessions.list()), refused("session_ended"));
    t.match(await errorOf(other.auth.sessions.end("none")), { code: "not_found" });
  });

  t.test("people change what they say of themselves", async (t) => {
    const { db, told, storage } = await someone();
    t.match(await db.auth.update({ name: "Countess", data: { a: [1] } }), { name: "Countess", data: { a: [1] } });
    t.match(await db.auth.update({ name: null, locale: "de-CH" }), { name: null, locale: "de-CH", data: { a: [1] } });
    t.strictSame([db.auth.user?.name, connect({ storage }).auth.user?.locale], [null, "de-CH"]);
    t.strictSame(told, ["somebody in", "somebody changed", "somebody changed"]);
  });

  t.test("a password is changed, and other sessions end", async (t) => {
    const { email, db } = await someone();
    const other = connect();
    await other.auth.signIn({ email, password: PASSWORD });
    const wrong = await errorOf(db.auth.changePassword({ current: OTHER, password: OTHER }));
    t.match(wrong, refused("bad_credentials"));
    await db.auth.changePassword({ current: PASSWORD, password: OTHER });
    t.equal((await db.auth.sessions.list()).filter(({ endedAt }) => endedAt === null).length, 1);
    t.match(await errorOf(other.auth.sessions.list()), refused("session_ended"));
    t.match((await other.auth.signIn({ email, password: OTHER })).user, { email });
  });

  t.test("a forgotten password is set anew by the mailed link", async (t) => {
    const { email, db } = await someone();
    now += 2 * MINUTE;
    await connect().auth.forgotPassword(email);
    const { token = "" } = await mailFor(app.folder, email, "reset");
    await connect().auth.resetPassword({ token, password: OTHER });
    t.match(await errorOf(connect().auth.resetPassword({ token, password: OTHER })), refused("secret_invalid"));
    t.match(await errorOf(db.auth.sessions.list()), refused("session_ended"));
    t.match((await db.auth.signIn({ email, password: OTHER })).user, { emailProven: true });
  });

  t.test("an address is proven by the mailed code, or by the link with a session or the password", async (t) => {
    const coded = await someone();
    now += 2 * MINUTE;
    const next = await coded.db.auth.resend();
    const { code = "" } = await mailFor(app.folder, coded.email, "verify", 2);
    const wrong = code === "000000" ? "000001" : "000000";
    t.match(await errorOf(coded.db.auth.finish(next, { code: wrong })), refused("secret_invalid"));
    t.match(await coded.db.auth.finish(next, { code }), { user: { emailProven: true } });
    t.equal(coded.db.auth.user?.emailProven, true);
    t.equal(coded.told.at(-1), "somebody changed");
    t.match(await errorOf(coded.db.auth.resend()), { code: "failed_precondition" });
    const linked = await someone();
    const token = linked.mail.token ?? "";
    const nobody = connect();
    t.match(await errorOf(nobody.auth.finish(null, { token })), refused("reauth_required"));
    t.strictSame(await nobody.auth.finish(null, { token, password: PASSWORD }), { user: null });
    const carried = await someone();
    t.match(await carried.db.auth.finish(null, { token: carried.mail.token ?? "" }), { user: { emailProven: true } });
  });

  t.test("a new address is ours once it is proven", async (t) => {
    const { email, db, mail } = await someone();
    await db.auth.finish(null, { token: mail.token ?? "" });
    const next = await db.auth.changeEmail(`new-${email}`);
    t.equal(db.auth.user?.email, email);
    const { code = "" } = await mailFor(app.folder, `new-${email}`, "verify");
    t.match(await db.auth.finish(next, { code }), { user: { email: `new-${email}` } });
    t.equal(db.auth.user?.email, `new-${email}`);
    now += 16 * MINUTE;
    t.match(await errorOf(db.auth.changeEmail(email)), refused("reauth_required"));
    t.match((await db.auth.signIn({ email: `new-${email}`, password: PASSWORD })).next, undefined);
    t.match(await db.auth.changeEmail(email), { kind: "email" });
  });

  t.test("where addresses are proven first, sign-up goes on with the mailed code", async (t) => {
    await root.settings.update({ signUp: { confirm: "first" } });
    t.teardown(() => root.settings.update({ signUp: { confirm: null } }));
    const email = `first${++people}@example.org`;
    const db = connect();
    const { user, next } = await db.auth.signUp({ email, password: PASSWORD, name: "Pending" });
    t.strictSame([user, next?.kind, db.auth.user], [undefined, "email", null]);
    if (!next) throw new Error("expects a next step");
    await mailFor(app.folder, email, "verify");
    now += 2 * MINUTE;
    const again = await db.auth.resend(JSON.parse(JSON.stringify(next)));
    const { code = "" } = await mailFor(app.folder, email, "verify", 2);
    t.match(await errorOf(db.auth.finish(next, { code })), refused("secret_invalid"), "the older one has ended");
    t.match(await db.auth.finish(again, { code }), { user: { email, emailProven: true, name: "Pending" } });
    t.equal(db.auth.user?.email, email);
  });

  t.test("a guest becomes somebody, and keeps the id", async (t) => {
    const db = connect();
    const guest = await db.auth.signInAsGuest();
    t.match([guest.guest, guest.email, db.auth.user?.id], [true, null, guest.id]);
    const told: unknown[] = [];
    db.auth.onChange((user, why) => told.push([user?.guest, why]));
    const { user } = await db.auth.signUp({ email: `guest${++people}@example.org`, password: PASSWORD });
    t.match([user?.id, user?.guest], [guest.id, false]);
    t.strictSame(told, [[false, "changed"]]);
  });

  t.test("an account is deleted after a fresh proof", async (t) => {
    const { email, db, told } = await someone();
    now += 16 * MINUTE;
    t.match(await errorOf(db.auth.deleteAccount()), refused("reauth_required"));
    await db.auth.signIn({ email, password: PASSWORD });
    await db.auth.deleteAccount();
    t.strictSame([db.auth.user, told.at(-1)], [null, "nobody out"]);
    t.match(await errorOf(db.auth.signIn({ email, password: PASSWORD })), refused("bad_credentials"));
  });

  t.test("sign-up that is closed takes invitations", async (t) => {
    await root.settings.update({ signUp: { open: "invite" } });
    t.teardown(() => root.settings.update({ signUp: { open: null } }));
    const email = `invited${++people}@example.org`;
    const db = connect();
    const closed = await errorOf(db.auth.signUp({ email, password: PASSWORD }));
    t.match(closed, { code: "permission_denied", reason: "sign_up_closed" });
    const { id } = await root.users.create({ email, name: "Guest of honour", roles: ["editor"] });
    const { token: invite = "" } = await mailFor(app.folder, email, "invite");
    t.match((await db.auth.signUp({ email, password: PASSWORD, invite })).user, { id, roles: ["editor"] });
  });
});
