import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import { deriveKeys } from "../../server/accounts/secrets/derived-keys.ts";
import { OTHER_PASSWORD, PASSWORD, reasonOf } from "../support/people.ts";
import { statusOf, type World } from "./advisories-world.ts";
import { throughDoors } from "./doors.ts";

/** Tokens, sessions, and what is stored of people. */
export function guardSessions(t: Test, { app, people }: World): void {
  const { post, me, mailed, someone, signIn } = people;

  t.test(
    "GHSA-6w4q-23cf-j9jp, GHSA-jc39-686j-wp6q, GHSA-5v7g-9h8f-8pgg (Parse Server): no client writes a session",
    async (t) => {
      const [ada, bob] = [await someone(), await someone()];
      const as = bob.accessToken;
      const body = { user: ada.user.id, endsAt: "2099-01-01T00:00:00Z", generation: 1, kind: "impersonation" };
      for (const path of ["/v1/auth/sessions", `/v1/auth/sessions/${bob.id}`, `/v1/auth/sessions/${ada.id}`]) {
        for (const method of ["POST", "PUT", "PATCH"])
          t.equal(await statusOf(app.send(method, path, { as, body })), 404);
      }
      for (const who of [as, app.key]) {
        const status = await statusOf(app.send("PATCH", `/v1/documents/_sessions/${ada.id}`, { as: who, body }));
        t.equal(status, 400, "no such name");
      }
      t.equal(await statusOf(app.send("DELETE", `/v1/auth/sessions/${ada.id}`, { as })), 404, "nobody else's ends");
      t.equal(await statusOf(post("sign-in", { email: bob.email, password: PASSWORD, id: ada.id })), 400);
      t.match((await me(ada.accessToken)).json, { id: ada.user.id });
    },
  );

  t.test("GHSA-g4v2-qx3q-4p64, GHSA-75v4-m273-5j49 (Parse Server): what is stored is in no answer", async (t) => {
    const { id, user, email, accessToken } = await someone();
    const { store } = app.app;
    const [[session], [credential]] = [await store.get("_sessions", [id]), await store.get("_credentials", [user.id])];
    const hidden = [session?.value.salt, credential?.value.password].map(String);
    const { accessToken: fresh } = (await signIn(email)).json.session;
    const answers = [
      await signIn(email),
      await me(accessToken),
      await app.send("GET", "/v1/auth/sessions", { as: fresh }),
      await app.send("PATCH", "/v1/auth/me", { as: fresh, body: { name: "A" } }),
      await app.send("GET", `/v1/admin/users/${user.id}`),
      await app.send("GET", `/v1/admin/users/${user.id}/sessions`),
      await app.send("GET", `/v1/admin/users?q=${user.id}`),
    ];
    for (const { status, text } of answers) {
      t.equal(status, 200);
      t.notMatch(text, /argon2|"salt"|"generation"|credentialVersion|emailKey|"mac"/);
      for (const secret of hidden) t.ok(secret.length > 20 && !text.includes(secret));
    }
  });

  t.test("GHSA-2m6g-crv8-p3c6 (Parse Server): no search finds by what is hidden", async (t) => {
    const { user } = await someone();
    const [credential] = await app.app.store.get("_credentials", [user.id]);
    const hash = String(credential?.value.password);
    for (const q of [hash, hash.slice(0, 9), "$argon2", "^person", "*", '{"$ne":null}']) {
      const { json } = await app.send("GET", `/v1/admin/users?q=${encodeURIComponent(q)}`);
      t.same(json.users, [], q);
    }
    for (const collection of ["_credentials", "_users", "_sessions", "_secrets"]) {
      const found = await throughDoors(app, collection, { password: { $startsWith: "$argon2" } });
      t.same(
        found.filter(([, { status }]) => status !== 400 && status !== 404).map(([door]) => door),
        [],
        collection,
      );
    }
  });

  t.test("GHSA-56p6-qw3c-fq2g (Directus): a closed account's tokens are over, and its sign-in", async (t) => {
    const { user, email, accessToken, refreshToken } = await someone();
    t.equal(await statusOf(me(accessToken)), 200, "the token is known here");
    t.equal(await statusOf(app.send("POST", `/v1/admin/users/${user.id}/disable`)), 200);
    t.equal(await statusOf(me(accessToken)), 401);
    t.equal(await statusOf(post("refresh", { refreshToken })), 401);
    t.equal(await statusOf(signIn(email)), 401);
    t.equal(await statusOf(app.send("POST", `/v1/admin/users/${user.id}/enable`)), 200);
    t.equal(await statusOf(me(accessToken)), 401, "opening it again brings no session back");
    t.equal(await statusOf(post("refresh", { refreshToken })), 401);
  });

  t.test("CVE-2026-22706 (Strapi): a new password ends every refresh token, on whatever device", async (t) => {
    const { email, accessToken, refreshToken } = await someone();
    const phone = (await signIn(email, PASSWORD, { deviceName: "phone" })).json.session;
    const body = { current: PASSWORD, password: OTHER_PASSWORD };
    const changed = (await post("password/change", body, accessToken)).json.session;
    for (const token of [refreshToken, phone.refreshToken]) {
      t.equal(reasonOf(await post("refresh", { refreshToken: token })), "session_ended");
    }
    await post("password/forgot", { email });
    const { token } = await mailed(email, "reset");
    t.equal(await statusOf(post("password/reset", { token, password: PASSWORD })), 204);
    t.equal(reasonOf(await post("refresh", { refreshToken: changed.refreshToken })), "session_ended");
  });

  t.test("CVE-2025-4643 (Payload): after a sign-out the access token is good for nothing", async (t) => {
    const { accessToken } = await someone();
    t.equal(await statusOf(post("sign-out", undefined, accessToken)), 204);
    for (const [method, path] of [
      ["GET", "/v1/auth/me"],
      ["GET", "/v1/auth/sessions"],
      ["GET", "/v1/documents/posts"],
      ["POST", "/v1/documents/posts/query"],
      ["GET", "/v1/admin/users"],
    ] as const) {
      const answer = await app.send(method, path, { as: accessToken, ...(method === "POST" && { body: {} }) });
      t.equal(reasonOf(answer), "session_ended", path);
    }
  });

  t.test("CVE-2026-25574 (Payload): users and admins are two worlds, also where ids are guessed", async (t) => {
    const [owner, person] = [await people.admin("owner"), await someone()];
    const as = owner.accessToken;
    t.equal(await statusOf(app.send("GET", `/v1/admin/users/${owner.id}`, { as })), 404);
    t.equal(await statusOf(app.send("DELETE", `/v1/admin/users/${owner.id}`, { as })), 404);
    const admin = `/v1/admin/settings/admins/${person.user.id}`;
    t.equal(await statusOf(app.send("PATCH", admin, { as, body: { role: "owner" } })), 404);
    t.equal(await statusOf(app.send("DELETE", admin, { as })), 404);
    t.equal(await statusOf(app.send("DELETE", `/v1/auth/sessions/${person.id}`, { as })), 404);
    t.equal(await statusOf(signIn(person.email, PASSWORD, { as: "admin" })), 401);
    t.equal(await statusOf(signIn(owner.email)), 401);
    t.equal(await statusOf(me(person.accessToken)), 200);
  });

  t.test(
    "CVE-2026-35042, CVE-2026-34950, CVE-2023-48223 (fast-jwt): the server's own key signs in one way only",
    async (t) => {
      const { accessToken } = await someone();
      const secret = readFileSync(join(app.folder, "secret"), "utf8").trim();
      const [{ bytes: key }] = deriveKeys([secret]).of("access");
      const [head = "", body = ""] = accessToken.split(".");
      const header = JSON.parse(Buffer.from(head, "base64url").toString());
      const text = (more: object) =>
        `${Buffer.from(JSON.stringify({ ...header, ...more })).toString("base64url")}.${body}`;
      const signed = (more: object, hash = "sha256") =>
        `${text(more)}.${createHmac(hash, key).update(text(more)).digest("base64url")}`;
      t.equal(await statusOf(me(signed({}))), 200, "so it is the right key");
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const jwk = publicKey.export({ format: "jwk" });
      const own = text({ alg: "ES256", jwk });
      const forged = {
        "an unknown critical member": signed({ crit: ["x-policy"], "x-policy": "require-mfa" }),
        "an empty list of them": signed({ crit: [] }),
        "another hash": signed({ alg: "HS512" }, "sha512"),
        "another hash, not said": signed({}, "sha512"),
        "another type": signed({ typ: "JWT" }),
        "no type": signed({ typ: undefined }),
        "a key of its own": `${own}.${sign("sha256", Buffer.from(own), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`,
        "a member more": signed({ b64: true }),
      };
      for (const [what, token] of Object.entries(forged)) t.equal(await statusOf(me(token)), 401, what);
    },
  );

  t.test("GHSA-9g8m-v378-pcg3, GHSA-93vw-8fm5-p2jf (Parse): no member of an account reaches a prototype", async (t) => {
    const { user, accessToken } = await someone();
    const one = `/v1/admin/users/${user.id}`;
    for (const evil of ['"__proto__":{"polluted":true}', '"constructor":{"prototype":{"polluted":true}}']) {
      for (const [method, path, as, body] of [
        ["PATCH", "/v1/auth/me", accessToken, `{"data":{${evil}}}`],
        ["PATCH", "/v1/auth/me", accessToken, `{${evil}}`],
        ["PATCH", one, app.key, `{"claims":{"a":{${evil}}}}`],
        ["POST", "/v1/auth/sign-up", null, `{"email":"p@example.org","password":"${PASSWORD}","data":{${evil}}}`],
        ["PATCH", "/v1/admin/settings", app.key, `{"signUp":{${evil}}}`],
      ] as const) {
        const { status, json } = await app.send(method, path, { as, body });
        t.ok(status === 400 || (status < 300 && json.polluted === undefined), `${method} ${path}: ${status}`);
      }
    }
    t.equal(({} as { polluted?: unknown }).polluted, undefined);
    t.notMatch((await app.send("GET", one)).json, { polluted: true });
  });
}
