import { setImmediate } from "node:timers/promises";
import t from "tap";
import { openDefinitions } from "../../server/documents/definitions.ts";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { adminScope, scopeOf, startServices } from "../support/services.ts";

const admin = adminScope();
const posts = scopeOf("posts");

t.test("a collection is declared, read, changed and dropped", async (t) => {
  const { collections, documents, close } = await startServices();
  t.teardown(close);
  const schema = { type: "object", properties: { due: { date: true }, "$weird key": {} } };
  const refused = collections.create(admin, { name: "posts", schema });
  await t.rejects(refused, { code: "invalid_argument", details: { faults: [{ path: "schema.properties" }] } });
  const good = { type: "object", properties: { zip: { type: "string" }, due: { date: true } } };
  const made = await collections.create(admin, { name: "posts", schema: good, indexes: [{ paths: ["a", "-b"] }] });
  t.match(made, { name: "posts", documents: 0, bytes: 0, indexes: [{ paths: ["a", "-b"] }] });
  t.same(Object.keys((made.schema as typeof good).properties), ["zip", "due"], "the schema comes back as it was given");
  await t.rejects(collections.create(admin, { name: "posts" }), { code: "already_exists" });

  await documents.create(posts, { a: 1 }, {});
  const info = await collections.get(admin, "posts");
  t.match(info, { version: made.version, documents: 1, indexes: [{ state: "ready", progress: 1 }] });
  const changed = await collections.change(admin, "posts", {
    indexes: [{ paths: ["c"], unique: true }],
    ifVersion: made.version,
  });
  t.ok(changed.version > made.version);
  t.same(changed.schema, good, "what is not named stays");
  t.match(changed.indexes, [{ paths: ["c"], unique: true }]);
  await t.rejects(collections.change(admin, "posts", { schema: null, ifVersion: made.version }), {
    code: "version_conflict",
  });
  t.equal((await collections.change(admin, "posts", { schema: null })).schema, undefined);
  t.same(
    (await collections.list(admin)).map(({ name }) => name),
    ["posts"],
  );

  await collections.drop(admin, "posts");
  for (const gone of [
    () => collections.get(admin, "posts"),
    () => collections.change(admin, "posts", {}),
    () => collections.drop(admin, "posts"),
    () => collections.check(admin, "posts", { schema: {} }),
  ]) {
    await t.rejects<unknown>(gone(), { code: "not_found" });
  }
  t.throws(() => collections.export(admin, "posts", false), { code: "not_found" });
  await documents.create(posts, {}, {});
  t.match(
    await collections.get(admin, "posts"),
    { documents: 1, indexes: [] },
    "made anew, nothing of the old is left",
  );
});

t.test("a body is judged whole", async (t) => {
  const { collections, close } = await startServices();
  t.teardown(close);
  const bad = {
    name: "_x",
    schema: { typ: 1 },
    indexes: [{ paths: ["a..b", 5, "a.0", "_id"], unique: 1, more: 1 }],
    template: "owner",
    x: 1,
  };
  const error = await collections.create(admin, bad).catch((error: unknown) => error);
  const places = (error as { details: { faults: { path: string }[] } }).details.faults.map(({ path }) => path);
  t.same(places.sort(), [
    "indexes.0.more",
    "indexes.0.paths.0",
    "indexes.0.paths.1",
    "indexes.0.paths.2",
    "indexes.0.paths.3",
    "indexes.0.unique",
    "name",
    "schema.typ",
    "template",
    "x",
  ]);
  const indexes: [unknown, string][] = [
    [{}, "indexes"],
    [[1], "indexes.0"],
    [[{ paths: [] }], "indexes.0.paths"],
    [[{ paths: ["x,y"] }], "indexes.0.paths.0"],
    [[{ paths: ["a", "b", "c", "d", "e"] }], "indexes.0.paths"],
    [[{ paths: ["a", "-a"] }], "indexes.0.paths.1"],
    [[{ paths: ["a"] }, { paths: ["a"], unique: true }], "indexes.1.paths"],
    [Array.from({ length: 33 }, (_, i) => ({ paths: [`p${i}`] })), "indexes"],
  ];
  for (const [list, path] of indexes) {
    const refused = collections.create(admin, { name: "posts", indexes: list });
    await t.rejects(refused, { code: "invalid_argument", details: { faults: [{ path }] } }, path);
  }
  for (const name of ["", "1a", "A", "a b", "a.b", "_users", "system.users", "x".repeat(64), null, { $ne: 1 }]) {
    await t.rejects(collections.create(admin, { name }), { code: "invalid_argument" }, JSON.stringify(name));
  }
  await collections.create(admin, { name: "x".repeat(63) });
});

t.test("a schema change is checked on what is stored, and taken back if that does not fit", async (t) => {
  const { collections, documents, close } = await startServices();
  t.teardown(close);
  const old = { type: "object", properties: { n: { type: "number" } } };
  const made = await collections.create(admin, { name: "posts", schema: old });
  for (let i = 0; i < 250; i++) await documents.create(posts, { _id: `p${i}`, n: i }, {});
  const small = { type: "object", properties: { n: { type: "number", maximum: 99 } } };

  const check = await collections.check(admin, "posts", { schema: small });
  t.match(check, { checked: 250, violating: 150 });
  t.equal(check.examples.length, 100);
  t.match(check.examples[0], { id: "p100", faults: [{ path: "document.n", code: "schema" }] });

  const refusal = await collections.change(admin, "posts", { schema: small }).catch((error: unknown) => error);
  t.match(refusal, {
    code: "failed_precondition",
    details: { reason: "documents_violate", violating: 150, outcome: "not_applied" },
  });
  t.equal((refusal as { details: { violations: unknown[] } }).details.violations.length, 100);
  t.same((await collections.get(admin, "posts")).schema, old);
  await documents.create(posts, { n: 1000 }, {});

  const accepted = await collections.change(admin, "posts", { schema: small, acceptExisting: true });
  t.ok(accepted.version > made.version);
  await t.rejects(documents.create(posts, { n: 100 }, {}), { code: "schema_violation" });
  await t.rejects(
    documents.update(posts, "p200", { $set: { a: 1 } }, {}),
    { code: "schema_violation" },
    "at its next write",
  );
  t.match(JSON.parse((await documents.update(posts, "p200", { n: 5 }, {})).text), { n: 5 });
});

t.test("under load, a new schema holds for every write that is answered after it was asked for", async (t) => {
  const { collections, documents, close } = await startServices();
  t.teardown(close);
  await collections.create(admin, { name: "posts" });
  await documents.create(posts, { _id: "p1", n: 0 }, {});
  let stop = false;
  const writers = Array.from({ length: 8 }, async (_, w) => {
    for (let i = 0; !stop; i++) {
      // Refused writes commit nothing, so the loop itself must let others have their turn.
      await setImmediate();
      await documents.set(posts, `w${w}`, { n: i }, {}).catch(() => {});
      await documents.update(posts, "p1", { $inc: { n: 1 } }, {}).catch(() => {});
    }
  });
  const text = { type: "object", properties: { n: { type: "string" } } };
  await t.rejects(collections.change(admin, "posts", { schema: text }), { code: "failed_precondition" });
  const range = { type: "object", properties: { n: { type: "number" } }, required: ["n"] };
  await collections.change(admin, "posts", { schema: range });
  stop = true;
  await Promise.all(writers);
  t.match(await collections.check(admin, "posts", { schema: range }), { violating: 0 });
  await collections.change(admin, "posts", { schema: text, acceptExisting: true });
  t.ok((await collections.check(admin, "posts", { schema: range })).violating === 0, "nothing slipped in");
});

t.test("definitions outlive a restart; a change that was cut off is taken back, a drop is finished", async (t) => {
  let cut: string | undefined;
  const between = (store: DocumentStore): DocumentStore => {
    const fail = (at: string) => {
      if (cut === at) throw new Error("killed");
    };
    return {
      ...store,
      async find(query) {
        if (query.collection === "posts") fail("check");
        return store.find(query);
      },
      async dropCollection(name) {
        fail("drop");
        return store.dropCollection(name);
      },
      async commit(writes) {
        if (cut === "dead") throw new Error("killed");
        const position = await store.commit(writes);
        if (cut === "check" && writes.some(({ collection }) => collection === "_collections")) cut = "dead";
        return position;
      },
    };
  };
  const { collections, documents, definitions, embedded: store, clock, log, close } = await startServices({ between });
  t.teardown(close);
  const old = { type: "object", properties: { n: { type: "number" } } };
  await collections.create(admin, { name: "posts", schema: old, indexes: [{ paths: ["a"] }] });
  await collections.create(admin, { name: "gone" });
  await documents.create(posts, { n: 1 }, {});
  await documents.create(scopeOf("gone"), {}, {});

  cut = "check";
  await t.rejects(collections.change(admin, "posts", { schema: { type: "object", required: ["x"] }, indexes: [] }));
  cut = "drop";
  await t.rejects(collections.drop(admin, "gone"));
  definitions.close();
  cut = undefined;

  const reopened = await openDefinitions({ store, clock, log });
  t.teardown(() => reopened.close());
  t.match(reopened.get("posts"), { schema: { source: old }, indexes: [{ paths: ["a"] }], pending: undefined });
  t.match(await store.stats("posts"), { documents: 1, indexes: [{ paths: ["a"] }] });
  t.equal(reopened.get("gone"), undefined);
  t.equal(await store.stats("gone"), undefined);
});

t.test("a server holds a thousand collections, found at once and loaded fast", async (t) => {
  const { definitions, store, clock, log, close } = await startServices();
  t.teardown(close);
  // Without their tables, which would take long to make and are not asked for here.
  const content = { schema: undefined, indexes: [] };
  await Promise.all(Array.from({ length: 1000 }, (_, i) => definitions.put(`c${i}`, 0, content)));
  await t.rejects(definitions.declare("one-more"), {
    code: "failed_precondition",
    details: { reason: "too_many_collections" },
  });
  await t.rejects(definitions.declare("_users"), { code: "not_found" });
  const reopened = await openDefinitions({ store, clock, log });
  t.teardown(() => reopened.close());
  t.equal(reopened.all().length, 1000);
  await definitions.drop("c1");
  t.equal(reopened.get("c1"), undefined, "another node follows");
  const rush = await Promise.allSettled(["x", "y", "z"].map((name) => definitions.declare(name)));
  t.strictSame(rush.map(({ status }) => status).sort(), ["fulfilled", "rejected", "rejected"], "never more at once");
  t.equal(definitions.all().length, 1000);
});

t.test("import needs the right to create and to update, export the right to list", async (t) => {
  const { collections, close } = await startServices();
  t.teardown(close);
  await collections.create(admin, { name: "posts" });
  async function* nothing(): AsyncGenerator<Uint8Array> {}
  const narrow = adminScope(["admin:collections:*", "documents:posts:create", "documents:posts:get"]);
  t.throws(() => collections.import(narrow, "posts", nothing(), false), {
    code: "permission_denied",
    details: { scope: "documents:posts:update" },
  });
  t.throws(() => collections.export(narrow, "posts", false), {
    code: "permission_denied",
    details: { scope: "documents:posts:list" },
  });
  t.throws(() => collections.import(admin, "_users", nothing(), false), { code: "not_found" });
});
