import { type Client, createClient } from "@galley/sdk";
import { admin } from "@galley/sdk/admin";
import t from "tap";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { mailFor } from "../support/mailbox.ts";
import { fail, reply } from "../support/scripted-server.ts";
import { errorOf, play } from "./session-script.ts";

const PASSWORD = "plum-orbit-lantern-42";

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  const clients: Client[] = [];
  const connect = (serviceKey?: string): Client => {
    const client = createClient({ url: app.url, serviceKey });
    clients.push(client);
    return client;
  };
  t.teardown(() => {
    for (const client of clients) client.close();
    return app.close();
  });
  const { users, admins, keys, rules, settings, audit } = admin(connect(app.key));

  t.test("users are invited, changed, closed, opened and removed", async (t) => {
    const email = "ada@example.org";
    const made = await users.create({ email, name: "Ada", roles: ["editor"], claims: { plan: "pro" } });
    t.match(made, { email, name: "Ada", roles: ["editor"], claims: { plan: "pro" }, emailProven: false });
    t.match(await errorOf(users.create({ email })), { code: "already_exists", outcome: "not_applied" });
    const { token: invite = "" } = await mailFor(app.folder, email, "invite");
    const ada = connect();
    await ada.auth.signUp({ email, password: PASSWORD, invite });
    t.match(await users.update(made.id, { roles: ["author"], name: null }), { roles: ["author"], name: null });
    t.strictSame(await users.get(made.id), { ...(await users.get(made.id)), id: made.id, disabledAt: null });
    t.equal(await users.get("nobody"), null);
    t.match(await users.list({ q: "ada@" }), { users: [{ id: made.id }], next: undefined });
    t.strictSame(await users.list({ q: "bob@", after: undefined }), { users: [] });
    t.match(await users.sessions(made.id), [{ current: false, endedAt: null }]);
    await users.sendReset(made.id);
    t.match((await mailFor(app.folder, email, "reset")).token, /^\S+$/);
    await users.signOut(made.id);
    t.match(await errorOf(ada.auth.sessions.list()), { reason: "session_ended" });
    t.match(await users.disable(made.id, "spam"), { disabledReason: "spam", disabledAt: /^20/ });
    t.match(await errorOf(ada.auth.signIn({ email, password: PASSWORD })), { reason: "bad_credentials" });
    t.match(await users.enable(made.id), { disabledAt: null });
    t.match((await ada.auth.signIn({ email, password: PASSWORD })).user, { id: made.id });
    t.equal(await users.delete(made.id), undefined);
    t.equal(await users.get(made.id), null);
  });

  t.test("keys are made, used within their scopes, rotated and revoked", async (t) => {
    const { key, secret } = await keys.create({ name: "nightly", scopes: ["admin:users:read"] });
    const nightly = admin(connect(secret));
    t.match(await nightly.users.list(), { users: [] });
    const refused = await errorOf(nightly.settings.get());
    t.match(refused, { code: "permission_denied", details: { scope: "admin:settings:read" } });
    t.match(await keys.update(key.id, { name: "weekly", expiresAt: null }), { name: "weekly", expiresAt: null });
    t.ok((await keys.list()).some(({ id, name }) => id === key.id && name === "weekly"));
    const rotated = await keys.rotate(key.id);
    t.match(await errorOf(nightly.users.list()), { code: "unauthenticated" });
    t.match(await admin(connect(rotated.secret)).users.list(), { users: [] });
    t.equal(await keys.delete(key.id), undefined);
    t.match(await errorOf(keys.delete(key.id)), { code: "not_found" });
  });

  t.test("settings are read, changed and brought back", async (t) => {
    const before = await settings.get();
    t.match(before, { signUp: { open: true }, password: { min: 8 }, sessions: { accessSeconds: 900 } });
    const changed = await settings.update({ password: { min: 12 }, sessions: { user: { most: 5 } } });
    t.match(changed, { password: { min: 12 }, sessions: { user: { most: 5 } } });
    t.match(await errorOf(settings.update({ password: { min: 3 } })), { code: "invalid_argument" });
    t.strictSame(await settings.update({ password: null, sessions: { user: { most: null } } }), before);
  });

  t.test("rules are checked, published, read and rolled back", async (t) => {
    t.strictSame(await rules.current(), { version: 0, rules: null, tests: null });
    const owned = { posts: { list: { ownerId: "$auth.id" }, get: { at: { $gt: new Date(0) } } } };
    const set = { rules: { format: 1, collections: owned }, tests: undefined };
    const checked = await rules.check(set);
    t.match(checked, { faults: [], findings: [{ id: "list_wider_than_get" }, { id: "unindexed_rule" }], tests: [] });
    const acknowledge = checked.findings.map(({ id }) => id);
    t.match(await rules.publish({ ...set, ifVersion: 0, acknowledge, note: "owners" }), {
      version: 1,
      note: "owners",
      findings: checked.findings,
    });
    t.strictSame((await rules.current()).rules, set.rules);
    const lost = { format: 1, collections: { posts: { list: { ownerId: undefined } } } };
    const message = /^values\.rules\.collections\.posts\.list\.ownerId: /;
    t.match(await errorOf(rules.publish({ rules: lost, ifVersion: 1 })), { code: "invalid_argument", message });
    const behind = await errorOf(rules.publish({ rules: { format: 1 }, ifVersion: 0 }));
    t.match(behind, { code: "version_conflict", details: { version: 1, changed: [{ path: "format" }, {}] } });
    t.match(await rules.publish({ rules: { format: 1 }, ifVersion: 1 }), { version: 2 });
    t.match(await rules.rollback({ version: 1 }), { version: 3, note: "version 1 again" });
    t.match(await rules.versions({ limit: 1, after: "3" }), { versions: [{ version: 2 }], next: "2" });
    t.strictSame((await rules.version(3)).rules, set.rules);
    t.match(await errorOf(rules.version(9)), { code: "not_found" });
  });

  t.test("admins are invited and removed, the last owner stays", async (t) => {
    const { admin: grace, link } = await admins.invite({ email: "grace@example.org", role: "editor" });
    t.match([grace.role, grace.invited, link], ["editor", true, /#token=/]);
    t.match(await admins.update(grace.id, { role: "viewer" }), { role: "viewer" });
    t.match(await admins.list(), [{ id: grace.id, role: "viewer" }]);
    t.equal(await admins.delete(grace.id), undefined);
    t.strictSame(await admins.list(), []);
  });

  t.test("the audit log tells it all, newest first, page by page", async (t) => {
    const { lines, next } = await audit.list({ limit: 2 });
    t.equal(lines.length, 2);
    t.ok((lines[0]?.at ?? "") >= (lines[1]?.at ?? ""));
    const more = await audit.list({ limit: 2, after: next });
    t.notOk(more.lines.some(({ id }) => lines.some((line) => line.id === id)));
    const made = await audit.list({ action: "user-made" });
    t.match(made.lines, [{ action: "user-made", by: /./, for: /./ }]);
    t.match((await audit.list({ user: made.lines[0]?.for ?? "" })).lines.at(-1), { action: "user-made" });
  });

  t.test("people have no rights here", async (t) => {
    const db = connect();
    t.match(await errorOf(admin(db).users.list()), { code: "unauthenticated" });
    await db.auth.signInAsGuest();
    const refused = await errorOf(admin(db).keys.create({ name: "mine", scopes: ["*"] }));
    t.match(refused, { code: "permission_denied", outcome: "not_applied" });
  });
});

t.test("what is made is made once: a lost answer is not asked for again, a change is", async (t) => {
  const { db, server } = await play(
    t,
    (response, { method }, n) => {
      if (method === "PATCH" && n > 1) reply(response, 200, {});
      else fail(response, 502, "unavailable");
    },
    { serviceKey: "gsk_x" },
  );
  const made = await errorOf(admin(db).keys.create({ name: "x", scopes: [] }));
  t.match(made, { code: "unavailable", outcome: "unknown" });
  t.equal(server.seen.length, 1);
  await admin(db).settings.update({ password: { min: 9 } });
  t.equal(server.seen.length, 3);
  t.match(await errorOf(admin(db).users.update("..", {})), { code: "invalid_argument", message: /^id: / });
});
