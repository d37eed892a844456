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

  t.test("W05 who may write blindly learns no type by what can be done", async (t) => {
    const fields = { memo: { read: false, write: true }, "card.pin": { read: false, write: true } };
    const boxes = { get: true, update: true, fields };
    await publishRules(app, { ...rules, collections: { ...rules.collections, boxes } });
    const denied = (memo: string): object[] => [
      ...["$inc", "$mul", "$push", "$addToSet"].map((operator) => ({ [operator]: { [memo]: 1 } })),
      ...[{ $pop: { [memo]: 1 } }, { $pull: { [memo]: 1 } }, { $pullAll: { [memo]: [1] } }, { $unset: [`${memo}.a`] }],
      ...["a", "0", "5000", "a.b", "$[]", "$[].a"].map((beneath) => ({ $set: { [`${memo}.${beneath}`]: 1 } })),
      ...[{ $rename: { [memo]: "free" } }, { $rename: { free: `${memo}.a` } }, { $inc: { [`${memo}.a`]: 1 } }],
    ];
    const values = ["text", 1, { $numberLong: "9223372036854775807" }, 1.7e308, null, true, [], [1, "a"], { a: 1 }];
    const found = new Map<string, Set<string>>();
    for (const value of [...values, undefined]) {
      await app.send("PUT", "/v1/documents/boxes/b", {
        body: { card: { pin: value, name: "n" }, memo: value, free: 1 },
      });
      const before = (await stored("boxes/b"))._v;
      for (const update of [...denied("memo"), ...denied("card.pin")]) {
        const { status, text } = await as(B, "PATCH", "documents/boxes/b", update);
        const told = found.get(JSON.stringify(update)) ?? new Set();
        found.set(JSON.stringify(update), told.add(`${status} ${text.replace(/"requestId":"[^"]*"/, "")}`));
      }
      t.equal((await stored("boxes/b"))._v, before);
      for (const update of [{ memo: 2, "card.pin": 3 }, { $unset: ["memo", "card.pin"] }, { $max: { memo: 1 } }]) {
        const { status, json } = await as(B, "PATCH", "documents/boxes/b", update);
        t.strictSame([status, json.card, json.memo], [200, { name: "n" }, undefined], JSON.stringify(update));
      }
    }
    for (const [update, answers] of found) {
      t.ok(
        answers.size === 1 && [...answers].every((answer) => answer.startsWith("403 ")),
        `${update} ${[...answers]}`,
      );
    }
  });

  t.test("W05 who changes a large document learns the class of what is hidden in it, and no length", async (t) => {
    const sized = {
      get: true,
      update: { kind: { $ne: "closed" } },
      fields: { memo: { read: false }, kept: { write: false } },
    };
    await publishRules(app, { ...rules, collections: { ...rules.collections, sized } });
    const [MIB, STEP] = [1024 * 1024, 64 * 1024];
    const fill = async (id: string, bytes: number, more = {}) =>
      as(B, "PATCH", `documents/sized/${id}`, { fill: "x".repeat(bytes), ...more });
    const bytesOf = (text: string) => Buffer.byteLength(text);
    const most: Record<string, number> = {};
    for (const [id, memo] of [
      ["none", undefined],
      ["tiny", "s"],
      ["long", "l".repeat(STEP - 40)],
      ["more", "m".repeat(STEP)],
    ] as const) {
      await app.send("PUT", `/v1/documents/sized/${id}`, { body: { memo, fill: "", list: [1, 2] } });
      const seen = bytesOf((await as(B, "GET", `documents/sized/${id}`)).text);
      const room = MIB - seen - STEP * (id === "more" ? 2 : 1);
      const over = [
        await fill(id, room + 1),
        // Refused for its size before anything else that is wrong with it.
        await fill(id, room + 1, { kind: "closed" }),
        await as(B, "PUT", `documents/sized/${id}`, { fill: "x".repeat(room + 1), list: [1, 2] }),
        await as(B, "PATCH", `documents/sized/${id}`, { $set: { fill: "", "list.$[]": "x".repeat(MIB / 2), kept: 1 } }),
      ];
      t.strictSame(
        over.map(({ status }) => status),
        [413, 413, 413, 413],
        id,
      );
      t.equal(new Set(over.map(({ json }) => json.error.message)).size, 1);
      t.equal((await fill(id, room)).status, 200, `${id}: ${room}`);
      most[id] = room;
    }
    t.equal(most.none, most.tiny);
    t.equal(most.none, most.long);
    t.equal((await fill("none", 1)).status, 200);
    const whole = await app.send("PATCH", "/v1/documents/sized/none", { body: { fill: "x".repeat(MIB - 400) } });
    t.equal(whole.status, 200, "who sees all has all of the room");
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
    const denied = await keyed(A, { ownerId: ann.user.id, text: "of Ann" });
    t.strictSame([denied.status, denied.json.error.details.outcome], [404, "unknown"], "nor created");
  });

  t.test("W09 a batch under a key is judged by today's rights, operation by operation", async (t) => {
    const IN_TEAM = { teamId: { $in: "$lookup.teams" } };
    const lookups = { teams: { from: "members", where: { userId: "$auth.id" }, select: "teamId" } };
    const team = { get: IN_TEAM, create: IN_TEAM, update: IN_TEAM, delete: IN_TEAM, lookups };
    const gifts = { create: true, update: { before: OWN, after: true } };
    const all = { ...rules.collections, team, gifts };
    await publishRules(app, { ...rules, collections: all });
    await app.send("PUT", "/v1/documents/members/m", { body: { userId: ann.user.id, teamId: "t1" } });
    for (const id of ["gone", "kept", "large", "seen"])
      await app.send("PUT", `/v1/documents/team/${id}`, { body: { teamId: "t1" } });
    const keyed = (key: string, operations: object[]) =>
      as(A, "POST", "batch", { operations }, { "idempotency-key": key });
    const op = (name: string, id: string | undefined, more = {}) => ({ op: name, collection: "team", id, ...more });
    const batches: Record<string, object[]> = {
      "a create": [op("create", undefined, { document: { teamId: "t1" } })],
      "a delete": [op("delete", "gone")],
      "a change": [op("update", "kept", { update: { n: 1 } })],
      "a check": [op("check", "seen", { ifVersion: (await stored("team/seen"))._v })],
      "one of several": [
        { op: "create", collection: "free", document: {} },
        op("set", "set", { document: { teamId: "t1" } }),
      ],
      "what is too long to be kept": [op("update", "large", { update: { text: "x".repeat(1_000_000) } })].flatMap(
        (one) => [
          ...[1, 2, 3].map((n) =>
            op("create", undefined, { document: { teamId: "t1", n, text: "x".repeat(900_000) } }),
          ),
          one,
        ],
      ),
    };
    const first: Record<string, string> = {};
    for (const [key, operations] of Object.entries(batches)) {
      const { status, json, text } = await keyed(key.replaceAll(" ", "-"), operations);
      t.equal(status, 200, `${key} ${text}`);
      first[key] = JSON.stringify(json.results);
    }
    // An answer that is too long for one document is one all the same.
    const long = { text: '"'.repeat(450_000) };
    const replies = [1, 2].map(() => as(A, "PUT", "documents/free/long", long, { "idempotency-key": "long" }));
    const [one, two] = await Promise.all(replies);
    t.strictSame(
      [one?.status, two?.text === one?.text, one?.json.text === long.text],
      [201, true, true],
      String(one?.text).slice(0, 200),
    );
    // Whoever gave something away could do it, and is told so again.
    const given = [
      { op: "create", collection: "gifts", id: "g", document: { ownerId: ann.user.id } },
      { op: "update", collection: "gifts", id: "g", update: { ownerId: bob.user.id } },
    ];
    t.equal((await keyed("given", given)).status, 200);
    t.equal((await keyed("given", given)).status, 200);
    const again = async (key: string) => keyed(key.replaceAll(" ", "-"), batches[key] as object[]);
    for (const key of Object.keys(batches)) {
      const { json, text } = await again(key);
      t.equal(JSON.stringify(json.results), first[key], `${key} ${text.slice(0, 300)}`);
    }
    await app.send("DELETE", "/v1/documents/members/m");
    for (const key of Object.keys(batches)) {
      const { status, json, text } = await again(key);
      const { operation, outcome } = json.error?.details ?? {};
      t.strictSame([status, operation, outcome], [404, key.startsWith("one") ? 1 : 0, "unknown"], `${key} ${text}`);
    }
    await publishRules(app, { ...rules, collections: { ...all, team: {} } });
    for (const key of Object.keys(batches)) t.equal((await again(key)).status, 403, `${key}: closed for all`);
    t.equal((await app.send("GET", "/v1/documents/team/gone")).status, 404, "nothing was done a second time");
    t.equal((await app.send("POST", "/v1/documents/free/count", { body: { filter: {} } })).json.count > 0, true);
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
