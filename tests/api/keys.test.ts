import t from "tap";
import { startApp, TEST_KEY } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { type Row, scenario } from "../support/scenario.ts";

onEachEngine(t, async (t, engine) => {
  let now = Date.parse("2026-03-01T00:00:00Z");
  const app = await startApp({ engine, clock: () => now, env: { GALLEY_TRUSTED_PROXIES: "127.0.0.1" } });
  t.teardown(() => app.close());
  const rows = (name: string, list: Row[]) => t.test(name, (t) => scenario(t, app, list));
  const KEYS = "/v1/admin/keys";
  const make = async (body: object, as: string = TEST_KEY) => app.send("POST", KEYS, { body, as });

  t.test("a key is shown once, works at once, and ends at once", async (t) => {
    const made = await make({ name: "importer", scopes: ["documents:posts:*"] });
    t.equal(made.status, 201, made.text);
    t.match(made.json.secret, /^gsk_[A-Za-z0-9]{12}_[A-Za-z0-9]{43,}$/);
    t.match(made.json.key, { name: "importer", scopes: ["documents:posts:*"], expiresAt: "2027-03-01T00:00:00.000Z" });
    t.equal(made.headers["cache-control"], "no-store");
    const { secret, key } = made.json;
    const listed = await app.send("GET", KEYS);
    t.match(listed.json, { keys: [{ id: key.id, name: "importer" }] });
    t.notOk(listed.text.includes(secret.split("_")[2]), "a list has no secret");

    await scenario(t, app, [
      { name: "does what its scopes say", as: secret, send: "PUT /v1/documents/posts/a", body: {}, status: 201 },
      {
        name: "and nothing else",
        as: secret,
        send: "GET /v1/documents/users/a",
        status: 403,
        shows: { error: { code: "permission_denied", details: { scope: "documents:users:get" } } },
      },
      { name: "makes no keys", as: secret, send: `POST ${KEYS}`, body: { name: "x", scopes: ["*"] }, status: 403 },
      {
        name: "changes",
        send: `PATCH ${KEYS}/${key.id}`,
        body: { name: "renamed" },
        status: 200,
        shows: { name: "renamed" },
      },
      { name: "is revoked", send: `DELETE ${KEYS}/${key.id}`, status: 204 },
      { name: "is nobody then, never anonymous", as: secret, send: "GET /v1/documents/posts/a", status: 401 },
      { name: "is not found", send: `DELETE ${KEYS}/${key.id}`, status: 404 },
      { name: "nor to change", send: `PATCH ${KEYS}/${key.id}`, body: { name: "x" }, status: 404 },
    ]);
  });

  t.test("a rotated key has a new secret; the old one stays good as long as said", async (t) => {
    const { key, secret } = (await make({ name: "r", scopes: ["documents:posts:get"] })).json;
    const rotated = await app.send("POST", `${KEYS}/${key.id}/rotate`, { body: { overlap: 60 } });
    t.equal(rotated.status, 200, rotated.text);
    const read = async (as: string) => (await app.send("GET", "/v1/documents/posts/none", { as })).status;
    t.strictSame([await read(secret), await read(rotated.json.secret)], [404, 404]);
    now += 61_000;
    t.strictSame([await read(secret), await read(rotated.json.secret)], [401, 404]);
    const atOnce = await app.send("POST", `${KEYS}/${key.id}/rotate`);
    t.strictSame([await read(rotated.json.secret), await read(atOnce.json.secret)], [401, 404]);
  });

  t.test("a key ends at its time, and works from its networks only", async (t) => {
    const expiresAt = new Date(now + 1000).toISOString();
    const short = (await make({ name: "short", scopes: ["*"], expiresAt })).json;
    const near = (await make({ name: "near", scopes: ["*"], networks: ["10.1.0.0/16"] })).json;
    const read = (as: string, from?: string) => {
      return app.send("GET", "/v1/documents/posts/none", { as, headers: { "x-forwarded-for": from } });
    };
    t.equal((await read(short.secret)).status, 404);
    now += 1001;
    t.equal((await read(short.secret)).status, 401);
    t.equal((await read(near.secret)).status, 401);
    t.equal((await read(near.secret, "10.1.2.3")).status, 404, "the proxy tells where it comes from");
    t.equal((await read(near.secret, "10.1.2.3, 8.8.8.8")).status, 401, "and the client may tell what it likes");
    t.equal((await read(near.secret, "nonsense")).status, 401);
  });

  t.test("a key makes no key beyond its own scopes", async (t) => {
    const scopes = ["admin:keys:write", "documents:posts:*"];
    const { secret } = (await make({ name: "maker", scopes })).json;
    t.equal((await make({ name: "child", scopes: ["documents:posts:get"] }, secret)).status, 201);
    for (const wide of ["*", "documents:*:get", "documents:users:get", "admin:*:write"]) {
      t.equal((await make({ name: "wide", scopes: [wide] }, secret)).status, 403, wide);
    }
  });

  rows("credentials that are none", [
    ...[
      ["no scheme", "gsk_x"],
      ["another scheme", "Basic Z3NrXzp4"],
      ["an empty token", "Bearer "],
      ["two tokens", `Bearer ${TEST_KEY} ${TEST_KEY}`],
      ["a token of another kind", "Bearer eyJhbGciOiJub25lIn0.e30."],
      ["an unknown key", `Bearer gsk_${"x".repeat(60)}`],
      ["a key but its last character", `Bearer ${TEST_KEY.slice(0, -1)}`],
      ["a longer key", `Bearer ${TEST_KEY}0`],
      ["a key in capitals", `Bearer ${TEST_KEY.toUpperCase()}`],
    ].map(([name, authorization]) => ({
      name: `${name}: 401, never anonymous`,
      as: null,
      send: "GET /v1/documents/posts/a",
      headers: { authorization: authorization as string },
      status: 401,
      shows: { error: { code: "unauthenticated" } },
      carries: { "www-authenticate": "Bearer" },
    })),
    { name: "none at all: 401 where signing in helps", as: null, send: "GET /v1/admin/keys", status: 401 },
    {
      name: "a key from a web page",
      send: "GET /v1/documents/posts/a",
      headers: { origin: "http://localhost:5173" },
      status: 403,
      shows: { error: { code: "permission_denied", details: { reason: "key_in_browser" } } },
    },
    ...["?key=", "?access_token=", "?limit=1&", "?Bearer="].map((query) => ({
      name: `a key in the URL as ${query}`,
      as: null,
      send: `GET /v1/documents/posts/a${query}${TEST_KEY}`,
      status: 403,
      shows: { error: { details: { reason: "key_in_browser" } } },
      hides: [TEST_KEY],
    })),
  ]);

  rows("what is no key is refused", [
    { name: "no scopes", send: `POST ${KEYS}`, body: { name: "x" }, status: 400, shows: "scopes" },
    { name: "a scope that is none", send: `POST ${KEYS}`, body: { name: "x", scopes: ["documents"] }, status: 400 },
    { name: "a scope of another type", send: `POST ${KEYS}`, body: { name: "x", scopes: [{ $ne: 1 }] }, status: 400 },
    {
      name: "a network that is none",
      send: `POST ${KEYS}`,
      body: { name: "x", scopes: ["*"], networks: ["10.0.0.0/33"] },
      status: 400,
    },
    {
      name: "a time that is none",
      send: `POST ${KEYS}`,
      body: { name: "x", scopes: ["*"], expiresAt: "soon" },
      status: 400,
    },
    {
      name: "a secret of one's own",
      send: `POST ${KEYS}`,
      body: { name: "x", scopes: ["*"], secret: "s" },
      status: 400,
    },
    { name: "an overlap beyond a day", send: `POST ${KEYS}/x/rotate`, body: { overlap: 86_401 }, status: 400 },
  ]);
});
