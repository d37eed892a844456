/** What accounts do by themselves, over months, restarts and losses, on both engines. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MongoClient } from "mongodb";
import t from "tap";
import { createAudit } from "../../server/accounts/audit/audit.ts";
import { decideAndCommit } from "../../server/accounts/commit.ts";
import { removeIdleGuests } from "../../server/accounts/flows/guests.ts";
import { endRemovals, REMOVED, removedPerson } from "../../server/accounts/flows/removal.ts";
import { recordsWhere } from "../../server/accounts/record.ts";
import { deriveKeys } from "../../server/accounts/secrets/derived-keys.ts";
import { createSecrets } from "../../server/accounts/secrets/secrets.ts";
import { createSessions } from "../../server/accounts/sessions/sessions.ts";
import { findUser } from "../../server/accounts/users.ts";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { type StartOptions, startApp, type TestApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { until } from "../support/until.ts";

const DAY = 24 * 60 * 60 * 1000;
const PASSWORD = "plum-orbit-lantern-42";
const [A, B] = ["the secret A of these tests: over 32 bytes", "the secret B of these tests: over 32 bytes"] as const;

onEachEngine(t, async (t, engine) => {
  let now = Date.parse("2026-03-01T00:00:00Z");
  const clock = () => now;
  const app = await startApp({ engine, clock });
  t.teardown(() => app.close());
  const post = (path: string, body: object | undefined, as: string | null) =>
    app.send("POST", `/v1/auth/${path}`, { ...(body && { body }), as });
  const set = async (body: object) => {
    const answer = await app.send("PATCH", "/v1/admin/settings", { body });
    if (answer.status !== 200) throw new Error(answer.text);
  };
  const there = async (id: string) => (await app.send("GET", `/v1/admin/users/${id}`)).status === 200;

  t.test("guests are removed after 30 days without a sign of life, and nobody else is", async (t) => {
    const sweep = () => removeIdleGuests(upkeepOf(app, clock));
    const guest = async () => (await post("anonymous", undefined, null)).json.session;
    const [idle, seen, upgraded] = [await guest(), await guest(), await guest()];
    const body = { email: "upgraded@example.org", password: PASSWORD };
    t.equal((await post("sign-up", body, upgraded.accessToken)).status, 201);
    await app.send("PUT", `/v1/documents/users/${idle.user.id}`, { body: { public: true } });
    await app.send("PUT", "/v1/documents/notes/n1", { body: { by: idle.user.id } });
    now += 20 * DAY;
    const { refreshToken } = (await post("refresh", { refreshToken: seen.refreshToken }, null)).json;
    const young = await guest();
    t.equal(await sweep(), 0);
    now += 10 * DAY + 1;
    t.equal(await sweep(), 1);
    t.strictSame(await Promise.all([idle, seen, upgraded, young].map(({ user }) => there(user.id))), [
      ...[false, true, true, true],
    ]);
    const statusOf = async (path: string) => (await app.send("GET", `/v1/documents/${path}`)).status;
    t.equal(await statusOf(`users/${idle.user.id}`), 404, "the public profile goes with its person");
    t.equal(await statusOf("notes/n1"), 200, "other documents are the app's");
    t.equal(await sweep(), 0, "who was seen is not looked at again and again");
    const { lines } = (await app.send("GET", `/v1/admin/audit?user=${idle.user.id}&action=guest-removed`)).json;
    t.match(lines, [{ by: "server" }]);
    t.equal((await post("refresh", { refreshToken }, null)).status, 200);
    now += 30 * DAY + 1;
    t.equal(await sweep(), 2);
    t.strictSame([await there(seen.user.id), await there(upgraded.user.id)], [false, true]);
  });

  t.test("a guest who comes back in the very moment is either kept whole or gone", async (t) => {
    await set({ sessions: { user: { idleSeconds: 60 * 24 * 3600 } } });
    t.teardown(() => set({ sessions: null }));
    const sweep = () => removeIdleGuests(upkeepOf(app, clock));
    const guests = await Promise.all(Array.from({ length: 30 }, () => post("anonymous", undefined, null)));
    now += 31 * DAY;
    const sweeping = [sweep(), sweep()];
    const tries = guests.map(async ({ json: { session } }) => {
      const { status, json } = await post("refresh", { refreshToken: session.refreshToken }, null);
      return { id: String(session.user.id), status, token: String(json.accessToken) };
    });
    const back = await Promise.all(tries);
    await Promise.allSettled(sweeping);
    const wrong: unknown[] = [];
    for (const { id, status, token } of back) {
      const me = await app.send("GET", "/v1/auth/me", { as: token });
      const kept = status === 200 && me.status === 200 && (await there(id));
      const gone = status === 401 && !(await there(id));
      if (!kept && !gone) wrong.push({ id, status, me: me.status });
    }
    t.strictSame(wrong, []);
  });

  t.test("a removal that was cut off comes to its end, with a profile that was made meanwhile", async (t) => {
    const parts = upkeepOf(app, clock);
    const { store } = app.app;
    const profile = (id: string) => app.send("PUT", `/v1/documents/users/${id}`, { body: { late: true } });
    const statusOf = async (id: string) => (await app.send("GET", `/v1/documents/users/${id}`)).status;
    const marks = async () => (await store.stats(REMOVED.name))?.documents;
    await endRemovals(parts);
    const id = String((await post("anonymous", undefined, null)).json.session.user.id);
    // As a process leaves it that is killed after its commit, while a request that was let in before is under way.
    await decideAndCommit(parts, async () => {
      const user = await findUser(store, "user", id);
      return { writes: user ? await removedPerson(parts, user) : [], answer: undefined };
    });
    await profile(id);
    t.strictSame([await statusOf(id), await marks()], [200, 1]);
    t.equal(await endRemovals(parts), 1);
    t.strictSame([await statusOf(id), await marks()], [404, 0]);
    t.equal(await endRemovals(parts), 0);

    const guest = String((await post("anonymous", undefined, null)).json.session.user.id);
    now += 31 * DAY;
    t.ok((await removeIdleGuests(parts)) > 0);
    await profile(guest);
    t.ok((await endRemovals(parts)) > 0);
    t.equal(await statusOf(guest), 404, "an idle guest's as well");

    const { session } = (await post("anonymous", undefined, null)).json;
    const away = await app.send("DELETE", "/v1/auth/me", { body: { confirm: "delete" }, as: session.accessToken });
    t.strictSame([away.status, await marks()], [204, 0], "whoever waits for the answer waits for the end");
  });

  t.test("no link or code is left of who is removed or closed in the moment in which it is asked for", async (t) => {
    const { store } = app.app;
    let people = 0;
    await set({ limits: { account: { mailsPerMinute: 60, mailsPerHour: 500 } } });
    t.teardown(() => set({ limits: null }));
    const flows = {
      "password/forgot": (email: string) => post("password/forgot", { email }, null),
      "email/change": (_: string, token: string) =>
        post("email/change", { email: `new${++people}@example.org` }, token),
      "email/resend": (_: string, token: string) => post("email/resend", {}, token),
      "send-reset": (_: string, __: string, id: string) => app.send("POST", `/v1/admin/users/${id}/send-reset`),
    };
    const ends = {
      removed: (id: string) => app.send("DELETE", `/v1/admin/users/${id}`),
      closed: (id: string) => app.send("POST", `/v1/admin/users/${id}/disable`),
    };
    const left: unknown[] = [];
    for (const [flow, ask] of Object.entries(flows)) {
      for (const [end, go] of Object.entries(ends)) {
        // Each of the two is decided when the other one is committed.
        for (const [first, collection] of [
          ["asked", "_secrets"],
          [end, end === "removed" ? REMOVED.name : "_users"],
        ] as const) {
          const email = `moment${++people}@example.org`;
          const { session } = (await post("sign-up", { email, password: PASSWORD }, null)).json;
          const { id } = session.user;
          // What the sign-up mailed would be voided, and so be in the way.
          for (const { version, id: secret } of await recordsWhere(store, "_secrets", "user", id)) {
            await store.commit([{ kind: "delete", collection: "_secrets", id: secret, expect: version }]);
          }
          const asked = () => ask(email, session.accessToken, id);
          const [outer, inner] = first === "asked" ? [asked, () => go(id)] : [() => go(id), asked];
          let within: number | undefined;
          const between = beforeCommit(store, collection, async () => {
            within = (await inner()).status;
          });
          const { status } = await outer();
          between.undo();
          const secrets = await recordsWhere(store, "_secrets", "user", id);
          const done = first === "asked" ? within : status;
          if (secrets.length > 0 || (done !== 204 && done !== 200)) {
            left.push({ flow, end, first, status, within, secrets: secrets.map(({ value }) => value.kind) });
          }
        }
      }
    }
    t.strictSame(left, []);
  });

  t.test("requests for data are limited where an admin says so, those of a batch one by one", async (t) => {
    const { accessToken } = (await post("anonymous", undefined, null)).json.session;
    const ask = (as: string | null, path = "documents/posts") => app.send("GET", `/v1/${path}`, { as });
    const batch = (as: string, length: number) => {
      const operations = Array.from({ length }, (_, n) => ({ op: "create", collection: "posts", document: { n } }));
      return app.send("POST", "/v1/batch", { body: { operations }, as });
    };
    /** How many of so many are let through, whatever the rules say then. */
    const passing = async (asked: number, as: string | null) => {
      let passed = 0;
      for (let i = 0; i < asked; i++) if ((await ask(as)).status !== 429) passed++;
      return passed;
    };
    await set({ limits: { anonymous: 4, user: 6 } });
    t.teardown(() => set({ limits: null }));
    t.equal(await passing(5, null), 4);
    const refused = await ask(null);
    t.match([refused.status, refused.headers["retry-after"]], [429, "15"]);
    t.match(refused.json.error, { code: "rate_limited", details: { retryAfter: 15 } });
    t.equal(await passing(2, accessToken), 2, "a user is counted apart");
    t.equal((await batch(accessToken, 5)).status, 429, "four are left");
    t.equal(await passing(4, accessToken), 3, "its request was the first of them");
    now += 60_000;
    const large = await batch(accessToken, 7);
    t.match(
      [large.status, large.json.error.code, large.json.error.details.outcome],
      [413, "payload_too_large", "not_applied"],
    );
    now += 60_000;
    t.equal((await batch(accessToken, 6)).status, 403, "as many as there are in a minute");
    t.equal(await passing(1, accessToken), 0);
    t.equal((await ask(accessToken, "auth/me")).status, 200, "accounts have limits of their own");
    t.equal(await passing(8, app.key), 8, "service keys are not limited");
    t.equal((await batch(app.key, 50)).status, 200);
    await set({ limits: { user: null, anonymous: null } });
    t.equal(await passing(8, accessToken), 8);
  });

  t.test("one user may have a limit of their own, which only admins see", async (t) => {
    const { accessToken: as, user } = (await post("anonymous", undefined, null)).json.session;
    const passing = async (asked: number) => {
      let passed = 0;
      for (let i = 0; i < asked; i++)
        if ((await app.send("GET", "/v1/documents/posts", { as })).status !== 429) passed++;
      return passed;
    };
    const change = (body: object) => app.send("PATCH", `/v1/admin/users/${user.id}`, { body });
    const limited = await change({ limits: { requestsPerMinute: 3 }, notes: "asks a lot" });
    t.match(limited.json, { limits: { requestsPerMinute: 3 }, notes: "asks a lot" });
    t.equal(await passing(5), 3);
    await set({ limits: { user: 2 } });
    t.teardown(() => set({ limits: null }));
    now += 60_000;
    t.equal(await passing(5), 3, "in place of the setting for everybody");
    const me = await app.send("GET", "/v1/auth/me", { as });
    t.notMatch(me.text, /asks a lot|requestsPerMinute/);
    t.match((await change({ limits: null, notes: null })).json, { limits: { requestsPerMinute: null }, notes: null });
    now += 60_000;
    t.equal(await passing(5), 2);
    for (const body of [
      { limits: { requestsPerMinute: 0 } },
      { limits: {} },
      { limits: { requestsPerMinute: 3, more: 1 } },
      { limits: 3 },
      { notes: "x".repeat(4001) },
      { notes: 1 },
    ]) {
      t.equal((await change(body)).status, 400, JSON.stringify(body).slice(0, 60));
    }
    const own = await app.send("PATCH", "/v1/auth/me", { body: { notes: "mine" }, as });
    t.equal(own.status, 400, "nobody writes them of themselves");
    t.match((await change({ notes: "kept" })).json, { notes: "kept" });
    t.match((await change({ name: "Ada" })).json, { notes: "kept", name: "Ada" }, "what is not named stays");
  });

  t.test("a proxy that is not trusted is told of with the settings", async (t) => {
    const warnings = async () => (await app.send("GET", "/v1/admin/settings")).json.warnings;
    t.strictSame(await warnings(), []);
    for (const from of ["203.0.113.9", "203.0.113.10"]) {
      await app.send("GET", "/v1/health", { headers: { "x-forwarded-for": from } });
      await app.send("GET", "/v1/auth/me", { headers: { "x-forwarded-for": from }, as: null });
    }
    t.match(await warnings(), [/^127\.0\.0\.1 sends X-Forwarded-For and is not among GALLEY_TRUSTED_PROXIES/]);
  });

  t.test("a collection of accounts that is dropped is made anew", async (t) => {
    let people = 0;
    const signUp = () => post("sign-up", { email: `new${people++}@example.org`, password: PASSWORD }, null);
    const works = async () =>
      (await signUp()).status === 201 && (await app.send("GET", "/v1/admin/audit")).status === 200;
    const key = (await app.send("POST", "/v1/admin/keys", { body: { name: "k", scopes: ["*"] } })).json.secret;
    await set({ password: { min: 20 } });
    for (const name of ["sessions", "users", "credentials", "secrets", "limits", "mail", "audit", "settings", "keys"]) {
      await app.app.store.passed(await app.app.store.dropCollection(`_${name}`));
      await until(works, 20, `accounts without _${name}`);
    }
    t.equal((await app.send("GET", "/v1/admin/keys", { as: key })).status, 401, "what was in it is gone");
    t.match((await app.send("GET", "/v1/admin/settings")).json, { password: { min: 8 } });
    const url = engine.env(app.folder).GALLEY_MONGODB_URL;
    if (url !== undefined) {
      const { accessToken } = (await signUp()).json.session;
      const client = new MongoClient(url);
      await client.db().dropDatabase();
      await client.close();
      await until(works, 20, "accounts without a database");
      t.equal((await app.send("GET", "/v1/auth/me", { as: accessToken })).status, 401);
    }
  });

  t.test("another secret than the database was used with is told at the start", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "galley-secret-"));
    const second = mkdtempSync(join(tmpdir(), "galley-secret-"));
    t.teardown(() => {
      for (const one of [folder, second]) rmSync(one, { recursive: true });
    });
    const warnings: string[] = [];
    const warn = (_: object, message: string) => void warnings.push(message);
    const log = { debug() {}, info() {}, warn, error() {} };
    const start = (secrets: string, more: Partial<StartOptions> = {}) =>
      startApp({ engine, folder, log, env: { GALLEY_SECRET: secrets, ...engine.env(folder) }, ...more });
    const told = async (secrets: string) => {
      await (await start(secrets)).close();
      return warnings.splice(0).filter((message) => message.startsWith("GALLEY_SECRET"));
    };
    t.strictSame(await told(A), [], "at first any is right");
    t.strictSame(await told(`${B},${A}`), [], "one replaces another");
    t.strictSame(await told(B), [], "which is not needed any more then");
    t.match(await told(A), [/another one than this database was used with: everybody is signed out/]);
    if (engine.name === "sqlite") return;
    const live = await start(A);
    t.teardown(() => live.close());
    const beside = (secrets: string) => start(secrets, { folder: second });
    const refused = { code: "failed_precondition", message: /^GALLEY_SECRET: a server that runs on this database/ };
    await t.rejects(beside(B), refused);
    await t.rejects(beside(`${B},${A}`), refused, "what it makes the other cannot check");
    const both = await beside(`${A},${B}`);
    t.teardown(() => both.close());
    const third = await start(`${B},${A}`, { folder: mkdtempSync(join(second, "third")) }).catch(
      (error: unknown) => error,
    );
    t.match(third, refused, "as long as one has only the old one");
    await live.close();
    await (await start(`${B},${A}`)).close();
    t.strictSame(
      warnings.filter((message) => message.startsWith("GALLEY_SECRET")),
      [],
    );
  });
});

/** What an app's upkeep, which it does every ten minutes, is made of. */
function upkeepOf({ app: { store } }: TestApp, clock: () => number) {
  const random = (bytes: number) => randomBytes(bytes);
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const common = { store, clock, random, keys: deriveKeys([A]) };
  const lives = () => ({ idleSeconds: 1, absoluteSeconds: 1, most: 1 });
  const sessions = createSessions({ ...common, epoch: "", lives, onReuse: () => [] });
  return { ...common, sessions, secrets: createSecrets(common), audit: createAudit({ ...common, log }) };
}

/** Does something in the moment before the first commit of a kind, whose decision is made by then. */
function beforeCommit(store: DocumentStore, collection: string, act: () => Promise<unknown>): { undo(): void } {
  const { commit } = store;
  let met = false;
  store.commit = async (writes, values) => {
    const meant = writes.some((write) => write.collection === collection && write.kind === "put");
    if (!met && meant) {
      met = true;
      await act();
    }
    return commit.call(store, writes, values);
  };
  return {
    undo() {
      store.commit = commit;
    },
  };
}
