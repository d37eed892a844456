import t from "tap";
import { type Answer, startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { mailFor } from "../support/mailbox.ts";

const PASSWORD = "plum-orbit-lantern-42";
const OTHER = "quartz-meadow-harbour-7";
const MINUTE = 60_000;

/** The secret in a link's fragment. */
function tokenOf(link: string): string | null {
  return new URLSearchParams(new URL(link).hash.slice(1)).get("token");
}

t.test("an owner that the environment names is judged like any other, by the variable's name", async (t) => {
  const env = { GALLEY_ADMIN_EMAIL: "owner", GALLEY_ADMIN_PASSWORD: "password" };
  await t.rejects(startApp({ env }), {
    code: "invalid_argument",
    message: /^GALLEY_ADMIN_EMAIL: expects .*; GALLEY_ADMIN_PASSWORD: expects /,
  });
  const app = await startApp({ env: { GALLEY_ADMIN_EMAIL: "owner@example.org", GALLEY_ADMIN_PASSWORD: PASSWORD } });
  t.teardown(() => app.close());
  t.equal(await app.app.setUpLink(), undefined, "then there is nothing to set up");
  const body = { email: "owner@example.org", password: PASSWORD, as: "admin" };
  t.match((await app.send("POST", "/v1/auth/sign-in", { body, as: null })).json, {
    session: { user: { role: "owner" } },
  });
});

t.test("an owner whom the machine invites leaves nothing to set up", async (t) => {
  const app = await startApp();
  t.teardown(() => app.close());
  const link = (await app.app.setUpLink()) as string;
  const email = "owner@example.org";
  const made = await app.send("POST", "/v1/admin/settings/admins", { body: { email, role: "owner" } });
  const enter = (invite: string | null | undefined) =>
    app.send("POST", "/v1/auth/sign-up", { body: { as: "admin", invite, email, password: PASSWORD }, as: null });
  t.equal((await enter(tokenOf(made.json.link))).status, 201);
  t.equal(await app.app.setUpLink(), undefined);
  t.equal((await enter(link.split("code=")[1])).status, 401, "the link from before is void");
});

onEachEngine(t, async (t, engine) => {
  let now = Date.parse("2026-03-01T00:00:00Z");
  const app = await startApp({ engine, clock: () => now, env: { GALLEY_TRUSTED_PROXIES: "127.0.0.1" } });
  t.teardown(() => app.close());
  const post = (path: string, body?: object, as?: string | null): Promise<Answer> =>
    app.send("POST", `/v1/${path}`, { ...(body && { body }), ...(as !== undefined && { as }) });
  const ADMINS = "admin/settings/admins";
  const signIn = (email: string, password = PASSWORD) =>
    post("auth/sign-in", { email, password, as: "admin" }, null).then(({ json }) => json.session);
  /** Someone invited as an admin, who has come in. */
  const admin = async (email: string, role: string) => {
    const made = await post(ADMINS, { email, role });
    if (made.status !== 201) throw new Error(made.text);
    const invite = tokenOf(made.json.link);
    const entered = await post("auth/sign-up", { as: "admin", invite, email, password: PASSWORD }, null);
    if (entered.status !== 201) throw new Error(entered.text);
    return { ...entered.json.session, id: made.json.admin.id, session: entered.json.session.id };
  };
  let owner: Awaited<ReturnType<typeof admin>>;

  t.test("the set-up link makes the first owner, once", async (t) => {
    const old = await app.app.setUpLink();
    const link = (await app.app.setUpLink()) as string;
    t.ok(link.startsWith(`${app.url}/console/#/set-up?code=`), link);
    const code = (one: string) => one.split("code=")[1];
    const setUp = (invite: string | undefined, email = "owner@example.org", password = PASSWORD) =>
      post("auth/sign-up", { as: "admin", invite, email, password }, null);
    t.equal((await setUp(code(old as string))).status, 401, "the newest link alone holds");
    t.equal((await setUp("")).status, 401);
    t.equal((await post("auth/sign-up", { as: "admin", email: "a@b.example", password: PASSWORD }, null)).status, 401);
    t.equal((await setUp(code(link), "owner@example.org", "owner-password")).status, 400, "owner is the local part");
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, i) => setUp(code(link), `owner${i === 0 ? "" : i}@example.org`)),
    );
    const made = answers.filter(({ status }) => status === 201);
    t.equal(made.length, 1, "one of five at once");
    for (const { status, text } of answers) t.ok([201, 401, 412].includes(status), text);
    owner = made[0]?.json.session;
    t.match(owner.user, { role: "owner", guest: false });
    t.equal(await app.app.setUpLink(), undefined);
    owner = { ...owner, email: owner.user.email };
  });

  t.test("roles are what their scopes say, and the token is no user's", async (t) => {
    const editor = await admin("editor@example.org", "editor");
    const viewer = await admin("viewer@example.org", "viewer");
    const status = async (as: string, method: string, path: string, body?: object) =>
      (await app.send(method, path, { as, ...(body && { body }) })).status;
    for (const [who, expected] of [
      [owner.accessToken, [201, 200, 200, 200, 200]],
      [editor.accessToken, [201, 200, 403, 403, 200]],
      [viewer.accessToken, [403, 200, 403, 403, 200]],
    ] as const) {
      t.strictSame(
        [
          await status(who, "POST", "/v1/documents/posts", { a: 1 }),
          await status(who, "GET", "/v1/documents/posts"),
          await status(who, "GET", "/v1/admin/keys"),
          await status(who, "GET", "/v1/admin/settings"),
          await status(who, "GET", "/v1/admin/users"),
        ],
        expected,
      );
    }
    t.match((await app.send("GET", "/v1/auth/me", { as: viewer.accessToken })).json, { role: "viewer" });
    const asUser = await post("auth/sign-in", { email: "viewer@example.org", password: PASSWORD }, null);
    t.equal(asUser.status, 401, "admins and users are two pools");
  });

  t.test("owners manage admins, freshly proven; the last owner stays", async (t) => {
    t.equal((await post(ADMINS, { email: "x@example.org", role: "king" }, owner.accessToken)).status, 400);
    const second = await admin("second@example.org", "editor");
    const change = (id: string, role: string, as: string) =>
      app.send("PATCH", `/v1/${ADMINS}/${id}`, { body: { role }, as });
    const mine = (await app.send("GET", "/v1/auth/me", { as: owner.accessToken })).json.id;
    t.equal((await change(mine, "viewer", owner.accessToken)).status, 412, "the last owner");
    t.equal((await change(second.id, "owner", second.accessToken)).status, 403);
    t.equal((await change(second.id, "owner", owner.accessToken)).status, 200);
    t.equal((await app.send("GET", "/v1/admin/keys", { as: second.accessToken })).status, 200, "at once");
    const both = await Promise.all([
      change(mine, "viewer", second.accessToken),
      change(second.id, "viewer", owner.accessToken),
    ]);
    t.equal(both.filter(({ status }) => status === 200).length, 1, "of two who demote each other one stays");
    await change(mine, "owner", app.key);
    now += 16 * MINUTE;
    const stale = (await post("auth/refresh", { refreshToken: owner.refreshToken }, null)).json;
    t.equal((await change(second.id, "viewer", stale.accessToken)).json.error.details.reason, "reauth_required");
    owner = { ...owner, ...(await signIn(owner.user.email)) };
    t.equal((await app.send("DELETE", `/v1/${ADMINS}/${second.id}`, { as: owner.accessToken })).status, 204);
    t.equal((await app.send("GET", "/v1/auth/me", { as: second.accessToken })).status, 401);
    const { admins } = (await app.send("GET", `/v1/${ADMINS}`, { as: owner.accessToken })).json;
    t.notOk(JSON.stringify(admins).includes("argon2"), "no hash is shown");
    t.ok(admins.length >= 2);
  });

  t.test("the machine lets an owner back in who lost the password", async (t) => {
    const reset = await post(`${ADMINS}/reset`, { email: owner.user.email });
    t.equal(reset.status, 201, reset.text);
    t.equal((await post(`${ADMINS}/reset`, { email: owner.user.email }, owner.accessToken)).status, 403);
    t.equal((await post(`${ADMINS}/reset`, { email: "nobody@example.org" })).status, 404);
    const token = tokenOf(reset.json.link);
    t.equal((await post("auth/password/reset", { token, password: OTHER }, null)).status, 204);
    t.equal((await app.send("GET", "/v1/auth/me", { as: owner.accessToken })).status, 401);
    const back = await signIn(owner.user.email, OTHER);
    t.equal(back.user.role, "owner");
    owner = { ...owner, ...back };
  });

  t.test("users are invited, changed, disabled and removed by admins, who see no password", async (t) => {
    const USERS = "/v1/admin/users";
    const as = owner.accessToken;
    const body = { email: "invited@example.org", name: "In Vited", roles: ["editor"], claims: { plan: "pro" } };
    const made = await app.send("POST", USERS, { body, as });
    t.equal(made.status, 201, made.text);
    t.match(made.json, { roles: ["editor"], claims: { plan: "pro" }, emailProven: false, disabledAt: null });
    t.equal((await app.send("POST", USERS, { body, as })).status, 409);
    const { token: invite } = await mailFor(app.folder, "invited@example.org", "invite");
    const take = (email: string) => post("auth/sign-up", { invite, email, password: PASSWORD }, null);
    t.equal((await take("another@example.org")).status, 401);
    const entered = await take("invited@example.org");
    t.equal(entered.status, 201, entered.text);
    t.match(entered.json.session.user, { id: made.json.id, emailProven: true, roles: ["editor"] });
    t.equal((await take("invited@example.org")).status, 401);
    const token = entered.json.session.accessToken;
    const one = `${USERS}/${made.json.id}`;
    t.equal((await app.send("PATCH", one, { body: { roles: Array(17).fill("x") }, as })).status, 400);
    t.match((await app.send("PATCH", one, { body: { roles: [], claims: {} }, as })).json, { roles: [], claims: {} });
    t.match((await app.send("GET", "/v1/auth/me", { as: token })).json, { roles: [], claims: {} });
    t.match((await app.send("GET", `${USERS}?q=invi`, { as })).json.users, [{ id: made.json.id }]);
    t.match((await app.send("GET", `${USERS}?q=${made.json.id}`, { as })).json.users, [{ id: made.json.id }]);
    t.equal((await app.send("GET", `${one}/sessions`, { as })).json.sessions.length, 1);
    const off = await app.send("POST", `${one}/disable`, { body: { reason: "spam" }, as });
    t.match([off.status, off.json.disabledReason], [200, "spam"]);
    t.equal((await app.send("GET", "/v1/auth/me", { as: token })).status, 401);
    const signing = () => post("auth/sign-in", { email: "invited@example.org", password: PASSWORD }, null);
    t.equal((await signing()).status, 401);
    t.equal((await app.send("POST", `${one}/enable`, { as })).json.disabledAt, null);
    const again = (await signing()).json.session;
    t.equal((await app.send("POST", `${one}/send-reset`, { as })).status, 204);
    const { token: link } = await mailFor(app.folder, "invited@example.org", "reset");
    t.equal((await app.send("POST", `${one}/sign-out`, { as })).status, 204);
    t.equal((await app.send("GET", "/v1/auth/me", { as: again.accessToken })).status, 401);
    const reset = await post("auth/password/reset", { token: link, password: OTHER }, null);
    t.equal(reset.json.error.details.reason, "secret_invalid", "links that were on their way are void");
    const audit = await app.send("GET", `/v1/admin/audit?user=${made.json.id}&action=user-changed`, { as });
    t.match(audit.json.lines, [{ details: { changed: ["roles", "claims"], roles: [] } }]);
    t.equal((await app.send("DELETE", one, { as })).status, 204);
    t.equal((await app.send("GET", one, { as })).status, 404);
    t.equal((await app.send("DELETE", one, { as })).status, 404);
    const { text } = await app.send("GET", USERS, { as });
    t.notOk(/argon2|"hash"|credential/i.test(text));
  });

  t.test("settings are judged whole, hold at once, and go back to their defaults", async (t) => {
    const patch = (body: object) => app.send("PATCH", "/v1/admin/settings", { body, as: owner.accessToken });
    const wrong = await patch({ signUp: { open: "maybe" }, password: { min: 3 }, nonsense: {} });
    t.equal(wrong.status, 400);
    t.equal(wrong.json.error.details.faults.length, 3, wrong.text);
    t.match((await patch({ password: { min: 20 } })).json, { password: { min: 20 } });
    const short = await post("auth/sign-up", { email: "s@example.org", password: "plum-orbit-lante" }, null);
    t.equal(short.status, 400);
    t.match((await patch({ password: { min: null } })).json, { password: { min: 8 } });
  });

  t.test("settings show what the environment fixes, and no secret of it", async (t) => {
    const shown = await app.send("GET", "/v1/admin/settings", { as: owner.accessToken });
    const { environment } = shown.json;
    t.match(environment, {
      GALLEY_HOST: { set: false, value: "127.0.0.1" },
      GALLEY_PORT: { set: true, value: 0 },
      GALLEY_DATA_DIR: { set: true, value: app.folder },
      GALLEY_TRUSTED_PROXIES: { set: true, value: ["127.0.0.1"] },
      GALLEY_PUBLIC_URL: { set: false, value: null },
    });
    for (const name of ["SECRET", "SERVICE_KEY", "MONGODB_URL", "SMTP_URL", "ADMIN_PASSWORD"]) {
      t.strictSame(Object.keys(environment[`GALLEY_${name}`]), ["set"], name);
    }
    t.equal(environment.GALLEY_SERVICE_KEY.set, true);
    t.notOk(shown.text.includes(app.key) || shown.text.includes("mongodb://"));
    const body = { environment: { GALLEY_PORT: { value: 1 } } };
    const refused = await app.send("PATCH", "/v1/admin/settings", { body, as: owner.accessToken });
    t.match([refused.status, refused.json.error.details.faults[0].path], [400, "environment"]);
  });

  t.test("admins come from the networks that owners name, and from nowhere else", async (t) => {
    const as = owner.accessToken;
    const from = (address: string) => ({ "x-forwarded-for": address });
    const name = (networks: string[] | null, headers = from("203.0.113.7")) =>
      app.send("PATCH", "/v1/admin/settings", { body: { admins: { networks } }, as, headers });
    const shut = await name(["198.51.100.0/24"]);
    t.match(
      [shut.status, shut.json.error.details.faults[0].path],
      [400, "admins.networks"],
      "nobody shuts themselves out",
    );
    t.equal((await name(["203.0.113.0/24"])).status, 200);
    const statuses = async (headers: Record<string, string>) => {
      const body = { email: owner.user.email, password: OTHER, as: "admin" };
      const wrong = { ...body, password: "not-the-password-at-all" };
      return [
        (await app.send("GET", "/v1/admin/users", { as, headers })).status,
        (await app.send("POST", "/v1/auth/sign-in", { body: wrong, as: null, headers })).status,
        (await app.send("POST", "/v1/auth/sign-in", { body, as: null, headers })).status,
      ];
    };
    t.strictSame(await statuses(from("203.0.113.200")), [200, 401, 200]);
    t.strictSame(await statuses(from("198.51.100.1")), [403, 403, 403], "nor do they learn of a password");
    const body = { email: owner.user.email, password: OTHER, as: "admin" };
    const inside = { headers: from("203.0.113.9"), as: null };
    const { refreshToken } = (await app.send("POST", "/v1/auth/sign-in", { body, ...inside })).json.session;
    const refresh = { body: { refreshToken }, as: null };
    t.equal((await app.send("POST", "/v1/auth/refresh", { ...refresh, headers: from("198.51.100.1") })).status, 403);
    t.equal((await app.send("POST", "/v1/auth/refresh", { ...refresh, headers: from("203.0.113.9") })).status, 200);
    const key = await app.send("PATCH", "/v1/admin/settings", { body: { admins: { networks: null } } });
    t.equal(key.status, 200, "the machine's own key is the way back");
    t.strictSame(await statuses(from("198.51.100.1")), [200, 401, 200]);
  });

  t.test("a key is suspended while the admin who made it is gone", async (t) => {
    const KEYS = "/v1/admin/keys";
    const maker = await admin("maker@example.org", "owner");
    const made = await app.send("POST", KEYS, {
      body: { name: "m", scopes: ["documents:*:*"] },
      as: maker.accessToken,
    });
    const { key, secret } = made.json;
    const status = async () => (await app.send("GET", "/v1/documents/posts", { as: secret })).status;
    const shown = async () =>
      (await app.send("GET", KEYS)).json.keys.find(({ id }: { id: string }) => id === key.id).suspended;
    t.strictSame([await status(), await shown()], [200, false]);
    t.equal((await app.send("DELETE", `/v1/${ADMINS}/${maker.id}`, { as: owner.accessToken })).status, 204);
    t.strictSame([await status(), await shown()], [401, true], "as soon as the removal is answered");
    const change = (body: object) => app.send("PATCH", `${KEYS}/${key.id}`, { body, as: owner.accessToken });
    t.match((await change({ name: "renamed" })).json, { suspended: true });
    t.equal((await change({ suspended: true })).status, 400);
    t.match((await change({ suspended: false })).json, { suspended: false, createdBy: maker.id });
    t.equal(await status(), 200, "another owner answers for it");
    t.equal((await app.send("POST", `${KEYS}/${key.id}/rotate`, { as: owner.accessToken })).status, 200);
    t.equal((await app.send("DELETE", `${KEYS}/${key.id}`, { as: owner.accessToken })).status, 204);
    const { lines } = (await app.send("GET", `/v1/admin/audit?user=${key.id}`)).json;
    t.match(
      lines.map(({ action, by, requestId }: Record<string, string>) => [action, by, typeof requestId]),
      [
        ...["key-revoked", "key-rotated", "key-changed", "key-changed"].map((action) => [
          action,
          owner.user.id,
          "string",
        ]),
        ["key-made", maker.id, "string"],
      ],
    );
    t.notOk(JSON.stringify(lines).includes(secret));
  });

  t.test("the console's session lives in a cookie that two routes read, from its own pages only", async (t) => {
    const body = { email: owner.user.email, password: OTHER, as: "admin", cookie: true };
    const answer = await post("auth/sign-in", body, null);
    t.equal(answer.json.session.refreshToken, undefined);
    const [set = ""] = answer.headers["set-cookie"] ?? [];
    t.match(set, /^galley-admin=gr_[^;]+; Path=\/; HttpOnly; SameSite=Strict$/);
    const cookie = set.split(";")[0];
    const own = { cookie, origin: app.url, "x-galley-csrf": "1", "sec-fetch-site": "same-origin" };
    const refresh = (headers: Record<string, string | undefined>) =>
      app.send("POST", "/v1/auth/refresh", { body: {}, headers, as: null });
    for (const [what, headers] of [
      ["another origin", { ...own, origin: "https://evil.example" }],
      ["no origin", { ...own, origin: undefined }],
      ["no mark", { ...own, "x-galley-csrf": undefined }],
      ["another site", { ...own, "sec-fetch-site": "cross-site" }],
    ] as const) {
      const refused = await refresh(headers);
      t.match([refused.status, refused.json.error.details.reason], [403, "origin_refused"], what);
    }
    const text = await app.send("POST", "/v1/auth/refresh", {
      body: "{}",
      headers: { ...own, "content-type": "text/plain" },
      as: null,
    });
    t.equal(text.status, 415);
    const fresh = await refresh(own);
    t.equal(fresh.status, 200, fresh.text);
    t.equal(fresh.json.refreshToken, undefined);
    const next = fresh.headers["set-cookie"]?.[0]?.split(";")[0];
    t.not(next, cookie);
    const as = fresh.json.accessToken;
    t.equal((await app.send("GET", "/v1/admin/keys", { headers: { cookie: next }, as: null })).status, 401);
    t.equal((await app.send("GET", "/v1/admin/keys", { as })).status, 200);
    const out = await app.send("POST", "/v1/auth/sign-out", { body: {}, headers: { ...own, cookie: next }, as: null });
    t.equal(out.status, 204);
    t.match(out.headers["set-cookie"]?.[0], /Max-Age=0/);
    t.equal((await app.send("GET", "/v1/admin/keys", { as })).status, 401);
    const user = await post("auth/sign-in", { email: "a@b.example", password: "x", cookie: true }, null);
    t.equal(user.status, 400, "users have no cookie");
  });

  t.test("the audit log tells who did what, newest first, and no secret", async (t) => {
    const as = (await signIn(owner.user.email, OTHER)).accessToken;
    const page = await app.send("GET", "/v1/admin/audit?limit=200", { as });
    t.equal(page.status, 200, page.text);
    const actions = page.json.lines.map(({ action }: { action: string }) => action);
    for (const action of ["set-up", "admin-invited", "admin-changed", "user-disabled", "sign-in", "password-reset"]) {
      t.ok(actions.includes(action), action);
    }
    t.notOk(page.text.includes(PASSWORD) || page.text.includes(OTHER) || /argon2|gr_|#token/.test(page.text));
    const times = page.json.lines.map(({ at }: { at: string }) => at);
    t.strictSame([...times].sort().reverse(), times);
  });
});
