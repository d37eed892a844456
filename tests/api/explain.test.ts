/** Why somebody was denied, over HTTP on both engines: access-rules.md 9, attack-cases.md R11 and R15. */
import { createHash } from "node:crypto";
import { createClient } from "@galley/sdk";
import { admin as adminOf } from "@galley/sdk/admin";
import t, { type Test } from "tap";
import { encodeValue } from "#protocol/values";
import { type Answer, startApp, type TestApp } from "../support/app.ts";
import { type Engine, onEachEngine } from "../support/engines.ts";
import { type Body, explained, RULES } from "../support/explained.ts";
import { PASSWORD } from "../support/people.ts";
import { chooseSeed } from "../support/seeded.ts";
import { Random } from "../support/trap-pool.ts";
import { until } from "../support/until.ts";

const BASE = "/v1/admin/rules";
async function start(t: Test, engine: Engine, mode: "development" | "production", rules: object = RULES) {
  const app = await startApp({ engine, mode, env: { GALLEY_TRUSTED_PROXIES: "192.0.2.1" } });
  t.teardown(() => app.close());
  await publish(app, rules, 0);
  const person = async (name: string) => {
    const { json } = await app.send("POST", "/v1/auth/sign-up", {
      as: null,
      body: { email: `${name}@example.org`, password: PASSWORD },
    });
    return { id: json.session.user.id as string, token: json.session.accessToken as string };
  };
  const [ann, bob] = [await person("ann"), await person("bob")];
  const put = (path: string, body: Body) => app.send("PUT", `/v1/documents/${path}`, { body });
  await put("posts/p1", { authorId: ann.id, published: true, notes: "n", title: "one" });
  await put("posts/p2", { authorId: ann.id, published: false, notes: "n", title: "two" });
  await put("plans/x1", { teamId: "t1" });
  await put("members/m1", { teamId: "t1", userId: ann.id, role: "reader" });
  const ask = async (body: Body) => (await app.send("POST", `${BASE}/simulate`, { body })).json;
  const review = (id: string, as = app.key) => app.send("GET", `${BASE}/denials/${id}`, { as });
  return { app, ann, bob, ask, review };
}

async function publish(app: TestApp, rules: object, ifVersion: number): Promise<void> {
  const check = await app.send("POST", `${BASE}/check`, { body: { rules } });
  const acknowledge = (check.json.findings as { id: string }[]).map(({ id }) => id);
  const answer = await app.send("POST", `${BASE}/publish`, { body: { rules, ifVersion, acknowledge } });
  if (answer.status !== 200) throw new Error(answer.text);
}

onEachEngine(t, async (t, engine) => {
  t.test("production: a table of rules and documents, whose reasons are right", async (t) => {
    const world = await start(t, engine, "production");
    await reasons(t, world);
    await whoAndImpact(t, world);
    await scopes(t, world);
    await records(t, world);
  });
  t.test("development: the error says why at once, to this machine only", async (t) => {
    await inDevelopment(t, await start(t, engine, "development"));
  });
  t.test("simulations agree with real requests over random rules, documents and callers", async (t) => {
    await agreement(t, engine);
  });
});

type World = Awaited<ReturnType<typeof start>>;

async function reasons(t: Test, { ask, ann, bob }: World): Promise<void> {
  const rows = explained(ann.id, bob.id);
  for (const [question, expected] of rows) {
    t.match(await ask(question), expected, `${JSON.stringify(question.as)} ${question.action} ${question.collection}`);
  }
  const as = { userId: bob.id };
  const p2 = { collection: "posts", id: "p2" };
  const faults: [Body, string][] = [
    [{ as: { role: "x" }, action: "get", ...p2 }, "as.role"],
    [{ as, action: "get", ...p2, update: {} }, "update"],
    [{ as, action: "get", ...p2, at: "noon" }, "at"],
    [{ as, action: "get", ...p2, id: "a/b" }, "id"],
    [{ as, action: "get", ...p2, rules: { collections: { posts: { gets: true } } } }, "rules"],
    [{ as, action: "get", ...p2, document: { _odd: 1 } }, "document._odd"],
  ];
  for (const [question, path] of faults) {
    const { error } = await ask(question);
    t.match(error, { code: "invalid_argument", message: new RegExp(`^${path}`) });
  }
}

async function whoAndImpact(t: Test, { app, ann, bob, ask }: World): Promise<void> {
  const index = { indexes: [{ paths: ["authorId"] }] };
  await app.send("PATCH", "/v1/admin/collections/posts", { body: index });
  const draft = { collections: { posts: { list: { authorId: "$auth.id" } } } };
  const mine = { as: { userId: ann.id }, action: "list", collection: "posts", rules: draft };
  let plan: unknown;
  await until(async () => {
    plan = (await ask(mine)).plan;
    return (plan as { scan: boolean }).scan === false;
  });
  const { sqlite, mongodb, ...rest } = plan as Record<string, string[]>;
  t.strictSame(rest, { filter: { authorId: { $eq: ann.id } }, scan: false, indexes: [["authorId"]] });
  const [statement = "", ...others] = sqlite ?? mongodb ?? [];
  t.strictSame(others, []);
  if (mongodb) {
    const hint = "galley:authorId";
    t.strictSame(JSON.parse(statement), { find: "posts", filter: { authorId: { $eq: ann.id } }, hint });
  } else {
    t.match(statement, /^SELECT d\.n, d\.id, d\.v, d\.data FROM "i_posts \(authorId\)" AS i CROSS JOIN "d_posts" AS d/);
    t.ok(statement.includes(Buffer.from(ann.id).toString("hex")), statement);
  }
  const who = await app.send("POST", `${BASE}/who`, { body: { collection: "posts", id: "p2" } });
  t.strictSame(who.json, { anonymous: false, users: [ann.id], checked: 2, more: false, rulesVersion: 1 });
  t.equal((await app.send("POST", `${BASE}/who`, { body: { collection: "posts", id: "none" } })).status, 404);
  const other = { collections: { posts: { get: { published: false }, list: false } } };
  const body = { rules: other, as: [{ anonymous: true }, { userId: bob.id }] };
  const { changes } = (await app.send("POST", `${BASE}/impact`, { body })).json;
  const rows = (changes as Body[]).filter(({ collection }) => collection === "posts");
  const found = rows
    .filter(({ as }) => as === 0)
    .map(({ action, now, then, examples }) => [action, now, then, examples]);
  t.strictSame(found, [
    ["list", 1, 0, { gained: [], lost: ["p1"] }],
    ["get", 1, 1, { gained: ["p2"], lost: ["p1"] }],
    ["update", 0, 0, { gained: [], lost: [] }],
    ["delete", 0, 0, { gained: [], lost: [] }],
  ]);
  t.match(rows[0], { collection: "posts", gained: 0, lost: 1, sampled: 2 });
  t.equal(rows.length, 8);
  const { rules } = adminOf(createClient({ url: app.url, serviceKey: app.key }));
  t.match(await rules.who({ collection: "posts", id: "p1" }), { anonymous: true, checked: 2 });
  t.match(await rules.impact({ rules: other, as: [{ anonymous: true }], sample: 1 }), { rulesVersion: 1 });
  const as = { userId: bob.id };
  t.match(await rules.simulate({ as, action: "get", collection: "posts", id: "p2" }), { verdict: "deny" });
  await t.rejects(rules.denial("none"), { code: "not_found" });
}

/** What is shown needs the scope to see it. */
async function scopes(t: Test, { app, bob }: World): Promise<void> {
  const keyWith = async (...scopes: string[]) => {
    return (await app.send("POST", "/v1/admin/keys", { body: { name: "k", scopes } })).json.secret as string;
  };
  const rows: [scopes: string[], path: string, body: Body, missing: string | undefined][] = [
    [[], "simulate", { as: { anonymous: true }, action: "get", collection: "posts" }, "documents:posts:get"],
    [
      ["documents:posts:get"],
      "simulate",
      { as: { userId: bob.id }, action: "get", collection: "posts" },
      "admin:users:read",
    ],
    [
      ["documents:posts:get"],
      "simulate",
      { as: { roles: ["x"] }, action: "get", collection: "posts", id: "p1" },
      undefined,
    ],
    [
      ["documents:plans:get"],
      "simulate",
      { as: { roles: ["x"] }, action: "get", collection: "plans" },
      "documents:members:get",
    ],
    [["documents:posts:get"], "who", { collection: "posts", id: "p1" }, "admin:users:read"],
    [["documents:posts:*"], "impact", { rules: RULES, as: [{ anonymous: true }] }, "documents:members:get"],
    [["documents:*:list"], "impact", { rules: RULES, as: [{ anonymous: true }] }, "documents:members:get"],
  ];
  for (const [more, path, body, missing] of rows) {
    const as = await keyWith("admin:rules:read", ...more);
    const { json, status } = await app.send("POST", `${BASE}/${path}`, { body, as });
    t.strictSame([status, json.error?.details?.scope], [missing ? 403 : 200, missing], `${path} with ${more}`);
  }
  const secret = { as: { anonymous: true }, action: "get", collection: "_users", id: bob.id };
  t.equal((await app.send("POST", `${BASE}/simulate`, { body: secret })).status, 400);
}

/** A denial is recorded, told to those who may read it, and to the client as nothing but a code. */
async function records(t: Test, { app, ann, bob, review }: World): Promise<void> {
  const get = (id: string, as: string | null = bob.token) => app.send("GET", `/v1/documents/posts/${id}`, { as });
  const kept = async (answer: Answer) => {
    let found: Answer | undefined;
    await until(
      async () => {
        found = await review(answer.json.error.requestId);
        return found.status === 200;
      },
      20,
      `the record of ${answer.text}`,
    );
    return found?.json;
  };
  const [hidden, missing] = [await get("p2"), await get("none")];
  t.equal(hidden.text.replace(/"requestId":"[^"]*"/, ""), missing.text.replace(/"requestId":"[^"]*"/, ""));
  t.match(await kept(hidden), {
    denial: {
      principal: { kind: "user", id: bob.id },
      action: "get",
      collection: "posts",
      id: "p2",
      code: "not_found",
      rulesVersion: 1,
    },
    changed: { rules: false, document: false },
    now: { verdict: "deny", summary: /published is false; must be true|authorId is/ },
  });
  t.match(await kept(missing), { changed: { document: null }, now: { because: [], summary: /no such document/ } });

  const change = { title: "mine" };
  const patched = await app.send("PATCH", "/v1/documents/posts/p1", { as: bob.token, body: change });
  t.strictSame(Object.keys(patched.json.error.details), ["outcome"], "a client is told no reason");
  const payload = createHash("sha256").update(encodeValue(change)).digest("hex");
  t.match(await kept(patched), { denial: { action: "update", payload }, now: { because: /authorId$/ } });

  const steps = [
    { op: "create", collection: "posts", document: { title: "mine" } },
    { op: "delete", collection: "posts", id: "p2" },
  ];
  const batch = await app.send("POST", "/v1/batch", { as: bob.token, body: { operations: steps } });
  t.match(await kept(batch), { denial: { action: "delete", collection: "posts", id: "p2" } });
  const closed = await app.send("POST", "/v1/documents/things/query", { as: null, body: {} });
  t.match(await kept(closed), { denial: { principal: { kind: "anonymous", id: "anonymous" }, action: "list" } });

  await app.send("PATCH", "/v1/documents/posts/p2", { body: { title: "later" } });
  await app.send("PUT", "/v1/documents/posts/none", { body: { published: true, authorId: ann.id } });
  await publish(
    app,
    { collections: { ...RULES.collections, plans: {}, posts: { ...RULES.collections.posts, get: false } } },
    1,
  );
  t.match(await kept(hidden), { changed: { rules: true, document: true }, now: { rulesVersion: 2 } });
  t.match(await kept(missing), { changed: { document: true } });

  t.equal((await review(hidden.json.error.requestId, bob.token)).status, 403);
  t.equal((await review("none")).status, 404);
  const byKey = await app.send("GET", "/v1/documents/posts/never", {});
  await app.send("DELETE", `/v1/admin/users/${bob.id}`);
  t.match(await kept(hidden), { now: null, denial: { principal: { id: bob.id } } });
  t.equal((await review(byKey.json.error.requestId)).status, 404, "keys leave no record");
}

async function inDevelopment(t: Test, { app, ann, bob }: World): Promise<void> {
  const patch = (headers = {}) =>
    app.send("PATCH", "/v1/documents/posts/p1", { as: bob.token, body: { title: "b" }, headers });
  const { error } = (await patch()).json;
  t.match(error.details.why, {
    verdict: "deny",
    because: "posts.update.before.$use(author).authorId",
    summary: `authorId is "${ann.id}"; the caller is "${bob.id}"`,
  });
  for (const headers of [
    { "x-forwarded-for": "203.0.113.9" },
    { via: "1.1 tunnel" },
    { host: "rebound.example.org" },
  ]) {
    t.equal((await patch(headers)).json.error.details.why, undefined, JSON.stringify(headers));
  }
  t.match((await patch({ host: "app.localhost:1234" })).json.error.details.why, { verdict: "deny" });

  const meant = "no collection `post`; did you mean `posts`?";
  const closed = await app.send("GET", "/v1/documents/post", { as: bob.token });
  t.match(closed.json.error, { message: meant, details: { why: { summary: /no rules speak of post/ } } });
  const empty = await app.send("POST", "/v1/documents/post/query", { body: {} });
  t.match(empty.json, { documents: [], advice: { message: meant } });
  const elsewhere = await app.send("GET", "/v1/documents/post", { headers: { "x-forwarded-for": "203.0.113.9" } });
  t.equal(elsewhere.json.advice, undefined);
  t.equal((await app.send("GET", "/v1/documents/zebras", {})).json.advice, undefined, "nothing is like it");
  t.equal((await app.send("GET", '/v1/documents/members?filter={"a":7}', {})).json.advice?.message, undefined);

  const mask = await app.send("POST", "/v1/documents/posts/query", { as: bob.token, body: { filter: { notes: "n" } } });
  t.match(mask.json.error.details.why, { because: "posts.fields.notes.read", code: "field_not_queryable" });
  const dated = { authorId: bob.id, at: { $date: "2026-01-31T10:00:00Z" } };
  const made = await app.send("POST", "/v1/documents/posts", { as: ann.token, body: dated });
  t.match(made.json.error.details.why, { verdict: "deny", because: "posts.create.$use(author).authorId" });
}

/** What a real request is told, and what its simulation says. */
async function agreement(t: Test, engine: Engine): Promise<void> {
  const seed = chooseSeed();
  const random = new Random(seed);
  const { app, ann, bob, ask } = await start(t, engine, "production", {});
  const leaf = () =>
    random.pick<() => unknown>([
      () => ({ a: random.pick([1, "$auth.id", "$auth.email"]) }),
      () => ({ a: { $ne: random.pick([1, "$auth.id"]) } }),
      () => ({ b: { $in: ["$auth.id", 2] } }),
      () => ({ b: { $exists: random.chance(50) } }),
      () => ({ "$auth.kind": random.pick(["user", "anonymous"]) }),
      () => random.chance(50),
    ])();
  const rule = (): unknown => {
    const parts = [leaf(), leaf()].filter((part) => typeof part === "object");
    if (parts.length === 0) return random.chance(70);
    return { [random.pick(["$or", "$and"])]: parts };
  };
  const wrong: unknown[] = [];
  for (let round = 0; round < 6; round++) {
    const rules = {
      collections: {
        c: {
          list: rule(),
          get: rule(),
          create: rule(),
          update: { before: rule(), after: rule() },
          delete: rule(),
          fields: { m: { read: random.chance(50), write: random.chance(50) } },
        },
      },
    };
    await publish(app, rules, round + 1);
    for (let i = 0; i < 8; i++) {
      const who = random.pick([ann, bob, undefined]);
      const as = who ? { userId: who.id } : { anonymous: true };
      const stored = { a: random.pick([1, ann.id]), ...(random.chance(60) && { b: random.pick([2, bob.id]) }), m: 1 };
      await app.send("PUT", "/v1/documents/c/d", { body: stored });
      const next = { a: random.pick([1, 2, bob.id]), ...(random.chance(30) && { m: random.pick([1, 2]) }) };
      const [method, path, action, sent] = random.pick([
        ["GET", "c/d", "get", {}],
        ["PATCH", "c/d", "update", { update: next }],
        ["PUT", "c/d", "update", { next }],
        ["POST", "c", "create", { document: next }],
        ["DELETE", "c/d", "delete", {}],
        ["GET", "c", "list", {}],
      ] as const);
      const id = path === "c/d" ? { id: "d" } : {};
      const told = await ask({ as, action, collection: "c", ...id, ...sent });
      const [body] = Object.values(sent);
      const real = await app.send(method, `/v1/documents/${path}`, { as: who?.token ?? null, ...(body && { body }) });
      const [status, code] = [told.status, told.code];
      if (status !== real.status || code !== real.json?.error?.code)
        wrong.push({ rules, as, action, stored, next, status, told: told.because, real: real.text });
    }
  }
  t.strictSame(wrong.slice(0, 2), [], `seed ${seed}`);
}
