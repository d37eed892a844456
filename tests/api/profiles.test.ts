/** The public profile that comes with a sign-up: in the commit of its person, under the app's rules (accounts.md 1.2). */
import { randomBytes } from "node:crypto";
import t, { type Test } from "tap";
import { createAuthorizer } from "../../server/access/authorize.ts";
import { parseRules } from "../../server/access/parsing/rules.ts";
import type { UserPrincipal } from "../../server/access/principal.ts";
import { createRights } from "../../server/access/rights.ts";
import { decideAndCommit } from "../../server/accounts/commit.ts";
import { createProfiles } from "../../server/documents/profiles.ts";
import { type Answer, startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { mailFor } from "../support/mailbox.ts";

const PASSWORD = "plum-orbit-lantern-42";
const MINUTE = 60_000;
const OWN = { _id: "$auth.id" };
/** As access-rules.md 13 has it, with a lookup that has to be read: profiles are made while there is an opening. */
const USERS = {
  lookups: { opening: { from: "openings", where: { kind: "$auth.kind" } } },
  get: true,
  list: true,
  create: { $and: [OWN, { $has: "opening" }] },
  update: OWN,
  fields: {
    phone: { read: OWN },
    badge: { write: false, default: "newcomer" },
    since: { default: "$now" },
  },
};

onEachEngine(t, async (t, engine) => {
  let now = Date.parse("2026-03-01T00:00:00Z");
  const app = await startApp({ engine, clock: () => now });
  t.teardown(() => app.close());
  let people = 0;
  let version = 0;
  const must = async (answer: Promise<Answer>) => {
    const { status, text, json } = await answer;
    if (status >= 300) throw new Error(text);
    return json;
  };
  const publish = async (users: object) => {
    const rules = { format: 1, collections: { users } };
    const published = await must(
      app.send("POST", "/v1/admin/rules/publish", {
        body: { rules, ifVersion: version, acknowledge: ["unindexed_rule"] },
      }),
    );
    ({ version } = published);
  };
  const post = (path: string, body: object, as: string | null = null) =>
    app.send("POST", `/v1/auth/${path}`, { body, as });
  const address = () => `person${++people}@example.org`;
  const signUp = (profile: unknown, as: string | null = null, email = address()) =>
    post("sign-up", { email, password: PASSWORD, profile }, as);
  const profileOf = async (id: string, as: string | null = null) =>
    app.send("GET", `/v1/documents/users/${id}`, { as });
  const counts = async () => {
    const stored = await must(app.send("POST", "/v1/documents/users/count", { body: {} }));
    const { users } = await must(app.send("GET", "/v1/admin/users"));
    return { profiles: stored.count, persons: users.length };
  };
  /** Nothing of a sign-up is left, neither person nor profile. */
  const unmade = async (t: Test, attempt: () => Promise<Answer>, status: number, told: object) => {
    const before = await counts();
    const answer = await attempt();
    t.match([answer.status, answer.json?.error], [status, told], answer.text);
    t.strictSame(await counts(), before, "neither person nor profile is left");
  };

  t.test("where no rule opens `users`, a profile is refused before anything is stored", async (t) => {
    await must(
      app.send("POST", "/v1/admin/collections", {
        body: { name: "users", indexes: [{ paths: ["handle"], unique: true }] },
      }),
    );
    await unmade(t, () => signUp({ handle: "ada" }), 403, { code: "permission_denied", message: /^profile: / });
    await unmade(t, () => post("anonymous", { profile: {} }), 403, { details: { field: "profile" } });
    await publish(USERS);
    for (const kind of ["user", "guest"])
      await must(app.send("PUT", `/v1/documents/openings/${kind}`, { body: { kind } }));
  });

  t.test("a profile is made with its person: masks, defaults and rule as for any create", async (t) => {
    const { session } = (await signUp({ handle: "ada", phone: "1", born: { $date: "1815-12-10T00:00:00.000Z" } })).json;
    const { id } = session.user;
    const own = await profileOf(id, session.accessToken);
    t.match(own.json, {
      _id: id,
      handle: "ada",
      phone: "1",
      badge: "newcomer",
      since: { $date: "2026-03-01T00:00:00.000Z" },
    });
    t.match(own.json.born, { $date: String });
    t.strictSame(
      [(await profileOf(id)).status, (await profileOf(id)).json.phone],
      [200, undefined],
      "others see no phone",
    );
    t.equal(
      (await app.send("PATCH", `/v1/documents/users/${id}`, { body: { handle: "ada2" }, as: session.accessToken }))
        .status,
      200,
    );
  });

  t.test("what is wrong with a profile is told by its path, and leaves nothing", async (t) => {
    const faulty = async (profile: unknown, path: string) =>
      unmade(t, () => signUp(profile), 400, { details: { faults: [{ path }] } });
    await faulty({ _id: "somebody" }, "profile._id");
    await faulty({ _secret: 1 }, "profile._secret");
    await faulty({ a: { $date: "x" } }, "profile.a");
    await faulty({ a: "x".repeat(70_000) }, "profile");
    t.equal((await signUp("ada")).status, 400);
    const why = { because: "users.fields.badge.write" };
    const masked = { code: "permission_denied", details: { field: "profile.badge", why } };
    await unmade(t, () => signUp({ badge: "editor" }), 403, masked);
    const schema = { type: "object", properties: { handle: { type: "string", maxLength: 20 } } };
    await must(app.send("PATCH", "/v1/admin/collections/users", { body: { schema } }));
    const unfit = { code: "schema_violation", details: { faults: [{ path: "profile.handle" }] } };
    await unmade(t, () => signUp({ handle: 5 }), 422, unfit);
  });

  t.test("a clash of profiles is not taken for an account with the address", async (t) => {
    const clash = { code: "unique_violation", message: /^profile: .*handle/, details: { field: "profile.handle" } };
    await unmade(t, () => signUp({ handle: "ada2" }), 409, clash);
    const before = await counts();
    const all = await Promise.all(Array.from({ length: 5 }, () => signUp({ handle: "bob" })));
    t.strictSame(all.map(({ status }) => status).sort(), [201, 409, 409, 409, 409], "one of those who ask at once");
    t.strictSame(await counts(), { profiles: before.profiles + 1, persons: before.persons + 1 });
  });

  t.test("a guest may have a profile, and one only", async (t) => {
    const guest = (await post("anonymous", { profile: { handle: "guest" } })).json.session;
    t.equal((await profileOf(guest.user.id)).json.handle, "guest");
    const twice = { code: "invalid_argument", details: { faults: [{ path: "profile" }] } };
    await unmade(t, () => signUp({ handle: "more" }, guest.accessToken), 400, twice);
    t.equal((await post("sign-up", { email: address(), password: PASSWORD }, guest.accessToken)).status, 201);
    const bare = (await post("anonymous", {})).json.session;
    const upgraded = await signUp({ handle: "late" }, bare.accessToken);
    t.equal(upgraded.json.session.user.id, bare.user.id);
    t.equal((await profileOf(bare.user.id)).json.handle, "late");
  });

  t.test("a rule knows a newcomer as who they will be", async (t) => {
    await publish({ ...USERS, create: { ...OWN, "$auth.kind": "user" } });
    await unmade(t, () => post("anonymous", { profile: {} }), 403, { code: "permission_denied" });
    t.equal((await signUp({})).status, 201);
    await publish({ ...USERS, create: { ...OWN, "$auth.roles": "editor" } });
    await unmade(t, () => signUp({}), 403, { code: "permission_denied" });
    await publish({ ...USERS, create: { _id: "somebody" } });
    await unmade(t, () => signUp({}), 403, { code: "permission_denied" });
    const email = address();
    await must(app.send("POST", "/v1/admin/users", { body: { email, roles: ["editor"] } }));
    await publish({ ...USERS, create: { ...OWN, "$auth.roles": "editor", "$auth.email": email } });
    const invite = (await mailFor(app.folder, email, "invite")).token;
    const taken = await post("sign-up", { email, password: PASSWORD, invite, profile: { handle: "invited" } });
    t.equal(taken.status, 201, taken.text);
    t.equal((await profileOf(taken.json.session.user.id)).json.handle, "invited");
  });

  t.test("what was decided on a profile counts in the turn of the commit alone", async (t) => {
    const { store } = app.app;
    const { rules } = parseRules({ format: 1, collections: { users: { ...USERS, create: OWN } } }, 1);
    const clock = () => now;
    const rights = createRights({ store, clock, rules: () => rules, renewed: (principal) => principal });
    t.teardown(() => rights.close());
    const access = createAuthorizer(rights);
    let definition = { name: "users", version: 1, createdAt: new Date(now), schema: undefined, indexes: [] };
    const profiles = createProfiles({
      store,
      access,
      clock,
      definitionOf: () => definition,
      grantsRights: () => false,
    });
    const person = (id: string): UserPrincipal => ({
      ...{ kind: "user", id, session: "s", provedAt: now, address: "192.0.2.1" },
      ...{ guest: false, email: undefined, roles: [], claims: {} },
    });
    const redefine = () => {
      definition = { ...definition };
    };
    let changes = [() => rights.changed(), redefine];
    const { answer } = await decideAndCommit({ store, random: randomBytes }, async () => {
      const profile = await profiles.made(person("turn"), {});
      t.ok(profile.holds());
      const [change, ...later] = changes;
      change?.();
      t.equal(profile.holds(), change === undefined);
      changes = later;
      return { writes: [], profile, answer: changes.length };
    });
    t.equal(answer, 0, "decided anew until nothing changed");
    t.equal((await profileOf("turn")).json.badge, "newcomer");
  });

  t.test("no profile outlives its person, though it is made in the moment in which they go", async (t) => {
    await publish(USERS);
    const left: string[] = [];
    for (let round = 0; round < 12; round++) {
      const { user, accessToken: as } = (await post("anonymous", {})).json.session;
      const path = `/v1/documents/users/${user.id}`;
      const make = () => app.send("PUT", path, { body: { handle: `late${round}` }, as });
      const leave = () =>
        round % 3 === 0
          ? app.send("DELETE", `/v1/admin/users/${user.id}`)
          : app.send("DELETE", "/v1/auth/me", { body: { confirm: "delete" }, as });
      await Promise.all(round % 2 === 0 ? [leave(), make()] : [make(), leave()]);
      if ((await app.send("GET", path)).status !== 404) left.push(user.id);
    }
    t.strictSame(left, []);
  });

  t.test("with `confirm: first` a profile waits for the proof, and is judged again by then", async (t) => {
    await publish(USERS);
    await must(app.send("PATCH", "/v1/admin/settings", { body: { signUp: { confirm: "first" } } }));
    await unmade(t, () => signUp({ badge: "x" }), 403, { details: { field: "profile.badge" } });
    const email = address();
    const { challenge } = (await signUp({ handle: "first" }, null, email)).json.next;
    const { code } = await mailFor(app.folder, email, "verify");
    const verify = () => post("email/verify", { challenge, code });
    await publish({ ...USERS, create: false });
    await unmade(t, verify, 403, { code: "permission_denied" });
    await publish(USERS);
    await must(app.send("PUT", "/v1/documents/users/other", { body: { handle: "first" } }));
    await unmade(t, verify, 409, { code: "unique_violation", details: { field: "profile.handle" } });
    await must(app.send("DELETE", "/v1/documents/users/other"));
    const made = await verify();
    t.equal(made.status, 200, made.text);
    t.equal((await profileOf(made.json.session.user.id)).json.handle, "first");
    now += 2 * MINUTE;
    // An address that is taken answers alike, whatever its profile would have met.
    t.equal((await signUp({ handle: "first" }, null, email)).status, 202);
    await unmade(t, () => signUp({ badge: "x" }, null, email), 403, { details: { field: "profile.badge" } });
  });
});
