import t from "tap";
import { GalleyError } from "../../sdk/protocol/errors.ts";
import { createDocumentService } from "../../server/documents/service.ts";
import type { DocumentStore, Write } from "../../server/stores/document-store.ts";
import { adminScope, keyed, scopeOf, startServices } from "../support/services.ts";

const posts = scopeOf("posts");

/** Lets a test stand in front of each commit. */
function interruptible() {
  const hook: {
    before: ((writes: readonly Write[]) => Promise<void> | void) | undefined;
    commits: (readonly Write[])[];
  } = {
    before: undefined,
    commits: [],
  };
  const between = (store: DocumentStore): DocumentStore => ({
    ...store,
    async commit(writes) {
      hook.commits.push(writes);
      await hook.before?.(writes);
      return store.commit(writes);
    },
  });
  return { hook, between };
}

t.test("a document is created, read, replaced, changed and deleted", async (t) => {
  const { documents, time, close } = await startServices();
  t.teardown(close);
  const made = await documents.create(posts, { _id: "p1", 2: "two", b: 1, 1: "one", _v: 7, _createdAt: "ignored" }, {});
  t.match(made, { id: "p1", created: true, shape: "0" });
  t.same(Object.keys(JSON.parse(made.text)), ["1", "2", "_id", "_v", "_createdAt", "_updatedAt", "b"]);
  t.equal((await documents.get(posts, "p1", {}))?.text, made.text);

  time.now += 5;
  const set = await documents.set(posts, "p1", { ...JSON.parse(made.text), b: 2 }, {});
  t.equal(set.created, false);
  t.ok(set.version > made.version);
  t.equal(JSON.parse(set.text)._createdAt.$date, JSON.parse(made.text)._createdAt.$date, "a replace keeps _createdAt");
  t.equal(JSON.parse(set.text)._updatedAt.$date, new Date(time.now).toISOString());

  const same = await documents.set(posts, "p1", { 1: "one", 2: "two", b: 2 }, {});
  t.equal(same.text, set.text, "an equal replace writes nothing");
  t.equal((await documents.update(posts, "p1", { $set: { b: 2 } }, {})).text, set.text, "nor does an equal change");
  t.not(
    (await documents.update(posts, "p1", { b: { $numberLong: "2" } }, {})).version,
    set.version,
    "an int64 is not equal",
  );

  await documents.delete(posts, "p1", {});
  t.equal(await documents.get(posts, "p1", {}), undefined);
  await t.rejects(documents.delete(posts, "p1", {}), { code: "not_found", details: { outcome: "not_applied" } });
  await t.rejects(documents.update(posts, "p1", { b: 1 }, {}), { code: "not_found" });
  const upserted = await documents.update(posts, "p1", { $setOnInsert: { a: 1 }, $set: { b: 3 } }, { upsert: true });
  t.match(JSON.parse(upserted.text), { _id: "p1", a: 1, b: 3 });
  t.ok(upserted.created);
});

t.test("bodies are judged whole, and nothing is stored of a bad one", async (t) => {
  const { documents, close } = await startServices();
  t.teardown(close);
  const bad = (body: unknown) => documents.create(posts, body, {});
  const tooDeep = JSON.parse(`${'{"a":'.repeat(32)}1${"}".repeat(32)}`);
  const rows: [unknown, { code: string; details?: object }][] = [
    [{ _id: "..", _foo: 1, $set: 1, "": 2 }, { code: "invalid_argument" }],
    [
      { _id: { $gt: "" } },
      { code: "invalid_argument", details: { faults: [{ path: "document._id", code: "bad_value" }] } },
    ],
    [
      { _rev: 1 },
      {
        code: "invalid_argument",
        details: { faults: [{ path: "document._rev", code: "reserved_field" }], outcome: "not_applied" },
      },
    ],
    [
      [1],
      {
        code: "invalid_argument",
        details: { faults: [{ path: "document", message: "document: expects a document, got an array" }] },
      },
    ],
    [
      { $date: 0 },
      { code: "invalid_argument", details: { faults: [{ message: "document: expects a document, got a date" }] } },
    ],
    [JSON.parse('{"__proto__": {"x": 1}}'), { code: "invalid_argument" }],
    [{ a: { a: tooDeep } }, { code: "invalid_argument", details: { faults: [{ code: "too_deep" }] } }],
    [{ a: "x".repeat(1024 * 1024) }, { code: "payload_too_large", details: { outcome: "not_applied" } }],
  ];
  for (const [body, error] of rows) await t.rejects(bad(body), error);
  await t.rejects(documents.set(posts, "a b", { a: 1 }, {}), {
    code: "invalid_argument",
    details: { faults: [{ path: "_id" }] },
  });
  await t.rejects(documents.set(posts, "p1", { _id: "p2" }, {}), {
    code: "invalid_argument",
    details: { faults: [{ path: "document._id" }] },
  });
  t.same((await documents.find(posts, {})).documents, []);

  const most = { _id: "edge", a: "" };
  const empty = (await documents.create(posts, most, {})).text.length;
  await documents.set(posts, "edge", { a: "x".repeat(1024 * 1024 - empty) }, {});
  await t.rejects(documents.update(posts, "edge", { $set: { b: 1 } }, {}), { code: "payload_too_large" });
});

t.test("ifVersion and mustExist hold, or are a version conflict", async (t) => {
  const { documents, close } = await startServices();
  t.teardown(close);
  const { version } = await documents.create(posts, { _id: "p1", n: 0 }, {});
  const conflict = { code: "version_conflict", details: { outcome: "not_applied" } };
  await t.rejects(documents.set(posts, "p1", { n: 1 }, { ifVersion: 0 }), conflict);
  await t.rejects(documents.set(posts, "p1", { n: 1 }, { ifVersion: version - 1 }), conflict);
  await t.rejects(documents.set(posts, "p2", { n: 1 }, { ifVersion: 5 }), conflict);
  await t.rejects(documents.set(posts, "p2", { n: 1 }, { mustExist: true }), conflict);
  await t.rejects(documents.update(posts, "p2", { n: 1 }, { ifVersion: 5 }), conflict);
  await t.rejects(documents.update(posts, "p2", { n: 1 }, { ifVersion: 0 }), { code: "not_found" });
  await t.rejects(documents.delete(posts, "p1", { ifVersion: version + 1 }), conflict);
  await documents.set(posts, "p2", { n: 1 }, { ifVersion: 0 });
  await documents.update(posts, "p1", { n: 1 }, { ifVersion: version, mustExist: true });
  await documents.delete(posts, "p2", { mustExist: true });
  await t.rejects(documents.create(posts, { _id: "p1" }, {}), { code: "already_exists" });
  await t.rejects(documents.create(posts, { _id: "p1" }, { ifVersion: 0 }), conflict);
});

t.test("50 writers make 10,000 increments of one document: exact, distinct, and in few commits", async (t) => {
  const { hook, between } = interruptible();
  const { documents, close } = await startServices({ between });
  t.teardown(close);
  await documents.create(posts, { _id: "counter", n: 0 }, {});
  hook.commits = [];
  const values = new Set<number>();
  const versions = new Set<number>();
  const writers = Array.from({ length: 50 }, async () => {
    for (let i = 0; i < 200; i++) {
      const { text, version } = await documents.update(posts, "counter", { $inc: { n: 1 } }, {});
      values.add(JSON.parse(text).n);
      versions.add(version);
    }
  });
  await Promise.all(writers);
  t.equal(values.size, 10_000);
  t.equal(Math.max(...values), 10_000);
  t.equal(versions.size, 10_000, "each caller has a version of its own");
  t.match(JSON.parse((await documents.get(posts, "counter", {}))?.text ?? ""), { n: 10_000 });
  t.ok(hook.commits.length < 1000, `${hook.commits.length} commits`);
});

t.test("of updates stored together, only the faulty ones fail", async (t) => {
  const { documents, collections, close } = await startServices();
  t.teardown(close);
  await collections.create(adminScope(), { name: "posts", indexes: [{ paths: ["slug"], unique: true }] });
  await documents.create(posts, { _id: "other", slug: "taken" }, {});
  await documents.create(posts, { _id: "p1", n: 0, text: "x" }, {});
  const results = await Promise.allSettled([
    documents.update(posts, "p1", { $inc: { n: 1 } }, {}),
    documents.update(posts, "p1", { $inc: { text: 1 } }, {}),
    documents.update(posts, "p1", { $inc: { n: 1 } }, {}),
    documents.update(posts, "p1", { $set: { slug: "taken" } }, {}),
    documents.update(posts, "p1", { n: 9 }, { ifVersion: 1 }),
    documents.update(posts, "p1", { $inc: { n: 1 } }, {}),
  ]);
  const outcomes = results.map((one) => (one.status === "fulfilled" ? JSON.parse(one.value.text).n : one.reason.code));
  t.same(outcomes, [1, "path_conflict", 2, "unique_violation", "version_conflict", 3]);
  t.match(JSON.parse((await documents.get(posts, "p1", {}))?.text ?? ""), { n: 3, text: "x" });
});

t.test("a delete and a create that meet in one commit leave what came last", async (t) => {
  const { documents, close } = await startServices();
  t.teardown(close);
  await documents.create(posts, { _id: "p1", n: 0 }, {});
  const [, gone, again] = await Promise.all([
    documents.update(posts, "p1", { n: 1 }, {}),
    documents.delete(posts, "p1", {}),
    documents.set(posts, "p1", { n: 2 }, {}),
  ]);
  t.equal(gone.text, "");
  t.equal(again.created, true);
  t.match(JSON.parse((await documents.get(posts, "p1", {}))?.text ?? ""), { n: 2 });
});

t.test("a lost race is run again on what is stored now; too many are contention", async (t) => {
  const { hook, between } = interruptible();
  const { documents, embedded, close } = await startServices({ between });
  t.teardown(close);
  await documents.create(posts, { _id: "p1", n: 0 }, {});
  const interfere = async () => {
    const [row] = await embedded.get("posts", ["p1"]);
    if (!row) throw new Error("gone");
    const version = embedded.nextVersion(row.version);
    const text = row.text.replace(/"_v":\d+/, `"_v":${version}`).replace(/"n":\d+/, `"n":${Number(row.value.n) + 100}`);
    await embedded.commit([{ kind: "put", collection: "posts", id: "p1", expect: row.version, version, text }]);
  };
  let left = 4;
  hook.before = () => (left-- > 0 ? interfere() : undefined);
  t.match(JSON.parse((await documents.update(posts, "p1", { $inc: { n: 1 } }, {})).text), { n: 401 });
  left = 5;
  const contention = { code: "contention", details: { outcome: "not_applied" } };
  await t.rejects(documents.update(posts, "p1", { $inc: { n: 1 } }, {}), contention);
  left = 1;
  const version = (await documents.get(posts, "p1", {}))?.version ?? 0;
  await t.rejects(documents.update(posts, "p1", { n: 0 }, { ifVersion: version }), { code: "version_conflict" });
});

t.test("a commit whose end is unknown says so to everyone in it", async (t) => {
  const { hook, between } = interruptible();
  const { documents, close } = await startServices({ between });
  t.teardown(close);
  await documents.create(posts, { _id: "p1", n: 0 }, {});
  hook.before = () => {
    throw new GalleyError("unavailable", "the store does not answer", { outcome: "unknown" });
  };
  const writes = [1, 2, 3].map(() => documents.update(posts, "p1", { $inc: { n: 1 } }, {}));
  for (const result of await Promise.allSettled(writes)) {
    t.match(result, { status: "rejected", reason: { code: "unavailable", details: { outcome: "unknown" } } });
  }
});

t.test("a key writes only what its scopes allow, and reads back only what it may see", async (t) => {
  const { documents, close } = await startServices();
  t.teardown(close);
  await documents.create(posts, { _id: "p1", secret: "canary", n: 0 }, {});
  const writer = scopeOf("posts", ["documents:posts:update"]);
  const reply = await documents.update(writer, "p1", { $inc: { n: 1 } }, {});
  t.same(JSON.parse(reply.text), { _id: "p1", _v: reply.version }, "a writer that may not read sees no document");
  const denied = { code: "permission_denied", details: { scope: "documents:posts:create", outcome: "not_applied" } };
  await t.rejects(documents.create(writer, {}, {}), denied);
  await t.rejects(documents.set(writer, "p2", {}, {}), denied);
  await t.rejects(documents.update(writer, "p2", { a: 1 }, { upsert: true }), denied);
  await t.rejects(documents.delete(writer, "p1", {}), {
    code: "permission_denied",
    details: { scope: "documents:posts:delete" },
  });
  await t.rejects(documents.create(scopeOf("_keys"), {}, {}), { code: "not_found" });
  await t.rejects(documents.get(scopeOf("_keys"), "x", {}), { code: "not_found" });
  const creator = scopeOf("drafts", ["documents:drafts:create"]);
  await documents.create(creator, { _id: "d1" }, {});
  await t.rejects(documents.set(creator, "d1", { a: 1 }, {}), {
    code: "permission_denied",
    details: { scope: "documents:drafts:update" },
  });
});

t.test("a first write that fails declares no collection", async (t) => {
  const { documents, collections, definitions, close } = await startServices();
  t.teardown(close);
  await collections.create(adminScope(), { name: "closed", schema: { type: "object", required: ["title"] } });
  const names = () => definitions.all().map(({ name }) => name);
  const large = "x".repeat(1024 * 1024);
  const batch = (operations: object[]) => documents.batch(scopeOf, { operations }, {});
  const create = (collection: string) => ({ op: "create", collection, document: { _id: "a" } });
  const failing: [string, () => Promise<unknown>][] = [
    ["payload_too_large", () => documents.create(posts, { large }, {})],
    ["payload_too_large", () => documents.set(posts, "a", { large }, {})],
    ["version_conflict", () => documents.set(posts, "a", {}, { ifVersion: 7 })],
    ["version_conflict", () => documents.set(posts, "a", {}, { mustExist: true })],
    ["payload_too_large", () => documents.update(posts, "a", { $set: { large } }, { upsert: true })],
    ["not_found", () => batch([create("posts"), { op: "delete", collection: "posts", id: "b" }])],
    ["already_exists", () => batch([create("posts"), create("posts")])],
    ["version_conflict", () => batch([create("posts"), { op: "check", collection: "other", id: "a", ifVersion: 5 }])],
    ["schema_violation", () => batch([create("posts"), create("closed")])],
  ];
  for (const [code, write] of failing) {
    await t.rejects(write(), { code, details: { outcome: "not_applied" } });
    t.strictSame(names(), ["closed"], code);
  }
  await batch([create("posts"), { op: "set", collection: "more", id: "a", document: {} }]);
  t.strictSame(names(), ["closed", "more", "posts"]);
});

t.test("first writes of many callers declare a collection once", async (t) => {
  const { documents, definitions, close } = await startServices();
  t.teardown(close);
  const scope = scopeOf("fresh");
  t.same((await documents.find(scope, {})).documents, []);
  await Promise.all(Array.from({ length: 20 }, (_, i) => documents.create(scope, { i }, {})));
  t.equal((await documents.count(scope, {})).count, 20);
  t.equal(definitions.all().filter(({ name }) => name === "fresh").length, 1);
});

t.test("of 20 parallel creates of one _id, and under one unique value, exactly one wins", async (t) => {
  const { documents, collections, close } = await startServices();
  t.teardown(close);
  await collections.create(adminScope(), { name: "posts", indexes: [{ paths: ["owner"], unique: true }] });
  const race = async (body: object, code: string) => {
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => documents.create(posts, body, {})));
    t.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    t.equal(results.filter((one) => one.status === "rejected" && one.reason.code === code).length, 19);
  };
  await race({ _id: "one" }, "already_exists");
  await race({ owner: "ann" }, "unique_violation");
});

t.test("a second node on the same store never doubles a keyed write", async (t) => {
  const first = await startServices();
  t.teardown(first.close);
  const { store, definitions, clock, random, log } = first;
  const options = {
    store,
    definitions,
    clock,
    random,
    log,
    secrets: ["another secret, also 32 bytes long"],
    development: false,
    grantsRights: () => false,
  };
  const second = await createDocumentService(options);
  t.teardown(() => second.close());
  await first.documents.create(posts, { _id: "p1", n: 0 }, {});
  const idempotency = keyed("k1", { $inc: 1 });
  const nodes = [first.documents, second];
  const replies = await Promise.all(
    Array.from({ length: 20 }, (_, i) => nodes[i % 2]?.update(posts, "p1", { $inc: { n: 1 } }, { idempotency })),
  );
  t.equal(new Set(replies.map((reply) => reply?.text)).size, 1);
  t.match(JSON.parse((await second.get(posts, "p1", {}))?.text ?? ""), { n: 1 });
});
