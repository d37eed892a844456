import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { MINUTE, OTHER_PASSWORD, PASSWORD, peopleOf, reasonOf } from "../support/people.ts";

/** The secret in a link's fragment. */
const tokenOf = (link: string) => new URLSearchParams(new URL(link).hash.slice(1)).get("token");

onEachEngine(t, async (t, engine) => {
  const time = { now: Date.parse("2026-03-01T00:00:00Z") };
  const start = async (more: object = {}) => {
    const env = { GALLEY_TRUSTED_PROXIES: "127.0.0.1" };
    const app = await startApp({
      engine,
      clock: () => time.now,
      ...more,
      env: { ...env, ...(more as { env?: object }).env },
    });
    return { app, people: peopleOf(app, time) };
  };
  const { app, people } = await start();
  t.teardown(() => app.close());

  t.test("a forgotten password tells nothing of the address that one wanted to change to", async (t) => {
    const taken = (await people.someone()).email;
    for (const address of [taken, "free@example.org"]) {
      const { email, accessToken } = await people.someone();
      const { challenge } = (await people.post("email/change", { email: address }, accessToken)).json.next;
      time.now += 2 * MINUTE;
      t.equal((await people.post("password/forgot", { email })).status, 202);
      t.equal((await people.post("email/resend", { challenge })).status, 202, address);
      time.now += 2 * MINUTE;
    }
  });

  t.test("who was signed out gives the account no other address", async (t) => {
    const { email, mail, accessToken } = await people.someone();
    await people.post("email/verify", { token: mail.token }, accessToken);
    const thief = (await people.signIn(email)).json.session;
    const evil = people.newEmail();
    const { challenge } = (await people.post("email/change", { email: evil }, thief.accessToken)).json.next;
    const { code } = await people.mailed(evil, "verify");
    const owner = (await people.signIn(email)).json.session;
    t.equal((await app.send("DELETE", "/v1/auth/sessions", { as: owner.accessToken })).status, 204);
    t.equal(reasonOf(await people.post("email/verify", { challenge, code })), "secret_invalid");
    t.equal((await people.signIn(email)).status, 200);
    t.equal(
      (await people.post("email/verify", { challenge, code }, owner.accessToken)).status,
      204,
      "signed in it holds",
    );
  });

  t.test("passwords tried with the link to a new address count against the account", async (t) => {
    const { email, accessToken } = await people.someone();
    const wanted = people.newEmail();
    await people.post("email/change", { email: wanted }, accessToken);
    const { token } = await people.mailed(wanted, "verify");
    const here = { "x-forwarded-for": "10.250.9.9" };
    for (let i = 0; i < 5; i++) {
      t.equal((await people.post("sign-in", { email, password: OTHER_PASSWORD }, null, here)).status, 401);
    }
    t.equal((await people.post("email/verify", { token, password: OTHER_PASSWORD }, null, here)).status, 429);
  });

  t.test("a guest who signs up several times at once becomes one person", async (t) => {
    const { user, accessToken } = (await people.post("anonymous", {})).json.session;
    const ups = [1, 2, 3].map(() =>
      people.post("sign-up", { email: people.newEmail(), password: PASSWORD }, accessToken),
    );
    const answers = await Promise.all(ups);
    const made = answers.filter(({ status }) => status === 201);
    t.strictSame(
      made.map(({ json }) => json.session.user.id),
      [user.id],
    );
    for (const answer of answers) if (answer.status !== 201) t.equal(reasonOf(answer), "session_ended");
  });

  t.test("what signs a guest out voids the sign-up that the guest has begun", async (t) => {
    t.teardown(() => people.settings({ signUp: null }));
    await people.settings({ signUp: { confirm: "first" } });
    for (const act of ["sign-out", "disable", undefined]) {
      const { user, accessToken } = (await people.post("anonymous", {})).json.session;
      const email = people.newEmail();
      const { challenge } = (await people.post("sign-up", { email, password: PASSWORD }, accessToken)).json.next;
      const { code } = await people.mailed(email, "verify");
      const path = `/v1/admin/users/${user.id}`;
      const { status } = act ? await app.send("POST", `${path}/${act}`) : await app.send("DELETE", path);
      t.ok(status === 200 || status === 204, act ?? "delete");
      t.equal(reasonOf(await people.post("email/verify", { challenge, code })), "secret_invalid");
    }
  });

  t.test("a right that ended while a request was under way is none for its commit", async (t) => {
    const { store } = app.app;
    /** Holds the next read of a record until it is let go on. */
    const holding = (collection: string, id: string) => {
      const { get } = store;
      let letGo = () => {};
      const going = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      const reached = new Promise<void>((resolve) => {
        store.get = async (from, ids) => {
          if (from === collection && ids.includes(id)) {
            store.get = get;
            resolve();
            await going;
          }
          return get.call(store, from, ids);
        };
      });
      return { reached, letGo };
    };
    const { user } = await people.someone();
    const owner = await people.admin("owner");
    const over = async (
      as: string,
      end: () => Promise<{ status: number }>,
      send: () => Promise<{ status: number }>,
    ) => {
      // So that who it is is known.
      t.not((await app.send("GET", "/v1/admin/users", { as })).status, 401);
      const { reached, letGo } = holding("_users", user.id);
      const flying = send();
      await reached;
      t.equal((await end()).status, 204);
      letGo();
      return (await flying).status;
    };
    const change = (as: string) => () =>
      app.send("PATCH", `/v1/admin/users/${user.id}`, { as, body: { roles: ["boss"] } });
    const editor = await people.admin("editor");
    const removed = () => app.send("DELETE", `/v1/admin/settings/admins/${editor.id}`, { as: owner.accessToken });
    t.equal(await over(editor.accessToken, removed, change(editor.accessToken)), 401, "an admin who was removed");
    const { key, secret } = (
      await app.send("POST", "/v1/admin/keys", { body: { name: "k", scopes: ["admin:users:*"] } })
    ).json;
    const revoked = () => app.send("DELETE", `/v1/admin/keys/${key.id}`);
    t.equal(await over(secret, revoked, change(secret)), 401, "a key that was revoked");
    const lower = await people.admin("editor");
    const demoted = async () => {
      const path = `/v1/admin/settings/admins/${lower.id}`;
      const { status } = await app.send("PATCH", path, { as: owner.accessToken, body: { role: "viewer" } });
      return { status: status === 200 ? 204 : status };
    };
    t.equal(await over(lower.accessToken, demoted, change(lower.accessToken)), 403, "an admin of less");
    const me = (await people.signIn((await app.send("GET", `/v1/admin/users/${user.id}`)).json.email)).json.session;
    const signedOut = () => app.send("POST", `/v1/admin/users/${user.id}/sign-out`);
    const named = () => app.send("PATCH", "/v1/auth/me", { as: me.accessToken, body: { name: "Late" } });
    t.equal(await over(me.accessToken, signedOut, named), 401, "who was signed out");
    const now = (await app.send("GET", `/v1/admin/users/${user.id}`)).json;
    t.match(now, { roles: [], name: null });
  });

  t.test("a right that ended while rules or collections were changed is none for the change", async (t) => {
    const { store } = app.app;
    const owner = await people.admin("owner");
    /** Holds the next call of a method until it is let go on. */
    const holding = (method: "get" | "ensureCollection", wanted: string) => {
      const was = store[method] as (...given: unknown[]) => Promise<unknown>;
      let letGo = () => {};
      const going = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      const reached = new Promise<void>((resolve) => {
        const held = async (...given: unknown[]) => {
          if (JSON.stringify(given[0]).includes(wanted)) {
            Object.assign(store, { [method]: was });
            resolve();
            await going;
          }
          return was.apply(store, given);
        };
        Object.assign(store, { [method]: held });
      });
      return { reached, letGo };
    };
    const leaver = async () => {
      const { id, accessToken: as } = await people.admin("editor");
      t.equal((await app.send("GET", "/v1/admin/collections", { as })).status, 200);
      const removed = () => app.send("DELETE", `/v1/admin/settings/admins/${id}`, { as: owner.accessToken });
      return { as, removed };
    };

    const rules = { format: 1, collections: { evil: { list: true, get: true } } };
    const publisher = await leaver();
    const body = { rules, ifVersion: 0, acknowledge: ["open_read"] };
    const pointer = holding("get", "_rules");
    const publishing = app.send("POST", "/v1/admin/rules/publish", { as: publisher.as, body });
    await pointer.reached;
    t.equal((await publisher.removed()).status, 204);
    pointer.letGo();
    t.equal((await publishing).status, 401);
    t.equal((await app.send("GET", "/v1/admin/rules")).json.version, 0);
    t.equal((await app.send("GET", "/v1/admin/collections/evil")).status, 404, "nor is what they name declared");

    const name = "shelves";
    t.equal((await app.send("POST", "/v1/admin/collections", { body: { name } })).status, 201);
    for (const [method, path, sent] of [
      ["PATCH", `/${name}`, { indexes: [{ paths: ["evil"] }] }],
      ["DELETE", `/${name}`, undefined],
      ["POST", "", { name: "late" }],
    ] as const) {
      const { as, removed } = await leaver();
      // One change of a collection waits for another.
      const other = method === "POST" ? "late" : name;
      const made = holding("ensureCollection", other);
      const first =
        method === "POST"
          ? app.send("POST", "/v1/documents/late", { body: { n: 1 } })
          : app.send("PATCH", `/v1/admin/collections/${name}`, { body: { indexes: [{ paths: [method] }] } });
      await made.reached;
      const flying = app.send(method, `/v1/admin/collections${path}`, { as, ...(sent && { body: sent }) });
      const taken = await Promise.race([flying, new Promise((resolve) => setTimeout(resolve, 100))]);
      t.equal(taken, undefined, "it waits");
      t.equal((await removed()).status, 204);
      made.letGo();
      t.ok((await first).status < 300);
      t.equal((await flying).status, 401, method);
      const now = (await app.send("GET", `/v1/admin/collections/${name}`)).json;
      if (method !== "POST") t.strictSame(now.indexes[0].paths, [method]);
    }
  });

  t.test("where sign-up was closed nobody ends one that is under way", async (t) => {
    t.teardown(() => people.settings({ signUp: null }));
    await people.settings({ signUp: { confirm: "first" } });
    const email = people.newEmail();
    const { challenge } = (await people.post("sign-up", { email, password: PASSWORD })).json.next;
    const { code } = await people.mailed(email, "verify");
    await people.settings({ signUp: { open: false } });
    t.equal(reasonOf(await people.post("email/verify", { challenge, code })), "sign_up_closed");
    await people.settings({ signUp: { open: true } });
    t.equal((await people.post("email/verify", { challenge, code })).status, 200, "the code is still good");
  });

  t.test("an owner who was promoted, or came in by a reset, leaves nothing to set up", async (t) => {
    const ways = {
      async promoted({ app, people }: Awaited<ReturnType<typeof start>>) {
        const { id } = await people.admin("editor");
        await app.send("PATCH", `/v1/admin/settings/admins/${id}`, { body: { role: "owner" } });
      },
      async reset({ app, people }: Awaited<ReturnType<typeof start>>) {
        const email = "boss@example.org";
        await app.send("POST", "/v1/admin/settings/admins", { body: { email, role: "owner" } });
        const { link } = (await app.send("POST", "/v1/admin/settings/admins/reset", { body: { email } })).json;
        await people.post("password/reset", { token: tokenOf(link), password: PASSWORD });
        t.equal((await people.signIn(email, PASSWORD, { as: "admin" })).status, 200);
      },
    };
    for (const [name, way] of Object.entries(ways)) {
      const one = await start();
      t.teardown(() => one.app.close());
      const link = (await one.app.app.setUpLink()) as string;
      await way(one);
      const body = { as: "admin", invite: link.split("code=")[1], email: "evil@example.org", password: PASSWORD };
      t.equal((await one.people.post("sign-up", body)).status, 401, name);
      t.equal(await one.app.app.setUpLink(), undefined, name);
    }
  });

  t.test("a first owner with an address that was invited is told so", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "galley-edges-"));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const email = "boss@example.org";
    const one = await start({ folder });
    await one.app.send("POST", "/v1/admin/settings/admins", { body: { email, role: "owner" } });
    const link = (await one.app.app.setUpLink()) as string;
    const body = { as: "admin", invite: link.split("code=")[1], email, password: PASSWORD };
    t.match((await one.people.post("sign-up", body)).json, { error: { code: "already_exists", message: /^email: / } });
    t.equal(
      (await one.people.post("sign-up", { ...body, email: "other@example.org" })).status,
      201,
      "the link is still good",
    );
    await one.app.close();
    const env = { GALLEY_ADMIN_EMAIL: email, GALLEY_ADMIN_PASSWORD: PASSWORD };
    const other = mkdtempSync(join(tmpdir(), "galley-edges-"));
    t.teardown(() => rmSync(other, { recursive: true }));
    const three = await start({ folder: other });
    await three.app.send("POST", "/v1/admin/settings/admins", { body: { email, role: "owner" } });
    await three.app.close();
    await t.rejects(start({ folder: other, env }), { code: "already_exists", message: /^GALLEY_ADMIN_EMAIL: / });
  });

  t.test("a device that was known before an address's owner came in by mail is known no more", async (t) => {
    for (const proven of [false, true]) {
      const { email, mail, accessToken, deviceToken } = await people.someone();
      if (proven) await people.post("email/verify", { token: mail.token }, accessToken);
      await people.post("password/forgot", { email });
      const { token } = await people.mailed(email, "reset");
      t.equal((await people.post("password/reset", { token, password: OTHER_PASSWORD })).status, 204);
      // Its tries are of its own where the device is known; of the network, where it is not.
      const here = { "x-forwarded-for": "10.251.9.9" };
      const tries = async (more: object) => people.post("sign-in", { email, password: PASSWORD, ...more }, null, here);
      for (let i = 0; i < 5; i++) t.equal((await tries({})).status, 401);
      t.equal((await tries({ deviceToken })).status, proven ? 401 : 429, `proven before: ${proven}`);
      time.now += 20 * MINUTE;
      const owner = await people.signIn(email, OTHER_PASSWORD);
      t.equal(owner.status, 200);
      for (let i = 0; i < 5; i++) await tries({});
      const own = { password: OTHER_PASSWORD, deviceToken: owner.json.session.deviceToken };
      t.equal((await tries(own)).status, 200, "the owner's own device is");
    }
  });

  t.test("who proves a new address stays signed in, also where the session that asked has ended", async (t) => {
    const { email, mail, accessToken } = await people.someone();
    await people.post("email/verify", { token: mail.token }, accessToken);
    const wanted = people.newEmail();
    const { challenge } = (await people.post("email/change", { email: wanted }, accessToken)).json.next;
    const { code } = await people.mailed(wanted, "verify");
    // Proving again who one is gives the session a new id.
    const again = (await people.signIn(email, PASSWORD, {}, accessToken)).json.session;
    t.equal((await people.post("email/verify", { challenge, code }, again.accessToken)).status, 204);
    t.equal((await people.me(again.accessToken)).status, 200);
  });

  t.test("who makes refresh tokens up keeps nobody from refreshing theirs", async (t) => {
    const { id, refreshToken } = await people.someone();
    const forged = `gr_${id}_1_${"A".repeat(43)}`;
    for (let i = 0; i < 31; i++) t.equal((await people.post("refresh", { refreshToken: forged })).status, 401);
    t.equal((await people.post("refresh", { refreshToken })).status, 200);
  });

  t.test("what is no host is no address, and full width hides no name in a password", async (t) => {
    for (const host of [
      "example.org/x",
      "example.org#x",
      "example.org?x",
      "example.org\\x",
      "exa\tmple.org",
      "ex%61mple.org",
    ]) {
      t.equal((await people.post("sign-up", { email: `ada@${host}`, password: PASSWORD })).status, 400, host);
    }
    const body = { email: "adelheid.smith＠example.org", password: "xxadelheid.smith77" };
    t.equal((await people.post("sign-up", body)).status, 400);
  });

  t.test(
    "a secret that the database was never used with voids links, one that is kept beside it does not",
    async (t) => {
      const folder = mkdtempSync(join(tmpdir(), "galley-edges-"));
      t.teardown(() => rmSync(folder, { recursive: true }));
      const [first, second] = ["the first secret of it of over 32 bytes", "the second secret of it of over 32 bytes"];
      const one = await start({ folder, env: { GALLEY_SECRET: first } });
      const { email } = await one.people.someone();
      await one.people.post("password/forgot", { email });
      const { token } = await one.people.mailed(email, "reset");
      await one.app.close();
      const reset = async (secrets: string) => {
        const { app, people } = await start({ folder, env: { GALLEY_SECRET: secrets } });
        const answer = await people.post("password/reset", { token, password: OTHER_PASSWORD });
        await app.close();
        return answer;
      };
      t.equal(reasonOf(await reset(second)), "secret_invalid");
      t.equal((await reset(`${second},${first}`)).status, 204);
    },
  );

  t.test("admins set no password from a network that they may not come from", async (t) => {
    const { email } = await people.admin("editor");
    await people.settings({ admins: { networks: ["192.168.0.0/16"] } });
    const [outside, inside] = [{ "x-forwarded-for": "203.0.113.9" }, { "x-forwarded-for": "192.168.1.1" }];
    const forgot = (headers: object) => people.post("password/forgot", { email, as: "admin" }, null, headers);
    t.equal((await forgot(outside)).status, 403);
    t.equal((await forgot(inside)).status, 202);
    const { token } = await people.mailed(email, "reset");
    const reset = (headers: object) =>
      people.post("password/reset", { token, password: OTHER_PASSWORD }, null, headers);
    t.equal((await reset(outside)).status, 403);
    t.equal((await reset(inside)).status, 204, "the link is still good");
    await people.settings({ admins: null });
  });
});
