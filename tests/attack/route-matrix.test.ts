/**
 * T1, the path matrix: every route and every frame against every kind of caller. A route without a row fails, and so does a row without a
 * route: nobody adds a way in without saying here for whom it is.
 */
import t from "tap";
import type { ClientFrame, LiveQuery } from "#protocol/frames";
import { startApp } from "../support/app.ts";
import { openLive } from "../support/live-client.ts";
import { publishRules } from "../support/publish-rules.ts";
import { until } from "../support/until.ts";

/**
 * For each route, what nobody, a user, a viewer, an editor, an owner, a key for one collection's list, and a full key are
 * told: `-` 401, `x` 403, `o` let through to the route itself, whatever that then says of the request.
 */
const ROWS: Readonly<Record<string, string>> = {
  "GET /v1/health": "ooooooo",
  "GET /v1/ready": "ooooooo",
  "POST /v1/documents/{collection}": "xxxooxo",
  "GET /v1/documents/{collection}": "xxoooxo",
  "GET /v1/documents/{collection}/{id}": "xxoooxo",
  "PUT /v1/documents/{collection}/{id}": "xxxooxo",
  "PATCH /v1/documents/{collection}/{id}": "xxxooxo",
  "DELETE /v1/documents/{collection}/{id}": "xxxooxo",
  "POST /v1/documents/{collection}/query": "xxoooxo",
  "POST /v1/documents/{collection}/count": "xxoooxo",
  "POST /v1/documents/{collection}/distinct": "xxoooxo",
  "POST /v1/documents/{collection}/aggregate": "xxoooxo",
  "POST /v1/batch": "ooooooo",
  "GET /v1/admin/collections": "-xoooxo",
  "POST /v1/admin/collections": "-xxooxo",
  "GET /v1/admin/collections/{collection}": "-xoooxo",
  "PATCH /v1/admin/collections/{collection}": "-xxooxo",
  "DELETE /v1/admin/collections/{collection}": "-xxooxo",
  "POST /v1/admin/collections/{collection}/check": "-xoooxo",
  "POST /v1/admin/collections/{collection}/import": "-xxooxo",
  "GET /v1/admin/collections/{collection}/export": "-xoooxo",
  "GET /v1/admin/rules": "-xoooxo",
  "GET /v1/admin/rules/versions": "-xoooxo",
  "GET /v1/admin/rules/versions/{id}": "-xoooxo",
  "POST /v1/admin/rules/check": "-xoooxo",
  "POST /v1/admin/rules/publish": "-xxooxo",
  "POST /v1/admin/rules/rollback": "-xxooxo",
  "POST /v1/admin/rules/simulate": "-xoooxo",
  "POST /v1/admin/rules/who": "-xoooxo",
  "POST /v1/admin/rules/impact": "-xoooxo",
  "GET /v1/admin/rules/denials/{id}": "-xoooxo",
  "POST /v1/auth/sign-up": "oooooxx",
  "POST /v1/auth/sign-in": "oooooxx",
  "POST /v1/auth/anonymous": "oooooxx",
  "POST /v1/auth/refresh": "ooooooo",
  "POST /v1/auth/sign-out": "oooooxx",
  "POST /v1/auth/email/verify": "oooooxx",
  "POST /v1/auth/email/resend": "oooooxx",
  "POST /v1/auth/password/forgot": "oooooxx",
  "POST /v1/auth/password/reset": "oooooxx",
  "GET /v1/auth/me": "-ooooxx",
  "PATCH /v1/auth/me": "-ooooxx",
  "DELETE /v1/auth/me": "-ooooxx",
  "POST /v1/auth/email/change": "-ooooxx",
  "POST /v1/auth/password/change": "-ooooxx",
  "GET /v1/auth/sessions": "-ooooxx",
  "DELETE /v1/auth/sessions": "-ooooxx",
  "DELETE /v1/auth/sessions/{id}": "-ooooxx",
  "GET /v1/admin/users": "-xoooxo",
  "POST /v1/admin/users": "-xxooxo",
  "GET /v1/admin/users/{id}": "-xoooxo",
  "PATCH /v1/admin/users/{id}": "-xxooxo",
  "DELETE /v1/admin/users/{id}": "-xxooxo",
  "POST /v1/admin/users/{id}/disable": "-xxooxo",
  "POST /v1/admin/users/{id}/enable": "-xxooxo",
  "POST /v1/admin/users/{id}/sign-out": "-xxooxo",
  "POST /v1/admin/users/{id}/send-reset": "-xxooxo",
  "GET /v1/admin/users/{id}/sessions": "-xoooxo",
  "GET /v1/admin/keys": "-xxxoxo",
  "POST /v1/admin/keys": "-xxxoxo",
  "PATCH /v1/admin/keys/{id}": "-xxxoxo",
  "DELETE /v1/admin/keys/{id}": "-xxxoxo",
  "POST /v1/admin/keys/{id}/rotate": "-xxxoxo",
  "GET /v1/admin/settings": "-xxxoxo",
  "PATCH /v1/admin/settings": "-xxxoxo",
  "GET /v1/admin/settings/admins": "-xxxoxo",
  "POST /v1/admin/settings/admins": "-xxxoxo",
  "POST /v1/admin/settings/admins/reset": "-xxxoxo",
  "PATCH /v1/admin/settings/admins/{id}": "-xxxoxo",
  "DELETE /v1/admin/settings/admins/{id}": "-xxxoxo",
  "GET /v1/admin/settings/mail": "-xxxoxo",
  "GET /v1/admin/audit": "-xxxoxo",
  "GET /sdk/galley.js": "ooooooo",
  "GET /sdk/galley.tgz": "ooooooo",
  "GET /auth/verify": "ooooooo",
  "GET /auth/reset": "ooooooo",
  "GET /auth/invite": "ooooooo",
  "GET /auth/set-up": "ooooooo",
  "GET /console/": "ooooooo",
  "GET /v1/openapi.json": "ooooooo",
};

/**
 * The same for every frame that a client may send on a socket, and for every kind of question in `sub`; after `hello` with
 * the caller's own credential.
 */
const FRAMES: Readonly<Record<string, string>> = {
  hello: "ooooooo",
  auth: "ooooooo",
  unsub: "ooooooo",
  ping: "ooooooo",
  "sub find": "xxoooxo",
  "sub get": "xxoooxo",
  "sub count": "xxoooxo",
  "sub distinct": "xxoooxo",
  "sub aggregate": "xxoooxo",
  // Those who may list one collection, and where a rule asks for somebody.
  "sub find posts": "-oooooo",
};
/** What each is sent as. A kind of frame or question that the protocol has and this has not does not compile. */
const ASKED: { readonly [K in Kinds<LiveQuery>]: object } = {
  ...{ find: {}, get: { ids: ["a"] }, count: {}, distinct: { path: "a" } },
  aggregate: { group: [], out: { n: { count: true } } },
};
const SAID: { readonly [K in ClientFrame["t"]]: (as: string | null) => readonly [name: string, frame: object][] } = {
  hello: (as) => [["hello", { t: "hello", v: 1, ...(as !== null && { token: as }) }]],
  auth: (as) => [["auth", { t: "auth", token: as }]],
  sub: () => [
    ...Object.entries(ASKED).map(([kind, body], s): [string, object] => [
      `sub ${kind}`,
      { t: "sub", s, q: { collection: "none", [kind]: body } },
    ]),
    ["sub find posts", { t: "sub", s: 100, q: { collection: "posts", find: {} } }],
  ],
  unsub: () => [["unsub", { t: "unsub", s: 100 }]],
  ping: () => [["ping", { t: "ping" }]],
};
type Kinds<Q> = Q extends unknown ? Exclude<keyof Q, "collection"> : never;

const PASSWORD = "plum-orbit-lantern-42";

t.test("every route tells every caller what the table says", async (t) => {
  const app = await startApp();
  t.teardown(() => app.close());
  const post = (path: string, body: object, as: string | null = null) => app.send("POST", `/v1/${path}`, { body, as });
  const admin = async (role: string) => {
    const email = `${role}@example.org`;
    const { link } = (await app.send("POST", "/v1/admin/settings/admins", { body: { email, role } })).json;
    const invite = new URLSearchParams(new URL(link).hash.slice(1)).get("token");
    return (await post("auth/sign-up", { as: "admin", invite, email, password: PASSWORD })).json.session.accessToken;
  };
  const user = (await post("auth/sign-up", { email: "user@example.org", password: PASSWORD })).json.session.accessToken;
  const keys = await app.send("POST", "/v1/admin/keys", { body: { name: "n", scopes: ["documents:posts:list"] } });
  const callers = [
    null,
    user,
    await admin("viewer"),
    await admin("editor"),
    await admin("owner"),
    keys.json.secret,
    app.key,
  ] as const;
  const { paths } = (await app.send("GET", "/v1/openapi.json", { as: null })).json;
  const found: Record<string, string> = {};
  for (const [path, methods] of Object.entries(paths as Record<string, object>)) {
    for (const [method, operation] of Object.entries(
      methods as Record<string, { requestBody?: { content: object } }>,
    )) {
      if (!["get", "post", "put", "patch", "delete"].includes(method)) continue;
      const [type] = Object.keys(operation.requestBody?.content ?? {});
      const sent = type === undefined ? {} : { body: { unknown: true }, headers: { "content-type": type } };
      let row = "";
      for (const as of callers) {
        // Names that nobody has: nothing is changed, and no caller's own session ends.
        const url = path.replace("{collection}", "none").replace(/\{\w+\}/g, "none");
        const { status, json } = await app.send(method.toUpperCase(), url, { as, ...sent });
        const turnedAway = status === 401 && json?.error.details?.reason !== "session_ended";
        row += turnedAway ? "-" : status === 403 ? "x" : "o";
      }
      found[`${method.toUpperCase()} ${path}`] = row;
    }
  }
  t.strictSame(found, ROWS);

  await app.send("PUT", "/v1/documents/posts/p1", { body: {} });
  await publishRules(app, { format: 1, collections: { posts: { list: { "$auth.kind": "user" } } } });
  const told: Record<string, string> = {};
  for (const as of callers) {
    const client = await openLive(app.url);
    for (const [name, frame] of Object.values(SAID).flatMap((of) => of(as))) {
      const before = client.frames.length;
      client.say(frame);
      // Not every frame is answered: a ping always is.
      if (name !== "ping") client.say({ t: "ping" });
      const isBeat = () => client.frames.slice(before).some((one) => one.t === "beat");
      await until(() => isBeat() || client.closed !== undefined, 20, name);
      if ("s" in frame && name !== "unsub") await client.answered(Number(frame.s));
      const error = client.frames.slice(before).find((one) => one.t === "error")?.error.code;
      const turnedAway = error === "unauthenticated" || client.closed?.code === 4401;
      told[name] =
        `${told[name] ?? ""}${turnedAway ? "-" : error === "permission_denied" || client.closed ? "x" : "o"}`;
    }
    client.session.end();
  }
  t.strictSame(told, FRAMES);
});
