import t from "tap";
import { type Answer, startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { mailFor, mailsIn } from "../support/mailbox.ts";

const PASSWORD = "plum-orbit-lantern-42";
const OTHER = "quartz-meadow-harbour-7";

onEachEngine(t, async (t, engine) => {
  let now = Date.parse("2026-03-01T00:00:00Z");
  const app = await startApp({ engine, clock: () => now });
  t.teardown(() => app.close());
  const MINUTE = 60_000;
  let people = 0;
  const post = (path: string, body?: object, as: string | null = null): Promise<Answer> =>
    app.send("POST", `/v1/auth/${path}`, { ...(body && { body }), as });
  const get = (path: string, as: string | null) => app.send("GET", `/v1/auth/${path}`, { as });
  const settings = async (change: object) => {
    const answer = await app.send("PATCH", "/v1/admin/settings", { body: change });
    if (answer.status !== 200) throw new Error(answer.text);
  };
  const mailed = (to: string, kind: string, nth = 1) => mailFor(app.folder, to, kind, nth);
  /** Someone new, signed in. */
  const someone = async () => {
    const email = `person${++people}@example.org`;
    const answer = await post("sign-up", { email, password: PASSWORD, name: "Ada" });
    if (answer.status !== 201) throw new Error(answer.text);
    const mail = await mailed(email, "verify");
    // Another mail to the same address is allowed a minute later.
    now += 2 * MINUTE;
    return { email, mail, ...answer.json.session };
  };
  const signIn = async (email: string, password = PASSWORD, more: object = {}, as: string | null = null) =>
    post("sign-in", { email, password, ...more }, as);

  t.test("sign-up makes an account, signs in, and mails a proof", async (t) => {
    const answer = await post("sign-up", {
      email: " Grace.Hopper@Example.ORG ",
      password: PASSWORD,
      name: "Grace",
      locale: "en-GB",
      data: { theme: "dark" },
    });
    t.equal(answer.status, 201, answer.text);
    t.equal(answer.headers["cache-control"], "no-store");
    const { session } = answer.json;
    t.match(session.user, {
      email: "Grace.Hopper@example.org",
      emailProven: false,
      guest: false,
      name: "Grace",
      locale: "en-GB",
      data: { theme: "dark" },
      roles: [],
      claims: {},
    });
    t.match(Object.keys(session).sort(), ["accessToken", "deviceToken", "expiresIn", "id", "refreshToken", "user"]);
    t.equal(session.expiresIn, 900);
    t.match((await get("me", session.accessToken)).json, { id: session.user.id, name: "Grace" });
    const mail = await mailed("Grace.Hopper@example.org", "verify");
    t.match(mail.to, /Grace\.Hopper@example\.org/);
    t.ok(mail.link?.startsWith(`${app.url}/auth/verify#token=`), `${mail.link}`);
    t.notOk(answer.text.includes(mail.token as string), "the secret goes by mail alone");
    const again = await post("sign-up", { email: "grace.hopper@example.org", password: OTHER });
    t.match([again.status, again.json.error.code], [409, "already_exists"]);
    now += 2 * MINUTE;
  });

  t.test("what is wrong with a sign-up is told at once, by its path", async (t) => {
    const body = { email: "nobody", password: "short", name: "", locale: "english!", data: { $a: 1 } };
    const { status, json } = await post("sign-up", body);
    t.equal(status, 400);
    const paths = json.error.details.faults.map(({ path }: { path: string }) => path);
    t.strictSame(paths.sort(), ["data", "email", "locale", "name", "password"]);
    t.equal((await post("sign-up", { email: "a@b.example", password: PASSWORD, roles: ["admin"] })).status, 400);
    t.equal((await post("sign-up", { email: 1, password: PASSWORD })).status, 400);
    t.equal((await post("sign-up")).status, 400);
  });

  t.test("sign-in takes the right password, and says one thing otherwise", async (t) => {
    const { email, user } = await someone();
    const right = await signIn(email.toUpperCase());
    t.equal(right.status, 200, right.text);
    t.equal(right.json.session.user.id, user.id);
    const wrong = await signIn(email, OTHER);
    const unknown = await signIn("nobody@example.org", OTHER);
    t.strictSame([wrong.status, unknown.status], [401, 401]);
    const bare = ({ error: { requestId: _, ...error } }: { error: Record<string, unknown> }) => error;
    t.strictSame(bare(wrong.json), bare(unknown.json));
    t.equal(wrong.json.error.details.reason, "bad_credentials");
    t.strictSame(Object.keys(wrong.headers).sort(), Object.keys(unknown.headers).sort());
  });

  t.test("each sign-in is a new session; proving again ends the one it carries", async (t) => {
    const { email, id, accessToken } = await someone();
    const next = (await signIn(email, PASSWORD, {}, accessToken)).json.session;
    t.not(next.id, id);
    t.match((await get("me", accessToken)).json.error.details, { reason: "session_ended" });
    t.equal((await get("me", next.accessToken)).status, 200);
  });

  t.test("a refresh token is good once, and its successor is one", async (t) => {
    const { refreshToken, accessToken, id } = await someone();
    const first = await post("refresh", { refreshToken });
    t.equal(first.status, 200, first.text);
    t.strictSame(Object.keys(first.json).sort(), ["accessToken", "expiresIn", "refreshToken"]);
    const again = await post("refresh", { refreshToken });
    t.equal(again.json.refreshToken, first.json.refreshToken, "within half a minute: the same successor");
    t.equal((await get("me", first.json.accessToken)).status, 200);
    now += 31_000;
    const reused = await post("refresh", { refreshToken });
    t.match([reused.status, reused.json.error.details.reason], [401, "session_ended"]);
    t.match((await post("refresh", { refreshToken: first.json.refreshToken })).json.error.details, {
      reason: "session_ended",
    });
    t.equal((await get("me", accessToken)).status, 401);
    t.equal((await post("refresh", { refreshToken: `gr_${id}_9_forged` })).status, 401);
    t.equal((await post("refresh", {})).status, 401);
  });

  t.test("an access token ends by itself", async (t) => {
    const { accessToken, refreshToken } = await someone();
    now += 16 * MINUTE;
    const old = await get("me", accessToken);
    t.match([old.status, old.json.error.details.reason], [401, "token_invalid"]);
    const { accessToken: fresh } = (await post("refresh", { refreshToken })).json;
    t.equal((await get("me", fresh)).status, 200);
  });

  t.test("sign-out ends the session at once, and is harmless when repeated", async (t) => {
    const { accessToken, refreshToken } = await someone();
    t.equal((await post("sign-out", undefined, accessToken)).status, 204);
    t.equal((await get("me", accessToken)).json.error.details.reason, "session_ended");
    t.equal((await post("sign-out", undefined, accessToken)).status, 204);
    t.equal((await post("refresh", { refreshToken })).status, 401);
    const other = await someone();
    t.equal((await post("sign-out", { refreshToken: other.refreshToken })).status, 204);
    t.equal((await get("me", other.accessToken)).status, 401);
  });

  t.test("people change what they say of themselves, and nothing else", async (t) => {
    const { accessToken } = await someone();
    const patch = (body: object) => app.send("PATCH", "/v1/auth/me", { body, as: accessToken });
    t.match((await patch({ name: "New", data: { a: [1] } })).json, { name: "New", data: { a: [1] } });
    t.match((await patch({ name: null })).json, { name: null, data: { a: [1] } });
    for (const body of [{ roles: ["x"] }, { email: "a@b.example" }, { id: "x" }, { data: { d: "x".repeat(9000) } }]) {
      t.equal((await patch(body)).status, 400, JSON.stringify(body).slice(0, 40));
    }
    t.match((await get("me", accessToken)).json, { name: null, roles: [] });
  });

  t.test("devices are listed and signed out, others only by a fresh proof", async (t) => {
    const { email, accessToken, id } = await someone();
    const phone = (await signIn(email, PASSWORD, { deviceName: "My phone" })).json.session;
    const { sessions } = (await get("sessions", accessToken)).json;
    t.equal(sessions.length, 2);
    t.match(
      sessions.find((one: { id: string }) => one.id === phone.id),
      {
        current: false,
        device: { name: "My phone" },
      },
    );
    t.match(
      sessions.find((one: { id: string }) => one.id === id),
      { current: true },
    );
    const end = (one: string, as: string) => app.send("DELETE", `/v1/auth/sessions/${one}`, { as });
    now += 10 * MINUTE;
    t.equal((await end("none", accessToken)).status, 404);
    t.equal((await end(phone.id, accessToken)).status, 204);
    t.equal((await get("me", phone.accessToken)).status, 401);
    const later = (await signIn(email)).json.session;
    now += 5 * MINUTE;
    const stale = await end(later.id, accessToken);
    t.equal(stale.status, 401, "the access token is over");
    const third = (await signIn(email)).json.session;
    t.equal((await app.send("DELETE", "/v1/auth/sessions", { as: third.accessToken })).status, 204);
    t.strictSame(
      [(await get("me", later.accessToken)).status, (await get("me", third.accessToken)).status],
      [401, 200],
    );
  });

  t.test("a password is changed by who knows it; every other session ends", async (t) => {
    const { email, accessToken } = await someone();
    const other = (await signIn(email)).json.session;
    const change = (current: string, password: string) => post("password/change", { current, password }, accessToken);
    t.equal((await change(OTHER, PASSWORD)).json.error.details.reason, "bad_credentials");
    t.equal((await change(PASSWORD, "short")).status, 400);
    const changed = await change(PASSWORD, OTHER);
    t.equal(changed.status, 200, changed.text);
    const { session } = changed.json;
    t.strictSame(
      [(await get("me", other.accessToken)).status, (await get("me", accessToken)).status],
      [401, 401],
      "the old ones are over",
    );
    t.equal((await get("me", session.accessToken)).status, 200);
    t.strictSame([(await signIn(email)).status, (await signIn(email, OTHER)).status], [401, 200]);
  });

  t.test("a forgotten password is set anew by the newest mailed link, once", async (t) => {
    const { email, accessToken } = await someone();
    t.equal((await post("password/forgot", { email })).status, 202);
    const first = await mailed(email, "reset");
    t.equal((await post("password/forgot", { email })).status, 429, "one a minute");
    now += 2 * MINUTE;
    const unknown = await post("password/forgot", { email: "nobody-at-all@example.org" });
    t.match([unknown.status, unknown.text], [202, "{}"]);
    await post("password/forgot", { email });
    const second = await mailed(email, "reset", 2);
    t.notOk(
      mailsIn(app.folder).some(({ to }) => to.includes("nobody-at-all")),
      "nobody is mailed nothing",
    );
    const reset = (token: string | undefined, password = OTHER) =>
      post("password/reset", { token: token ?? "", password });
    t.equal((await reset(first.token)).json.error.details.reason, "secret_invalid");
    t.equal((await reset(second.token, "short")).status, 400, "and the link stays good");
    const done = await reset(second.token);
    t.equal(done.status, 204, done.text);
    t.equal((await reset(second.token)).status, 401);
    t.equal((await get("me", accessToken)).json.error.details.reason, "session_ended");
    t.strictSame([(await signIn(email)).status, (await signIn(email, OTHER)).status], [401, 200]);
    t.equal((await signIn(email, OTHER)).json.session.user.emailProven, true);
  });

  t.test("a reset link is over after half an hour", async (t) => {
    const { email } = await someone();
    await post("password/forgot", { email });
    const { token } = await mailed(email, "reset");
    now += 31 * MINUTE;
    t.equal((await post("password/reset", { token, password: OTHER })).status, 401);
  });

  t.test("an address is proven by code or link, with something only the maker has", async (t) => {
    const linked = await someone();
    t.equal((await post("email/verify", { token: linked.mail.token })).json.error.details.reason, "reauth_required");
    t.equal((await post("email/verify", { token: linked.mail.token, password: OTHER })).status, 401);
    t.equal((await post("email/verify", { token: linked.mail.token, password: PASSWORD })).status, 204);
    t.equal((await post("email/verify", { token: linked.mail.token, password: PASSWORD })).status, 401, "once");
    const carried = await someone();
    t.equal(
      (await post("email/verify", { token: carried.mail.token }, linked.accessToken)).status,
      401,
      "not by another",
    );
    const fresh = (await signIn(carried.email)).json.session;
    t.equal((await post("email/verify", { token: carried.mail.token }, fresh.accessToken)).status, 204);
    t.equal((await get("me", fresh.accessToken)).json.emailProven, true);
    const coded = await someone();
    const session = (await signIn(coded.email)).json.session;
    const sent = await post("email/resend", undefined, session.accessToken);
    t.equal(sent.status, 202, sent.text);
    const replaced = await mailed(coded.email, "verify", 2);
    now += 2 * MINUTE;
    const again = await post("email/resend", { challenge: sent.json.next.challenge });
    t.equal(again.status, 202, again.text);
    const { code, token } = await mailed(coded.email, "verify", 3);
    const { challenge } = again.json.next;
    t.equal((await post("email/verify", { challenge: sent.json.next.challenge, code: replaced.code })).status, 401);
    t.equal(
      (await post("email/verify", { token: coded.mail.token }, session.accessToken)).status,
      401,
      "older ones end",
    );
    const wrong = code === "000000" ? "000001" : "000000";
    t.equal((await post("email/verify", { challenge, code: wrong })).status, 401);
    t.equal((await post("email/verify", { challenge, code })).status, 204);
    t.equal((await post("email/verify", { token }, session.accessToken)).status, 401, "the link went with the code");
  });

  t.test("a new address counts once it is proven; the old one is told", async (t) => {
    const person = await someone();
    await post("email/verify", { token: person.mail.token, password: PASSWORD });
    const { accessToken } = (await signIn(person.email)).json.session;
    const other = (await signIn(person.email)).json.session;
    const email = `moved${people}@example.org`;
    const asked = await post("email/change", { email }, accessToken);
    t.equal(asked.status, 202, asked.text);
    const mail = await mailed(email, "verify");
    t.equal((await get("me", accessToken)).json.email, person.email);
    t.equal((await post("email/verify", { challenge: asked.json.next.challenge, code: mail.code })).status, 204);
    t.match((await get("me", accessToken)).json, { email, emailProven: true });
    t.equal((await get("me", other.accessToken)).status, 401, "other sessions end");
    await mailed(person.email, "email-changed");
    t.strictSame([(await signIn(person.email)).status, (await signIn(email)).status], [401, 200]);
  });

  t.test(
    "with confirm: first nobody is made before the address is proven, and nobody learns who is there",
    async (t) => {
      const taken = await someone();
      await settings({ signUp: { confirm: "first" } });
      t.teardown(() => settings({ signUp: { confirm: null } }));
      const email = `pending${people}@example.org`;
      const fresh = await post("sign-up", { email, password: PASSWORD, name: "Pending" });
      const known = await post("sign-up", { email: taken.email, password: OTHER });
      t.strictSame([fresh.status, known.status], [202, 202]);
      t.strictSame(Object.keys(fresh.json.next).sort(), Object.keys(known.json.next).sort());
      t.equal(fresh.json.next.challenge.length, known.json.next.challenge.length);
      const mail = await mailed(email, "verify");
      const word = await mailed(taken.email, "already-registered");
      t.equal(word.code, undefined, "the owner of a taken address gets no code");
      t.equal((await signIn(email)).status, 401, "there is nobody yet");
      const { challenge } = fresh.json.next;
      t.equal((await post("email/verify", { challenge: known.json.next.challenge, code: "123456" })).status, 401);
      const made = await post("email/verify", { challenge, code: mail.code });
      t.equal(made.status, 200, made.text);
      t.match(made.json.session.user, { email, emailProven: true, name: "Pending" });
      t.equal((await post("email/verify", { challenge, code: mail.code })).status, 401);
      t.equal((await signIn(email)).status, 200);
    },
  );

  t.test("a guest who signs up keeps the id", async (t) => {
    const guest = (await post("anonymous", { deviceName: "Kiosk" })).json.session;
    t.match(guest.user, { guest: true, email: null });
    const email = `guest${++people}@example.org`;
    const made = await post("sign-up", { email, password: PASSWORD }, guest.accessToken);
    t.equal(made.status, 201, made.text);
    t.match(made.json.session.user, { id: guest.user.id, guest: false, email });
    t.equal((await get("me", guest.accessToken)).status, 401, "the guest's session is over");
    const again = await post("sign-up", { email: `x${email}`, password: PASSWORD }, made.json.session.accessToken);
    t.match([again.status, again.json.error.code], [412, "failed_precondition"]);
  });

  t.test("sign-up can be closed", async (t) => {
    await settings({ signUp: { open: false } });
    t.teardown(() => settings({ signUp: { open: null } }));
    for (const [path, body] of [
      ["sign-up", { email: "late@example.org", password: PASSWORD }],
      ["anonymous", undefined],
    ] as const) {
      const { status, json } = await post(path, body);
      t.match([status, json.error.details.reason], [403, "sign_up_closed"]);
    }
    const email = "invited-late@example.org";
    await app.send("POST", "/v1/admin/users", { body: { email } });
    const { token: invite } = await mailed(email, "invite");
    const take = () => post("sign-up", { email, invite, password: PASSWORD });
    t.equal((await take()).status, 403);
    await settings({ signUp: { open: "invite" } });
    t.equal((await post("anonymous")).status, 403);
    t.equal((await take()).status, 201);
  });

  t.test("an account is deleted whole, by a fresh proof", async (t) => {
    const { email, accessToken, user } = await someone();
    await app.send("PUT", `/v1/documents/users/${user.id}`, { body: { public: true } });
    const remove = (body: object, as: string) => app.send("DELETE", "/v1/auth/me", { body, as });
    t.equal((await remove({}, accessToken)).status, 400);
    t.equal((await remove({ confirm: "delete" }, accessToken)).status, 204);
    t.equal((await get("me", accessToken)).status, 401);
    t.equal((await signIn(email)).status, 401);
    t.equal((await app.send("GET", `/v1/documents/users/${user.id}`)).status, 404);
    t.equal((await app.send("GET", `/v1/admin/users/${user.id}`)).status, 404);
    t.equal((await post("sign-up", { email, password: PASSWORD })).status, 201, "the address is free");
  });

  t.test("documents stay closed to users", async (t) => {
    const { accessToken } = await someone();
    for (const path of ["documents/posts", "documents/posts/x", "admin/users"]) {
      t.equal((await app.send("GET", `/v1/${path}`, { as: accessToken })).status, 403, path);
    }
    for (const as of [accessToken, app.key]) {
      t.equal((await app.send("GET", "/v1/documents/_users/x", { as })).status, 400, "no such name");
    }
  });
});
