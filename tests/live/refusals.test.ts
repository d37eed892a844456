/** What sockets are refused, why, and what is known of it: access-rules.md 9, http-api.md "Time and load". */
import { createHash } from "node:crypto";
import { ApiError, createClient } from "@galley/sdk";
import { type Document, Long, MongoClient } from "mongodb";
import t, { type Test } from "tap";
import { WebSocket as NodeSocket } from "ws";
import { resultHash } from "#protocol/delta";
import { startApp } from "../support/app.ts";
import { type Engine, onEachEngine } from "../support/engines.ts";
import { enterLive, type LiveClient, openLive } from "../support/live-client.ts";
import { peopleOf } from "../support/people.ts";
import { publishRules } from "../support/publish-rules.ts";
import { until } from "../support/until.ts";

const WebSocket = NodeSocket as unknown as typeof globalThis.WebSocket;
const OWN = { ownerId: "$auth.id" };
const RULES = {
  format: 1,
  shared: { lookups: { myTeams: { from: "members", where: { userId: "$auth.id" }, select: "team" } } },
  collections: {
    members: { list: false },
    plans: { list: { team: { $in: "$lookup.myTeams" } }, get: "list" },
    news: { list: true, get: true, fields: { draft: { read: OWN } } },
    mine: { list: OWN, get: OWN },
    drafts: { list: { "$auth.roles": "editor" }, get: { "$auth.roles": "editor" } },
  },
};

async function start(t: Test, engine: Engine, mode: "development" | "production") {
  const time = { now: Date.now() };
  const env = { GALLEY_TRUSTED_PROXIES: "127.0.0.1" };
  const app = await startApp({ engine, mode, clock: () => time.now, env, live: { lookupDocuments: 2 } });
  t.teardown(() => app.close());
  const people = peopleOf(app, time);
  for (const path of ["news/a", "drafts/a"])
    await app.send("PUT", `/v1/documents/${path}`, { body: { text: "first" } });
  await publishRules(app, RULES);
  const someone = async (): Promise<{ user: { id: string }; accessToken: string }> =>
    (await people.post("anonymous", {})).json.session;
  const enter = async (token?: string): Promise<LiveClient> => {
    const client = await enterLive(app.url, token);
    t.teardown(() => client.session.end());
    return client;
  };
  /** What is known of a denial. */
  const review = async (requestId: string) => {
    let found = await app.send("GET", `/v1/admin/rules/denials/${requestId}`);
    await until(async () => {
      found = await app.send("GET", `/v1/admin/rules/denials/${requestId}`);
      return found.status === 200;
    }, 10);
    return found.json;
  };
  return { ...{ app, engine, time, people, someone, enter, review } };
}

type World = Awaited<ReturnType<typeof start>>;

onEachEngine(t, async (t, engine) => {
  t.test("production: a denial is told as over HTTP, and can be looked up", async (t) => {
    const world = await start(t as Test, engine, "production");
    await denials(t, world);
    await endings(t, world);
    await requestsAMinute(t, world);
    await largeLookups(t, world);
    if (engine.name === "mongodb") await foreignVersions(t, world);
  });
  t.test("development: the error says why at once, to this machine only", async (t) => {
    await inDevelopment(t, await start(t as Test, engine, "development"));
  });
});

async function denials(t: Test, { app, someone, enter, review }: World): Promise<void> {
  const { user, accessToken } = await someone();
  const [guest, nobody] = [await enter(accessToken), await enter()];
  const principal = { kind: "user", id: user.id };
  const hidden = { draft: true };
  const rows = [
    {
      ...{ socket: guest, as: accessToken, q: { collection: "drafts", find: { filter: { text: "x" } } } },
      ...{ path: "drafts/query", body: { filter: { text: "x" } } },
      denial: { principal, action: "list", collection: "drafts", code: "permission_denied" },
    },
    {
      ...{ socket: guest, as: accessToken, q: { collection: "drafts", get: { ids: ["a"] } } },
      ...{ path: "drafts/a", body: undefined },
      denial: { principal, action: "get", collection: "drafts", id: "a", code: "permission_denied" },
    },
    {
      ...{ socket: guest, as: accessToken, q: { collection: "news", count: { filter: hidden } } },
      ...{ path: "news/count", body: { filter: hidden } },
      denial: { principal, action: "list", collection: "news", code: "field_not_queryable" },
    },
    {
      ...{ socket: nobody, as: null, q: { collection: "mine", find: {} } },
      ...{ path: "mine/query", body: {} },
      denial: { principal: { kind: "anonymous" }, action: "list", collection: "mine", code: "unauthenticated" },
    },
    {
      ...{ socket: nobody, as: null, q: { collection: "nothing", find: {} } },
      ...{ path: "nothing/query", body: {} },
      denial: { principal: { kind: "anonymous" }, action: "list", collection: "nothing", code: "permission_denied" },
    },
  ];
  for (const { socket, as, q, path, body, denial } of rows) {
    const { error } = await socket.answered(socket.sub(q));
    const over = await app.send(body ? "POST" : "GET", `/v1/documents/${path}`, { as, ...(body && { body }) });
    const { requestId, ...told } = error;
    const { requestId: other, ...toldOver } = over.json.error;
    t.strictSame(told, toldOver, `${denial.collection}: no more than over HTTP`);
    t.not(requestId, other);
    const payload = createHash("sha256").update(JSON.stringify(q)).digest("hex");
    // What was sent is not kept: without the filter nothing is denied.
    const verdict = denial.code === "field_not_queryable" ? "allow" : "deny";
    t.match(await review(requestId), { denial: { ...denial, requestId, payload }, now: { verdict } });
  }
}

async function endings(t: Test, { app, time, someone, enter, review }: World): Promise<void> {
  time.now += 2000;
  const [one, other] = [await someone(), await someone()];
  const guest = await enter(one.accessToken);
  const [s, left] = [guest.find("news"), guest.find("mine")];
  await guest.answered(s);
  await guest.answered(left);
  await publishRules(app, { ...RULES, collections: { ...RULES.collections, news: { list: false } } });
  await until(() => guest.of(s).error !== undefined);
  const { error } = guest.of(s);
  t.strictSame(Object.keys(error), ["code", "message", "requestId"]);
  t.match(await review(error.requestId), {
    denial: { principal: { id: one.user.id }, action: "list", collection: "news" },
    changed: { rules: false },
  });
  guest.say({ t: "auth", token: other.accessToken });
  await until(() => guest.of(left).error !== undefined);
  t.equal(guest.of(left).error.code, "unauthenticated");
  await guest.got("welcome", 2);
  const found = await app.send("GET", `/v1/admin/rules/denials/${guest.of(left).error.requestId}`);
  t.equal(found.status, 404, "that somebody else came is nobody's denial");
  await publishRules(app, RULES);
}

async function requestsAMinute(t: Test, { app, time, people, someone, enter }: World): Promise<void> {
  const { accessToken } = await someone();
  const guest = await enter(accessToken);
  const server = await enter(app.key);
  await people.settings({ limits: { user: 6 } });
  const ask = async () => (await app.send("GET", "/v1/documents/news", { as: accessToken })).status;
  for (const _ of [1, 2, 3]) t.equal(await ask(), 200);
  for (const _ of [1, 2, 3]) t.equal((await guest.answered(guest.find("news"))).error, undefined);
  const refused = await guest.answered(guest.find("news"));
  t.match(refused.error, { code: "rate_limited", details: { retryAfter: 10, outcome: "not_applied" } });
  t.equal(await ask(), 429, "one count for both");
  guest.say({ t: "sub", s: 99, q: { collection: "news", find: { limt: 1 } } });
  await until(() => guest.of(99).error !== undefined);
  t.equal(guest.of(99).error.code, "rate_limited", "before anything is read of the question");
  for (let i = 0; i < 8; i++) t.equal((await server.answered(server.find("news"))).error, undefined);
  time.now += 10_000;
  guest.say({ t: "sub", s: 100, q: { collection: "news", find: {} } });
  t.equal((await guest.answered(100)).error, undefined, "as soon as it was said");
  await people.settings({ limits: { user: null } });
}

/** More documents than are held one by one. */
async function largeLookups(t: Test, { app, someone, enter }: World): Promise<void> {
  const { user, accessToken } = await someone();
  const put = (path: string, body: object) => app.send("PUT", `/v1/documents/${path}`, { body });
  for (const team of ["a", "b", "c"]) await put(`plans/${team}`, { team });
  for (const [n, team] of ["a", "a", "b"].entries()) await put(`members/m${n}`, { userId: user.id, team });
  const guest = await enter(accessToken);
  const s = guest.find("plans");
  const shows = (ids: string) =>
    until(
      () => guest.ids(s).join() === ids,
      10,
      () => `${ids}: ${guest.ids(s)}`,
    );
  await shows("a,b");
  await put("members/m3", { userId: user.id, team: "c" });
  await shows("a,b,c");
  for (const [id, ids] of [
    ["m2", "a,c"],
    ["m0", "a,c"],
    ["m1", "c"],
  ] as const) {
    await app.send("DELETE", `/v1/documents/members/${id}`);
    await shows(ids);
  }
  t.same(guest.complaints, []);
  t.equal(guest.of(s).error, undefined);
}

async function foreignVersions(t: Test, { app, enter }: World): Promise<void> {
  const url = app.app.config.mongodbUrl ?? "";
  const client = await MongoClient.connect(url);
  t.teardown(() => client.close());
  const news = client.db().collection<{ _id: string; [field: string]: unknown }>("news");
  await news.insertMany([
    { _id: "long", _v: Long.fromNumber(5), n: 1 },
    { _id: "odd", _v: "none", n: 1, hidden: 1 },
    { _id: "without", n: 1 },
  ]);
  const held = await enter();
  const s = held.find("news");
  await until(() => held.ids(s).length === 4);
  await news.updateOne({ _id: "long" }, { $inc: { _v: 1, n: 1 } } as Document);
  await until(() => held.of(s).rows.some(({ n }) => n === 2));
  const { rows, shape } = held.of(s);
  const have = { shape, hash: resultHash(rows.map((row) => JSON.stringify(row))) };
  const back = await enter();
  back.find("news", {}, { have });
  await back.got("current");
  t.equal(back.all("snapshot").length, 0);
  await news.updateOne({ _id: "without" }, { $set: { n: 2 } });
  await until(() => held.of(s).rows.some(({ _id, n }) => _id === "without" && n === 2));
  const late = await enter();
  const asked = late.find("news", {}, { have });
  await late.got("snapshot");
  t.same(late.of(asked).rows, held.of(s).rows, "what kept its version changed all the same");
  // A window outlives its viewers for a while, and goes on hearing of commits.
  for (const [now, select] of [
    [11, ["title", "n"]],
    [21, ["n"]],
  ] as const) {
    const question = { sort: ["n"], select };
    const first = await enter();
    const asked = first.find("news", question);
    await first.answered(asked);
    first.say({ t: "unsub", s: asked });
    await news.updateOne({ _id: "odd" }, { $inc: { n: 10 } } as Document);
    await until(() => held.of(s).rows.some(({ _id, n }) => _id === "odd" && n === now));
    const { rows } = await first.answered(first.find("news", question));
    t.match(rows.at(-1), { _id: "odd", n: now });
  }
  // Once nothing of a document is hidden, it is kept as all see it.
  await news.insertOne({ _id: "masked", _v: 7, n: 1, draft: "hidden" });
  const nobody = await enter();
  const shown = nobody.find("news", { filter: { _id: "masked" } });
  t.strictSame((await nobody.answered(shown)).rows, [{ _id: "masked", _v: 7, n: 1 }]);
  await news.updateOne({ _id: "masked" }, { $set: { n: 2 }, $unset: { draft: "" } });
  await until(() => nobody.of(shown).rows[0]?.n === 2);
  const after = await enter();
  const told = await after.answered(after.find("news", { filter: { _id: "masked" } }));
  t.strictSame(told.rows, nobody.of(shown).rows, "who comes later is told the same");
}

async function inDevelopment(t: Test, { app, someone, enter }: World): Promise<void> {
  const { accessToken } = await someone();
  const guest = await enter(accessToken);
  const denied = (await guest.answered(guest.sub({ collection: "drafts", get: { ids: ["a"] } }))).error;
  t.match(denied, { code: "permission_denied", details: { why: { verdict: "deny", because: /^drafts\.get/ } } });
  const meant = (await guest.answered(guest.find("newss"))).error;
  t.match(meant, { code: "permission_denied", message: "no collection `newss`; did you mean `news`?" });

  const s = guest.find("news");
  await guest.answered(s);
  guest.find("drafts", { filter: { n: 1 } });
  guest.say({ t: "unsub", s: s + 1 });
  guest.say({ t: "ping" });
  const many = Array.from({ length: 20 }, (_, n) => guest.find("drafts", { filter: { n } }));
  for (const one of many) t.match((await guest.answered(one)).error, { details: { why: { verdict: "deny" } } });
  t.equal(guest.of(s + 1).error, undefined, "nothing for a subscription that was given up");
  await publishRules(app, { ...RULES, collections: { ...RULES.collections, news: { list: OWN, get: false } } });
  await until(() => guest.all("snapshot").filter((frame) => frame.s === s).length === 2);
  t.strictSame(guest.ids(s), [], "rules that open less show less");
  t.same(guest.complaints, []);
  await publishRules(app, RULES);

  const db = createClient({ url: app.url, WebSocket });
  t.teardown(() => db.close());
  const error = await db
    .collection("drafts")
    .find()
    .live()
    .ready.catch((thrown: unknown) => thrown);
  t.ok(ApiError.is(error, "permission_denied") || ApiError.is(error, "unauthenticated"));
  t.match(error, { details: { why: { verdict: "deny" } }, requestId: /./ });

  for (const [name, value] of [
    ["x-forwarded-for", "192.0.2.9"],
    ["via", "1.1 tunnel"],
    ["host", "galley"],
  ] as const) {
    const far = await openLive(app.url, { [name]: value });
    t.teardown(() => far.session.end());
    far.hello(accessToken);
    await far.welcomed();
    const { code, message, details, requestId } = (await far.answered(far.find("newss"))).error;
    t.strictSame([code, details], ["permission_denied", undefined], name);
    t.notMatch(message, /news/);
    t.ok(requestId);
  }
}
