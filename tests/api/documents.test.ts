import t from "tap";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { type Row, scenario } from "../support/scenario.ts";

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  t.teardown(() => app.close());
  const rows = (name: string, list: Row[]) => t.test(name, (t) => scenario(t, app, list));
  const TAG = /^"\d+-[A-Za-z0-9_-]+"$/;
  const POSITION = /^\S+\.[0-9a-f]{16}$/;

  rows("POST creates", [
    {
      name: "under a chosen _id, with tag, place and position",
      send: "POST /v1/documents/posts",
      body: { _id: "p1", title: "One", at: { $date: "2026-01-31T10:00:00Z" }, n: { $numberLong: "9007199254740993" } },
      status: 201,
      shows: {
        _id: "p1",
        title: "One",
        at: { $date: "2026-01-31T10:00:00.000Z" },
        n: { $numberLong: "9007199254740993" },
      },
      carries: { etag: TAG, location: "/v1/documents/posts/p1", "x-galley-position": POSITION },
    },
    {
      name: "under a made _id",
      send: "POST /v1/documents/posts",
      body: { title: "Two" },
      status: 201,
      carries: { location: /^\/v1\/documents\/posts\/[0-9a-v]{26}$/ },
    },
    {
      name: "once: a taken _id is refused",
      send: "POST /v1/documents/posts",
      body: { _id: "p1", title: "Other" },
      status: 409,
      shows: { error: { code: "already_exists", details: { outcome: "not_applied" } } },
    },
    {
      name: "with If-None-Match, as the condition that it is",
      send: "POST /v1/documents/posts",
      body: { _id: "p1", title: "Other" },
      headers: { "if-none-match": "*" },
      status: 412,
      shows: { error: { code: "version_conflict", details: { outcome: "not_applied" } } },
    },
    {
      name: "ignoring the server's own fields, so that a read document can be sent",
      send: "POST /v1/documents/posts",
      body: { _id: "p3", _v: 1, _createdAt: { $date: 0 }, _updatedAt: { $date: 0 }, title: "Three" },
      status: 201,
    },
    ...[
      ["another _ field", { _secret: 1 }, "document._secret"],
      ["a key with $", { $set: 1, b: 2 }, "document.$set"],
      ["an infinite number", '{"a":1e999}', "document.a"],
      ["an _id that is no id", { _id: "a/b" }, "document._id"],
    ].map(([name, body, path]) => ({
      name: `never ${name}`,
      send: "POST /v1/documents/posts",
      body,
      status: 400,
      shows: { error: { code: "invalid_argument", details: { outcome: "not_applied", faults: [{ path }] } } },
    })),
    ...["[]", '"text"', "null", "1"].map((body) => ({
      name: `only objects, not ${body}`,
      send: "POST /v1/documents/posts",
      body,
      status: 400,
      shows: { error: { code: "invalid_argument", details: { faults: [{ path: "body" }] } } },
    })),
    { name: "nothing from nothing", send: "POST /v1/documents/posts", status: 400, shows: "body: expects an object" },
    {
      name: "nothing that must have a version",
      send: "POST /v1/documents/posts",
      body: {},
      headers: { "if-match": '"5"' },
      status: 412,
      shows: { error: { code: "version_conflict" } },
    },
  ]);

  rows("GET reads", [
    {
      name: "the document as it was stored",
      send: "GET /v1/documents/posts/p1",
      status: 200,
      shows: { _id: "p1", title: "One" },
      carries: { etag: TAG, "cache-control": "private, no-cache", "content-type": "application/json; charset=utf-8" },
    },
    {
      name: "selected fields, under a tag of their own shape",
      send: "GET /v1/documents/posts/p1?select=title",
      status: 200,
      shows: { _id: "p1", title: "One" },
      hides: ["numberLong"],
    },
    {
      name: "plain values",
      send: "GET /v1/documents/posts/p1?types=plain",
      status: 200,
      shows: { at: "2026-01-31T10:00:00.000Z", n: "9007199254740993" },
      hides: ["$date"],
    },
    { name: "nothing where nothing is", send: "GET /v1/documents/posts/none", status: 404, shows: '"not_found"' },
    { name: "nothing in a collection that is not declared", send: "GET /v1/documents/nowhere/x", status: 404 },
    { name: "nothing under what is no id", send: "GET /v1/documents/posts/a%20b", status: 404 },
    {
      name: "no parameter it does not know",
      send: "GET /v1/documents/posts/p1?fields=title",
      status: 400,
      shows: { error: { details: { faults: [{ path: "fields", code: "unknown_member" }] } } },
    },
    {
      name: "no parameter twice",
      send: "GET /v1/documents/posts/p1?select=a&select=b",
      status: 400,
      shows: "given twice",
    },
    {
      name: "not against if-match",
      send: "GET /v1/documents/posts/p1",
      headers: { "if-match": '"1"' },
      status: 412,
      shows: '"version_conflict"',
    },
  ]);

  t.test("a tag saves the second reading, and HEAD answers like GET", async (t) => {
    const read = await app.send("GET", "/v1/documents/posts/p1");
    const { etag } = read.headers as { etag: string };
    for (const header of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const again = await app.send("GET", "/v1/documents/posts/p1", { headers: { "if-none-match": header } });
      t.strictSame([again.status, again.text, again.headers.etag], [304, "", etag], header);
    }
    const selected = await app.send("GET", "/v1/documents/posts/p1?select=title", {
      headers: { "if-none-match": etag },
    });
    t.equal(selected.status, 200, "another shape is another answer");
    const head = await app.send("HEAD", "/v1/documents/posts/p1");
    t.strictSame([head.status, head.text, head.headers.etag], [200, "", etag]);
    t.equal(head.headers["content-length"], read.headers["content-length"]);
    const gone = await app.send("HEAD", "/v1/documents/posts/none");
    t.strictSame([gone.status, gone.text], [404, ""]);
  });

  t.test("PUT replaces or creates, PATCH changes, DELETE deletes, each only if its condition holds", async (t) => {
    const path = "/v1/documents/notes/n1";
    const put = await app.send("PUT", path, { body: { a: 1, b: [1, 2] }, headers: { "if-none-match": "*" } });
    t.strictSame([put.status, put.headers.location], [201, path]);
    const again = await app.send("PUT", path, { body: {}, headers: { "if-none-match": "*" } });
    t.match(again.json, { error: { code: "version_conflict", details: { outcome: "not_applied" } } });

    const replaced = await app.send("PUT", path, { body: { a: 2 }, headers: { "if-match": put.headers.etag } });
    t.match([replaced.status, replaced.json], [200, { a: 2, _createdAt: put.json._createdAt }]);
    t.notOk("b" in replaced.json, "a replace keeps nothing");
    const stale = await app.send("PATCH", path, { body: { a: 3 }, headers: { "if-match": put.headers.etag } });
    t.strictSame([stale.status, stale.json.error.code], [412, "version_conflict"]);

    const bare = await app.send("PATCH", path, {
      body: { $inc: { a: 5 } },
      headers: { "if-match": `"${replaced.json._v}"` },
    });
    t.match([bare.status, bare.json], [200, { a: 7 }]);
    const same = await app.send("PATCH", path, { body: { a: 7 } });
    t.strictSame([same.status, same.json._v], [200, bare.json._v], "what changes nothing writes nothing");
    t.match(same.headers["x-galley-position"], POSITION);
    const any = await app.send("PATCH", path, { body: { $unset: ["a"] }, headers: { "if-match": "*" } });
    t.equal(any.status, 200);

    const unread = await app.send("DELETE", path, { headers: { "if-match": '"1-xyz"' } });
    t.equal(unread.status, 412);
    const foreign = await app.send("DELETE", path, { headers: { "if-match": '"not-ours"' } });
    t.equal(foreign.status, 412, "a tag that is not ours fits nothing");
    const deleted = await app.send("DELETE", path, { headers: { "if-match": any.headers.etag } });
    t.strictSame([deleted.status, deleted.text], [204, ""]);
    t.match(deleted.headers["x-galley-position"], POSITION);
    t.equal((await app.send("DELETE", path)).status, 404);
  });

  rows("PATCH", [
    { name: "needs a document", send: "PATCH /v1/documents/posts/none", body: { a: 1 }, status: 404 },
    {
      name: "makes one on demand",
      send: "PATCH /v1/documents/posts/up?upsert=true",
      body: { $set: { a: 1 }, $setOnInsert: { b: 2 } },
      status: 201,
      shows: { _id: "up", a: 1, b: 2 },
      carries: { location: "/v1/documents/posts/up" },
    },
    {
      name: "and changes it the next time",
      send: "PATCH /v1/documents/posts/up?upsert=true",
      body: { $set: { a: 2 }, $setOnInsert: { b: 3 } },
      status: 200,
      shows: { a: 2, b: 2 },
      carries: { location: null },
    },
    {
      name: "takes upsert=true or false only",
      send: "PATCH /v1/documents/posts/up?upsert=1",
      body: { a: 1 },
      status: 400,
    },
    {
      name: "takes operators or fields, not both",
      send: "PATCH /v1/documents/posts/up",
      body: { $set: { a: 1 }, b: 2 },
      status: 400,
      shows: { error: { details: { faults: [{ path: "update", code: "mixed_object" }] } } },
    },
    {
      name: "tells what does not fit the stored shape",
      send: "PATCH /v1/documents/posts/up",
      body: { $push: { a: 1 } },
      status: 422,
      shows: { error: { code: "path_conflict", details: { outcome: "not_applied" } } },
    },
    {
      name: "writes no path twice",
      send: "PATCH /v1/documents/posts/up",
      body: { $set: { "a.b": 1, a: 2 } },
      status: 422,
      shows: '"conflicting_paths"',
    },
  ]);

  rows("headers of conditions are well-formed, or refused", [
    {
      name: "if-match without quotes",
      send: "PATCH /v1/documents/posts/p1",
      body: { a: 1 },
      headers: { "if-match": "5" },
      status: 400,
    },
    {
      name: "if-none-match with a tag on a write",
      send: "PUT /v1/documents/posts/p1",
      body: {},
      headers: { "if-none-match": '"5"' },
      status: 400,
    },
    {
      name: "both at once",
      send: "PUT /v1/documents/posts/p1",
      body: {},
      headers: { "if-none-match": "*", "if-match": "*" },
      status: 400,
    },
    {
      name: "an idempotency key with a space",
      send: "PUT /v1/documents/posts/p1",
      body: {},
      headers: { "idempotency-key": "a b" },
      status: 400,
      shows: { error: { details: { faults: [{ path: "idempotency-key" }] } } },
    },
    {
      name: "an idempotency key of 256 characters",
      send: "PUT /v1/documents/posts/p1",
      body: {},
      headers: { "idempotency-key": "k".repeat(256) },
      status: 400,
    },
  ]);

  t.test("the same Idempotency-Key has its effect once and the same answer", async (t) => {
    const headers = { "idempotency-key": "k".repeat(255) };
    await app.send("PUT", "/v1/documents/counters/c", { body: { n: 0 } });
    const first = await app.send("PATCH", "/v1/documents/counters/c", { body: { $inc: { n: 1 } }, headers });
    const twin = await app.send("PATCH", "/v1/documents/counters/c", { body: { $inc: { n: 1 } }, headers });
    t.strictSame([first.status, twin.status, twin.text, twin.headers.etag], [200, 200, first.text, first.headers.etag]);
    t.match(twin.headers["x-galley-position"], POSITION);
    const other = await app.send("PATCH", "/v1/documents/counters/c", { body: { $inc: { n: 2 } }, headers });
    t.match([other.status, other.json.error.code], [409, "idempotency_mismatch"]);
    const elsewhere = await app.send("PATCH", "/v1/documents/counters/d?upsert=true", {
      body: { $inc: { n: 1 } },
      headers,
    });
    t.equal(elsewhere.json.error?.code, "idempotency_mismatch");

    const created = await app.send("POST", "/v1/documents/counters", {
      body: {},
      headers: { "idempotency-key": "make" },
    });
    const replayed = await app.send("POST", "/v1/documents/counters", {
      body: {},
      headers: { "idempotency-key": "make" },
    });
    t.strictSame([replayed.status, replayed.headers.location], [201, created.headers.location]);
    const twins = await Promise.all(
      Array.from({ length: 20 }, () => {
        return app.send("PATCH", "/v1/documents/counters/c", {
          body: { $inc: { n: 1 } },
          headers: { "idempotency-key": "twins" },
        });
      }),
    );
    t.strictSame([...new Set(twins.map((twin) => twin.json.n))], [2], "20 at once count once");
    const gone = { headers: { "idempotency-key": "gone" } };
    t.equal((await app.send("DELETE", "/v1/documents/counters/c", gone)).status, 204);
    t.equal((await app.send("DELETE", "/v1/documents/counters/c", gone)).status, 204);
    const failed = { body: { _id: "again" }, headers: { "idempotency-key": "failed" } };
    await app.send("PUT", "/v1/documents/counters/again", { body: {} });
    t.equal((await app.send("POST", "/v1/documents/counters", failed)).status, 409);
    await app.send("DELETE", "/v1/documents/counters/again");
    t.equal((await app.send("POST", "/v1/documents/counters", failed)).status, 201, "a failure is judged afresh");
  });

  rows("names of collections", [
    ...["_keys", "_nothing", "Posts", "1a", "a.b", "a".repeat(64), "%00", "p%2Fq"].map((name) => ({
      name: `${name} is none, whether the server has one or not`,
      send: `GET /v1/documents/${name}/x`,
      status: 400,
      shows: { error: { code: "invalid_argument", details: { faults: [{ path: "collection" }] } } },
    })),
    { name: "63 characters are one", send: `GET /v1/documents/${"a".repeat(63)}/x`, status: 404 },
  ]);
});
