import t from "tap";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { type Row, scenario } from "../support/scenario.ts";

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  t.teardown(() => app.close());
  const rows = (name: string, list: Row[]) => t.test(name, (t) => scenario(t, app, list));
  const batch = (operations: unknown, more: Partial<Row> = {}) => ({
    send: "POST /v1/batch",
    body: { operations },
    ...more,
  });

  t.test("operations run in order, see earlier ones, and share one commit", async (t) => {
    const operations = [
      { op: "create", collection: "posts", id: "a", document: { n: 1 } },
      { op: "update", collection: "posts", id: "a", update: { $inc: { n: 41 } } },
      { op: "set", collection: "users", id: "u", document: { name: "Ada" } },
      { op: "create", collection: "posts", document: { made: true } },
      { op: "check", collection: "posts", id: "none", ifVersion: 0 },
      { op: "update", collection: "posts", id: "up", update: { a: 1 }, upsert: true },
      { op: "create", collection: "posts", id: "short", document: {} },
      { op: "delete", collection: "posts", id: "short" },
    ];
    const { status, json, headers } = await app.send("POST", "/v1/batch", { body: { operations } });
    t.equal(status, 200, JSON.stringify(json));
    t.equal(json.position, headers["x-galley-position"]);
    t.strictSame(
      json.results.map((r: { id: string }) => r.id).filter((id: string) => id.length < 26),
      [...["a", "a", "u", "none", "up", "short", "short"]],
    );
    const read = await app.send("GET", "/v1/documents/posts/a");
    t.match(read.json, { n: 42, _v: json.results[1].v });
    t.notOk("v" in json.results[7], "what is gone has no version");
  });

  rows("a batch applies whole or not at all", [
    {
      name: "the failing operation is named",
      ...batch([
        { op: "set", collection: "posts", id: "new", document: {} },
        { op: "create", collection: "posts", id: "a", document: {} },
      ]),
      status: 409,
      shows: { error: { code: "already_exists", details: { operation: 1, outcome: "not_applied" } } },
    },
    { name: "nothing of it is there", send: "GET /v1/documents/posts/new", status: 404 },
    {
      name: "a version that does not hold",
      ...batch([
        { op: "set", collection: "posts", id: "new", document: {} },
        { op: "check", collection: "posts", id: "a", ifVersion: 1 },
      ]),
      status: 412,
      shows: { error: { code: "version_conflict", details: { operation: 1 } } },
    },
    {
      name: "a document that is missing",
      ...batch([{ op: "delete", collection: "posts", id: "none" }]),
      status: 404,
      shows: { error: { code: "not_found", details: { operation: 0 } } },
    },
    { name: "still nothing", send: "GET /v1/documents/posts/new", status: 404 },
  ]);

  rows("what is no batch is refused, with every fault", [
    { name: "no operations", send: "POST /v1/batch", body: {}, status: 400, shows: "missing_member" },
    { name: "operations that are no list", ...batch({ 0: {}, length: 1 }), status: 400, shows: "operations" },
    {
      name: "an unknown member",
      send: "POST /v1/batch",
      body: { operations: [], lookup: 1 },
      status: 400,
      shows: "lookup",
    },
    {
      name: "an unknown operation",
      ...batch([{ op: "drop", collection: "posts", id: "a" }]),
      status: 400,
      shows: "op",
    },
    {
      name: "an unknown member of one",
      ...batch([{ op: "delete", collection: "posts", id: "a", where: {} }]),
      status: 400,
      shows: "where",
    },
    {
      name: "a check without a version",
      ...batch([{ op: "check", collection: "posts", id: "a" }]),
      status: 400,
      shows: "ifVersion",
    },
    ...[{ $gt: "" }, ["x"], null, 1, "", "a/b", ".."].map((id) => ({
      name: `the id ${JSON.stringify(id)}`,
      ...batch([{ op: "delete", collection: "posts", id }]),
      status: 400,
      shows: "id",
    })),
    ...["_keys", "Posts", { $ne: 1 }, null].map((collection) => ({
      name: `the collection ${JSON.stringify(collection)}`,
      ...batch([{ op: "delete", collection, id: "a" }]),
      status: 400,
      shows: "collection",
    })),
    {
      name: "501 operations",
      ...batch(Array.from({ length: 501 }, (_, n) => ({ op: "set", collection: "many", id: `${n}`, document: {} }))),
      status: 400,
      shows: "500",
    },
    {
      name: "500 are as many as may be",
      ...batch(Array.from({ length: 500 }, (_, n) => ({ op: "set", collection: "many", id: `${n}`, document: {} }))),
      status: 200,
    },
  ]);

  t.test("a batch with an Idempotency-Key has its effect once", async (t) => {
    const body = { operations: [{ op: "update", collection: "posts", id: "a", update: { $inc: { n: 1 } } }] };
    const headers = { "idempotency-key": "batch-1" };
    const first = await app.send("POST", "/v1/batch", { body, headers });
    const twin = await app.send("POST", "/v1/batch", { body, headers });
    t.strictSame([first.status, twin.status, twin.json.results], [200, 200, first.json.results]);
    t.equal((await app.send("GET", "/v1/documents/posts/a")).json.n, 43);
    const other = await app.send("POST", "/v1/batch", {
      body: { operations: [...body.operations, ...body.operations] },
      headers,
    });
    t.equal(other.json.error?.code, "idempotency_mismatch", other.text);
  });

  t.test("each operation is judged by its own collection's scope", async (t) => {
    const { json } = await app.send("POST", "/v1/admin/keys", {
      body: { name: "posts only", scopes: ["documents:posts:*"] },
    });
    const operations = [
      { op: "set", collection: "posts", id: "scoped", document: {} },
      { op: "set", collection: "users", id: "scoped", document: {} },
    ];
    const refused = await app.send("POST", "/v1/batch", { as: json.secret, body: { operations } });
    t.match(
      [refused.status, refused.json.error],
      [403, { code: "permission_denied", details: { outcome: "not_applied" } }],
    );
    t.equal((await app.send("GET", "/v1/documents/posts/scoped")).status, 404);
    const allowed = await app.send("POST", "/v1/batch", {
      as: json.secret,
      body: { operations: operations.slice(0, 1) },
    });
    t.equal(allowed.status, 200);
    const anonymous = await app.send("POST", "/v1/batch", { as: null, body: { operations } });
    t.equal(anonymous.status, 403, "signing in would not help");
  });
});
