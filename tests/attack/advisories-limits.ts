import type { Test } from "tap";
import { OTHER_PASSWORD, together } from "../support/people.ts";
import { requestText, sendRaw } from "../support/raw-http.ts";
import { statusOf, type World } from "./advisories-world.ts";

/** Limits, batches, and keys. */
export function guardLimits(t: Test, { app, people }: World): void {
  const { post, me, someone, signIn } = people;

  t.test("GHSA-775h-3xrc-c228, GHSA-p84r-h6rx-f2xr (Parse Server): a batch reaches no way in", async (t) => {
    const { email } = await someone();
    const body = { email, password: OTHER_PASSWORD };
    for (const item of [
      { method: "POST", path: "/v1/auth/sign-in", body },
      { op: "sign-in", ...body },
      { op: "create", collection: "/v1/auth/sign-in", document: body },
      { op: "create", collection: "_sessions", document: body },
    ]) {
      for (const batch of [{ operations: Array(50).fill(item) }, { requests: Array(50).fill(item) }]) {
        const { status, json } = await app.send("POST", "/v1/batch", { body: batch });
        t.match([status, json.results], [/^4\d\d$/, undefined]);
      }
    }
    t.equal(await statusOf(signIn(email)), 200);
  });

  t.test("GHSA-vpvj-hfh8-388m (Parse Server): no header or member makes a request another method", async (t) => {
    const { email, accessToken } = await someone();
    const override = { "x-http-method-override": "GET", "x-method-override": "DELETE", "x-http-method": "DELETE" };
    t.equal(await statusOf(post("password/forgot", { email }, null, override)), 202);
    t.equal(await statusOf(post("password/forgot", { email }, null, override)), 429, "it counts as what it is");
    t.equal(await statusOf(app.send("GET", "/v1/auth/me", { as: accessToken, headers: override })), 200);
    t.equal(await statusOf(app.send("PATCH", "/v1/auth/me", { as: accessToken, body: { _method: "DELETE" } })), 400);
    t.equal(await statusOf(me(accessToken)), 200);
  });

  t.test("GHSA-79wj-8rqv-jvp5 (Parse Server): a key that reads users changes none, and becomes none", async (t) => {
    const { user, refreshToken, accessToken } = await someone();
    const made = await app.send("POST", "/v1/admin/keys", { body: { name: "r", scopes: ["admin:users:read"] } });
    const as = made.json.secret;
    const one = `/v1/admin/users/${user.id}`;
    const read = await Promise.all(["", "/sessions"].map((path) => app.send("GET", one + path, { as })));
    for (const { status, text } of read) {
      t.equal(status, 200);
      for (const secret of [refreshToken, accessToken]) t.notOk(text.includes(secret));
    }
    for (const [method, path] of [
      ["PATCH", ""],
      ["DELETE", ""],
      ["POST", "/disable"],
      ["POST", "/sign-out"],
      ["POST", "/send-reset"],
    ] as const) {
      const sent = method === "PATCH" ? { as, body: {} } : { as };
      const { status, json } = await app.send(method, one + path, sent);
      t.match([status, json.error.details.scope], [403, "admin:users:write"], `${method} ${path}`);
    }
    for (const path of ["sign-in", "anonymous", "sign-out"]) t.equal(await statusOf(post(path, {}, as)), 403, path);
    t.equal(await statusOf(me(accessToken)), 200);
  });

  t.test("CVE-2025-64526 (Strapi): no member of a body makes a limit count elsewhere", async (t) => {
    await people.settings({ limits: { network: { codesPerHour: 3 } } });
    const from = { "x-forwarded-for": "203.0.113.9" };
    const token = (i: number) => `${"B".repeat(21)}${i}.${"A".repeat(43)}`;
    const reset = (i: number, more = {}) =>
      post("password/reset", { token: token(i), password: OTHER_PASSWORD, ...more }, null, from);
    t.equal(await statusOf(reset(0, { email: "a@example.org" })), 400, "it does not belong there");
    t.same(await together(6, (i) => reset(i)), { 401: 3, 429: 3 });
    t.equal(await statusOf(post("email/verify", { token: token(1) }, null, from)), 429, "codes and links count as one");
    await people.settings({ limits: { network: { codesPerHour: null } } });
  });

  t.test("CVE-2025-61928 (Better Auth): nobody gets a key by saying whose it is to be", async (t) => {
    const { user, accessToken } = await someone();
    for (const [as, status] of [
      [null, 401],
      [accessToken, 403],
      [app.key, 400],
    ] as const) {
      for (const claim of ["userId", "createdBy", "id", "hash"]) {
        const body = { name: "k", scopes: ["*"], [claim]: user.id };
        t.equal(await statusOf(app.send("POST", "/v1/admin/keys", { as, body })), status, claim);
      }
    }
  });

  t.test("GHSA-x732-6j76-qmhm (Better Auth): a way in has one spelling", async (t) => {
    const { email } = await someone();
    const body = JSON.stringify({ email, password: OTHER_PASSWORD });
    const head = ["content-type: application/json", `content-length: ${body.length}`];
    for (const path of ["//v1/auth/sign-in", "/v1//auth/sign-in", "/v1/auth//sign-in", "///v1/auth/sign-in"]) {
      t.same((await sendRaw(app.url, requestText("POST", path, head, body))).statuses, [404], path);
    }
  });

  t.test("CVE-2026-45364 (Better Auth): IPv6 is limited by its /64, however an address is written", async (t) => {
    await people.settings({ limits: { network: { mailsPerHour: 3 } } });
    const forgot = (from: string) =>
      statusOf(post("password/forgot", { email: people.newEmail() }, null, { "x-forwarded-for": from }));
    const one = ["2001:db8:0:7::1", "2001:DB8:0:7:ffff::2", "2001:0db8:0000:0007:0:0:0:3"];
    for (const address of one) t.equal(await forgot(address), 202, address);
    for (const address of ["2001:db8:0:7::1", "2001:db8:0:7:1:2:3:4", "2001:db8:0:7::198.51.100.7"]) {
      t.equal(await forgot(address), 429, address);
    }
    const four = ["198.51.100.7", "::ffff:198.51.100.7", "::FFFF:c633:6407"];
    for (const address of four) t.equal(await forgot(address), 202, address);
    for (const address of four) t.equal(await forgot(address), 429, address);
    t.equal(await forgot("2001:db8:0:8::1"), 202, "another network is another");
    await people.settings({ limits: { network: { mailsPerHour: null } } });
  });
}
