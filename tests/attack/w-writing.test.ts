/** attack-cases.md W: writes that rules do not allow. */
import t from "tap";
import { type Answer, startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { publishRules } from "../support/publish-rules.ts";

const OWN = { ownerId: "$auth.id" };
const NOTE = { list: OWN, get: OWN, update: OWN, delete: OWN, create: OWN };
onEachEngine(t, async (t, engine) => {
  // In development mode denials tell why.
  const env = { GALLEY_SECRET: "a secret of the tests that is long enough for it" };
  const app = await startApp({ engine, mode: "production", env });
  t.teardown(() => app.close());
  const come = async () => (await app.send("POST", "/v1/auth/anonymous", { as: null, body: {} })).json.session;
  const [ann, bob] = [await come(), await come()];
  const as = (token: string | null, method: string, path: string, body?: unknown, headers = {}) =>
    app.send(method, `/v1/${path}`, { as: token, body, headers });
  const A: string = ann.accessToken;
  const B: string = bob.accessToken;
  const rules = {
    format: 1,
    collections: {
      notes: NOTE,
      added: { create: { $use: "mine" }, get: { $use: "mine" }, macros: { mine: OWN } },
      fixed: { update: true, get: true },
      free: { list: true, get: true, create: true, update: true },
    },
  };
  await publishRules(app, rules);
  const stored = async (path: string) => (await app.send("GET", `/v1/documents/${path}`)).json;
  await app.send("PUT", "/v1/documents/notes/n1", { body: { ownerId: ann.user.id, text: "canary" } });

  t.test("W02 nobody takes a note over, or gives one away", async (t) => {
    for (const [token, body, status] of [
      [B, { ownerId: bob.user.id }, 404],
      [A, { ownerId: bob.user.id }, 403],
      [A, { $set: { ownerId: bob.user.id, text: "mine" } }, 403],
      [A, { $rename: { ownerId: "was" } }, 403],
      [A, { $unset: ["ownerId"] }, 403],
      [null, { ownerId: null }, 401],
    ] as const) {
      const answer = await as(token, "PATCH", "documents/notes/n1", body);
      t.equal(answer.status, status, `${JSON.stringify(body)} ${answer.text}`);
    }
    // Both in one batch: given away and changed by the new owner.
    const both = [
      { op: "update", collection: "notes", id: "n1", update: { ownerId: bob.user.id } },
      { op: "update", collection: "notes", id: "n1", update: { text: "x" } },
    ];
    t.equal((await as(A, "POST", "batch", { operations: both })).status, 403);
    t.match(await stored("notes/n1"), { ownerId: ann.user.id, text: "canary" });
  });

  t.test("W03 what may only be created is not replaced, and what may only be changed is not created", async (t) => {
    await app.send("PUT", "/v1/documents/added/a1", { body: { ownerId: ann.user.id, n: 1 } });
    await app.send("PUT", "/v1/documents/fixed/f1", { body: { n: 1 } });
    const rows: [string, string, object, number][] = [
      [A, "added/a1", { ownerId: ann.user.id, n: 2 }, 403],
      [B, "added/a1", { ownerId: bob.user.id, n: 2 }, 404],
      [B, "added/a1", { ownerId: ann.user.id, n: 2 }, 403],
      [B, "fixed/f2", { n: 2 }, 403],
    ];
    for (const [token, path, body, status] of rows) {
      const [collection, id] = path.split("/");
      const answers = [
        await as(token, "PUT", `documents/${path}`, body),
        await as(token, "POST", "batch", { operations: [{ op: "set", collection, id, document: body }] }),
      ];
      for (const answer of answers) t.equal(answer.status, status, `${path} ${answer.text}`);
    }
    t.equal((await stored("added/a1")).n, 1);
    t.equal((await app.send("GET", "/v1/documents/fixed/f2")).status, 404);
  });

  t.test("W04 a batch is all or nothing, whatever one of its operations wants", async (t) => {
    const good = { op: "create", collection: "free", id: "w4", document: {} };
    const rows: [object, number, object][] = [
      [{ op: "create", collection: "notes", document: { ownerId: ann.user.id } }, 403, { operation: 1 }],
      [{ op: "delete", collection: "notes", id: "n1" }, 404, { operation: 1 }],
      [{ op: "delete", collection: "closed", id: "n1" }, 403, { operation: 1 }],
      [{ op: "set", collection: "_users", id: "x", document: {} }, 400, {}],
      [{ op: "create", collection: "/v1/admin/keys", document: {} }, 400, {}],
      [{ method: "POST", path: "/v1/admin/keys" }, 400, {}],
    ];
    for (const [bad, status, details] of rows) {
      const answer = await as(B, "POST", "batch", { operations: [good, bad] });
      t.equal(answer.status, status, answer.text);
      t.match(answer.json.error.details, { ...details, outcome: "not_applied" });
    }
    const many = Array.from({ length: 501 }, (_, i) => ({ ...good, id: `m${i}` }));
    t.equal((await as(B, "POST", "batch", { operations: many })).status, 400);
    t.equal((await app.send("POST", "/v1/documents/free/count", { body: {} })).json.count, 0);
  });

  t.test("W05 R06 what is not there and what is not yours are one answer", async (t) => {
    const bare = ({ status, text }: Answer) => `${status} ${text.replace(/"requestId":"[^"]*"/, "")}`;
    const probes: ((id: string) => Promise<Answer>)[] = [
      (id) => as(B, "GET", `documents/notes/${id}`),
      (id) => as(B, "GET", `documents/notes/${id}?expand=ownerId`),
      (id) => as(B, "PATCH", `documents/notes/${id}`, { text: "x" }),
      (id) => as(B, "PATCH", `documents/notes/${id}?upsert=true`, { ownerId: ann.user.id }),
      (id) => as(B, "PUT", `documents/notes/${id}`, { ownerId: ann.user.id }),
      (id) => as(B, "PUT", `documents/notes/${id}`, { ownerId: bob.user.id }, { "if-match": "*" }),
      (id) => as(B, "PUT", `documents/notes/${id}`, { ownerId: bob.user.id }, { "if-match": '"7"' }),
      (id) => as(B, "PUT", `documents/notes/${id}`, { ownerId: ann.user.id }, { "if-none-match": "*" }),
      (id) => as(B, "DELETE", `documents/notes/${id}`),
      (id) => as(B, "DELETE", `documents/notes/${id}`),
      (id) => as(B, "DELETE", `documents/notes/${id}`, undefined, { "if-match": '"7"' }),
      ...["check", "delete", "create", "set", "update"].flatMap((op) =>
        [{ ifVersion: 7 }, { ifVersion: 0 }, {}].map((more) => (id: string) => {
          const document = { ownerId: ann.user.id };
          const body = op === "update" ? { update: { a: 1 } } : ["create", "set"].includes(op) ? { document } : {};
          return as(B, "POST", "batch", { operations: [{ op, collection: "notes", id, ...more, ...body }] });
        }),
      ),
    ];
    const { _v } = await stored("notes/n1");
    const right = (id: string) => as(B, "PATCH", `documents/notes/${id}`, { text: "x" }, { "if-match": `"${_v}"` });
    const differ: string[] = [];
    for (const probe of [...probes, right]) {
      const place = (text: string, id: string) => text.replaceAll(id, "ID").replace(/"position":"[^"]*"/, "");
      const [hidden, absent] = [bare(await probe("n1")), bare(await probe("zz"))];
      if (place(hidden, "n1") !== place(absent, "zz")) differ.push(`${hidden} | ${absent}`);
      if (hidden.includes("canary")) differ.push(hidden);
    }
    t.strictSame(differ, []);
    t.match(await stored("notes/n1"), { ownerId: ann.user.id, text: "canary", _v });
    t.equal((await app.send("GET", "/v1/documents/notes/zz")).status, 404);
  });

  t.test("W05 who may write blindly learns no value by whether something changed", async (t) => {
    await publishRules(app, {
      ...rules,
      collections: { ...rules.collections, boxes: { update: true, create: true } },
    });
    await app.send("PUT", "/v1/documents/boxes/b", { body: { secret: "canary" } });
    const versions: number[] = [];
    for (const secret of ["wrong", "canary", "canary"]) {
      const { json, text } = await as(B, "PATCH", "documents/boxes/b", { $set: { secret } });
      t.strictSame(Object.keys(json), ["_id", "_v"], text);
      versions.push(json._v);
      await app.send("PATCH", "/v1/documents/boxes/b", { body: { secret: "canary" } });
    }
    t.equal(new Set(versions).size, 3);
  });

  t.test("W08 of twenty at once one gets the id, or the unique value", async (t) => {
    await app.send("PATCH", "/v1/admin/collections/free", { body: { indexes: [{ paths: ["only"], unique: true }] } });
    const tally = async (body: object) => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => as(B, "POST", "documents/free", body)));
      return answers
        .map(({ status }) => status)
        .sort()
        .join(" ");
    };
    const one = `201 ${Array(19).fill(409).join(" ")}`;
    t.equal(await tally({ _id: "one" }), one);
    t.equal(await tally({ only: bob.user.id }), one);
  });

  t.test("W09 a key's answer is its owner's, and is shown by today's rights", async (t) => {
    const keyed = (token: string, body: object) =>
      as(token, "POST", "documents/added", body, { "idempotency-key": "one-key-of-both" });
    const made = await keyed(A, { ownerId: ann.user.id, text: "of Ann" });
    t.equal(made.status, 201, made.text);
    const other = await keyed(B, { ownerId: bob.user.id });
    t.notOk(other.text.includes("of Ann"));
    t.not(other.json._id, made.json._id);
    t.equal((await keyed(A, { ownerId: ann.user.id, text: "another" })).json.error.code, "idempotency_mismatch");
    t.equal((await keyed(A, { ownerId: ann.user.id, text: "of Ann" })).text, made.text);
    await publishRules(app, { ...rules, collections: { ...rules.collections, added: { create: OWN } } });
    const { status, json } = await keyed(A, { ownerId: ann.user.id, text: "of Ann" });
    t.strictSame([status, Object.keys(json)], [201, ["_id", "_v"]], "it may not be read any more");
    const none = { create: { ownerId: "somebody else" } };
    await publishRules(app, { ...rules, collections: { ...rules.collections, added: none } });
    t.equal((await keyed(A, { ownerId: ann.user.id, text: "of Ann" })).status, 404, "nor created");
  });

  t.test("W12 users change no definition, and no schema by what they send", async (t) => {
    const schema = { type: "object", properties: { n: { type: "number" } }, additionalProperties: false };
    await app.send("PATCH", "/v1/admin/collections/free", { body: { schema, acceptExisting: true } });
    const before = await app.send("GET", "/v1/admin/collections/free");
    t.equal((await as(B, "POST", "documents/free", { n: "text" })).status, 422);
    t.equal((await as(B, "POST", "documents/free", { n: 1, extra: 1 })).status, 422);
    for (const [method, path] of [
      ["PATCH", "free"],
      ["DELETE", "free"],
      ["GET", "free"],
      ["POST", ""],
    ] as const) {
      const sent = method === "PATCH" ? { schema: null } : method === "POST" ? { name: "mine" } : undefined;
      const at = path === "" ? "admin/collections" : `admin/collections/${path}`;
      t.equal((await as(B, method, at, sent)).status, 403, `${method} ${at}`);
    }
    t.equal((await app.send("GET", "/v1/admin/collections/free")).json.version, before.json.version);
  });
});
