/** What accounts do by themselves, over months, restarts and losses, on both engines. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MongoClient } from "mongodb";
import t from "tap";
import { createAudit } from "../../server/accounts/audit/audit.ts";
import { removeIdleGuests } from "../../server/accounts/flows/guests.ts";
import { deriveKeys } from "../../server/accounts/secrets/derived-keys.ts";
import { createSecrets } from "../../server/accounts/secrets/secrets.ts";
import { createSessions } from "../../server/accounts/sessions/sessions.ts";
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
    const sweep = sweepOf(app, clock);
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
    const sweep = sweepOf(app, clock);
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

/** The sweep of an app, as it runs every ten minutes. */
function sweepOf({ app: { store } }: TestApp, clock: () => number): () => Promise<number> {
  const random = (bytes: number) => randomBytes(bytes);
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const common = { store, clock, random, keys: deriveKeys([A]) };
  const lives = () => ({ idleSeconds: 1, absoluteSeconds: 1, most: 1 });
  const sessions = createSessions({ ...common, epoch: "", lives, onReuse: () => [] });
  const parts = { ...common, sessions, secrets: createSecrets(common), audit: createAudit({ ...common, log }) };
  return () => removeIdleGuests(parts);
}
