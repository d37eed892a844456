import t from "tap";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { type Row, scenario } from "../support/scenario.ts";

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine, mode: "production" });
  t.teardown(() => app.close());
  const rows = (name: string, list: Row[]) => t.test(name, (t) => scenario(t, app, list));
  const ADMIN = "/v1/admin/collections";
  const NDJSON = { "content-type": "application/x-ndjson" };
  const schema = {
    type: "object",
    required: ["title"],
    properties: { title: { type: "string", maxLength: 5 }, at: { date: true }, big: { int64: true } },
  };

  rows("collections are declared, shown, changed and dropped", [
    { name: "none at first", send: `GET ${ADMIN}`, status: 200, shows: { collections: [] } },
    {
      name: "declared with a schema and indexes",
      send: `POST ${ADMIN}`,
      body: {
        name: "posts",
        schema,
        indexes: [{ paths: ["title"], unique: true }, { paths: ["author", "-_createdAt"] }],
      },
      status: 201,
      shows: {
        name: "posts",
        schema,
        documents: 0,
        indexes: [{ paths: ["title"], unique: true }, { paths: ["author", "-_createdAt"] }],
      },
      carries: { location: `${ADMIN}/posts`, "cache-control": "no-store" },
    },
    { name: "once", send: `POST ${ADMIN}`, body: { name: "posts" }, status: 409, shows: '"already_exists"' },
    { name: "shown alone", send: `GET ${ADMIN}/posts`, status: 200, shows: { name: "posts", documents: 0 } },
    { name: "shown among all", send: `GET ${ADMIN}`, status: 200, shows: { collections: [{ name: "posts" }] } },
    {
      name: "enforced",
      send: "POST /v1/documents/posts",
      body: { title: "longer" },
      status: 422,
      shows: {
        error: { code: "schema_violation", details: { faults: [{ path: "document.title" }], outcome: "not_applied" } },
      },
    },
    {
      name: "with its own classes",
      send: "POST /v1/documents/posts",
      body: { _id: "ok", title: "short", at: { $date: 0 }, big: { $numberLong: "1" } },
      status: 201,
    },
    {
      name: "unique",
      send: "POST /v1/documents/posts",
      body: { title: "short" },
      status: 409,
      shows: { error: { code: "unique_violation", details: { index: { paths: ["title"] } } } },
      hides: ['"ok"'],
    },
    {
      name: "plain text becomes what the schema declares",
      send: "PUT /v1/documents/posts/plain?types=plain",
      body: { title: "p", at: "2026-01-31T10:00:00Z", big: "12" },
      status: 201,
      shows: { at: "2026-01-31T10:00:00.000Z", big: "12" },
    },
    {
      name: "a tried schema changes nothing",
      send: `POST ${ADMIN}/posts/check`,
      body: { schema: { properties: { title: { maxLength: 3 } } } },
      status: 200,
      shows: { checked: 2, violating: 1, examples: [{ id: "ok" }] },
    },
    {
      name: "a schema that stored documents break is taken back",
      send: `PATCH ${ADMIN}/posts`,
      body: { schema: { properties: { title: { maxLength: 3 } } } },
      status: 412,
      shows: { error: { code: "failed_precondition" } },
    },
    { name: "so the old one holds", send: `GET ${ADMIN}/posts`, status: 200, shows: { schema } },
    {
      name: "unless they are accepted",
      send: `PATCH ${ADMIN}/posts`,
      body: { schema: { properties: { title: { maxLength: 3 } } }, acceptExisting: true },
      status: 200,
    },
    { name: "null takes it off", send: `PATCH ${ADMIN}/posts`, body: { schema: null }, status: 200 },
    {
      name: "against a version that moved",
      send: `PATCH ${ADMIN}/posts`,
      body: { schema: null, ifVersion: 1 },
      status: 412,
    },
    { name: "dropped with its documents", send: `DELETE ${ADMIN}/posts`, status: 204 },
    { name: "and gone", send: `GET ${ADMIN}/posts`, status: 404 },
    { name: "its documents too", send: "GET /v1/documents/posts/ok", status: 404 },
    { name: "twice is not found", send: `DELETE ${ADMIN}/posts`, status: 404 },
  ]);

  rows("what is no definition is refused", [
    { name: "no name", send: `POST ${ADMIN}`, body: {}, status: 400, shows: "missing_member" },
    ...["_own", "Posts", "", 5, null].map((name) => ({
      name: `the name ${JSON.stringify(name)}`,
      send: `POST ${ADMIN}`,
      body: { name },
      status: 400,
    })),
    { name: "an unknown member", send: `POST ${ADMIN}`, body: { name: "x", rules: {} }, status: 400, shows: "rules" },
    {
      name: "a remote $ref",
      send: `POST ${ADMIN}`,
      body: { name: "x", schema: { $ref: "http://127.0.0.1/s" } },
      status: 400,
    },
    {
      name: "a schema that is none",
      send: `POST ${ADMIN}`,
      body: { name: "x", schema: { type: "text" } },
      status: 400,
    },
    { name: "an index on nothing", send: `POST ${ADMIN}`, body: { name: "x", indexes: [{ paths: [] }] }, status: 400 },
    { name: "nothing of it was declared", send: `GET ${ADMIN}/x`, status: 404 },
  ]);

  t.test("import gives a verdict a line, is harmless when repeated, and export gives the documents back", async (t) => {
    await app.send("POST", ADMIN, { body: { name: "cities", schema: { properties: { n: { type: "number" } } } } });
    const lines = ['{"_id":"a","n":1}', "", "not json", '{"_id":"b","n":"text"}', '{"n":3}', '{"_id":"c","n":4}\r'];
    const body = lines.join("\n");
    const first = await app.send("POST", `${ADMIN}/cities/import`, { body, headers: NDJSON });
    t.equal(first.status, 200, first.text);
    t.match(first.headers["content-type"], /^application\/x-ndjson/);
    const verdicts = (text: string) =>
      text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
    t.match(verdicts(first.text), [
      { line: 1, id: "a", status: "created" },
      { line: 3, status: "refused", faults: [{}] },
      { line: 4, id: "b", status: "refused", faults: [{ path: "document.n" }] },
      { line: 5, status: "created" },
      { line: 6, id: "c", status: "created" },
    ]);
    const again = await app.send("POST", `${ADMIN}/cities/import`, { body: lines[0], headers: NDJSON });
    t.match(verdicts(again.text), [{ line: 1, id: "a", status: "unchanged" }]);
    const exported = await app.send("GET", `${ADMIN}/cities/export`);
    const documents = verdicts(exported.text);
    t.strictSame(documents.length, 3);
    const ids = documents.map((d) => d._id);
    t.strictSame(ids, [...ids].sort());
    const head = await app.send("HEAD", `${ADMIN}/cities/export`);
    t.strictSame([head.status, head.text], [200, ""]);
    t.equal((await app.send("GET", `${ADMIN}/nowhere/export`)).status, 404);
    const json = await app.send("POST", `${ADMIN}/cities/import`, { body: "{}" });
    t.equal(json.status, 415, json.text);
  });

  rows("admin routes are for keys with the scope", [
    { name: "not for anonymous", as: null, send: `GET ${ADMIN}`, status: 401, shows: '"unauthenticated"' },
    { name: "not even to know which are there", as: null, send: `GET ${ADMIN}/nowhere`, status: 401 },
    { name: "nor with a body that is none", as: null, send: `POST ${ADMIN}`, body: "{", status: 401 },
    { name: "nor with a wrong one", as: null, send: `POST ${ADMIN}`, body: { x: 1 }, status: 401 },
  ]);

  t.test("a key that may read collections changes none", async (t) => {
    const { json } = await app.send("POST", "/v1/admin/keys", {
      body: { name: "reader", scopes: ["admin:collections:read"] },
    });
    await scenario(t, app, [
      { name: "lists", as: json.secret, send: `GET ${ADMIN}`, status: 200 },
      {
        name: "declares none",
        as: json.secret,
        send: `POST ${ADMIN}`,
        body: { name: "mine" },
        status: 403,
        shows: { error: { code: "permission_denied", details: { scope: "admin:collections:write" } } },
      },
      { name: "drops none", as: json.secret, send: `DELETE ${ADMIN}/cities`, status: 403 },
      {
        name: "imports none",
        as: json.secret,
        send: `POST ${ADMIN}/cities/import`,
        body: "{}",
        headers: NDJSON,
        status: 403,
      },
    ]);
  });
});
