import t from "tap";
import type { Scope } from "../../server/access/authorize.ts";
import { adminScope, scopeOf, startServices } from "../support/services.ts";

const everything = (collection: string): Scope => scopeOf(collection);
const op = (name: string, id: string | undefined, more: object = {}, collection = "posts") => ({
  op: name,
  collection,
  ...(id === undefined ? {} : { id }),
  ...more,
});

t.test("operations run in order, see earlier ones, and are one commit with one version a document", async (t) => {
  const { documents, store, close } = await startServices();
  t.teardown(close);
  const commits: number[] = [];
  await documents.create(everything("posts"), { _id: "old", n: 1 }, {});
  const tail = store.tail(undefined, ({ changes }) => void commits.push(changes.length));
  t.teardown(() => tail.close());
  const { results } = await documents.batch(
    everything,
    {
      operations: [
        op("create", "a", { document: { n: 1 } }),
        op("update", "a", { update: { $inc: { n: 1 } } }),
        op("set", "a", { document: { n: 5 } }),
        op("update", "a", { update: { $inc: { n: 1 } } }),
        op("update", "x", { update: { $set: { n: 1 } }, upsert: true }, "other"),
        op("delete", "old"),
        op("create", undefined, { document: { _id: "given" } }),
        op("create", undefined, { document: {} }),
      ],
    },
    {},
  );
  t.equal(results.length, 8);
  t.equal(new Set(results.slice(0, 4).map(({ v }) => v)).size, 1, "a has one version");
  t.same(results[5], { id: "old" });
  t.equal(results[6]?.id, "given");
  t.match(results[7]?.id, /^[0-9a-v]{26}$/);
  const a = await documents.get(everything("posts"), "a", {});
  t.match(JSON.parse(a?.text ?? ""), { n: 6, _v: results[0]?.v });
  t.equal(commits.filter((changes) => changes > 1).length, 1);
  const other = JSON.parse((await documents.get(everything("other"), "x", {}))?.text ?? "");
  t.same(other._updatedAt, JSON.parse(a?.text ?? "")._updatedAt, "one instant");
  t.same(await documents.batch(everything, { operations: [] }, {}), { results: [], position: store.position() });
});

t.test("one failure undoes all and names its operation", async (t) => {
  const { documents, collections, close } = await startServices();
  t.teardown(close);
  const schema = { type: "object", properties: { n: { type: "number" } } };
  await collections.create(adminScope(), { name: "posts", schema, indexes: [{ paths: ["slug"], unique: true }] });
  const { version } = await documents.create(everything("posts"), { _id: "p1", n: 0, slug: "s" }, {});
  const fine = op("set", "new", { document: { n: 1 } });
  const rows: [object, string][] = [
    [op("create", "p1", { document: {} }), "already_exists"],
    [op("create", "p1", { document: {}, ifVersion: 0 }), "version_conflict"],
    [op("update", "none", { update: { a: 1 } }), "not_found"],
    [op("delete", "none"), "not_found"],
    [op("set", "p1", { document: { n: "x" } }), "schema_violation"],
    [op("set", "p2", { document: { slug: "s" } }), "unique_violation"],
    [op("update", "p1", { update: { $inc: { slug: 1 } } }), "path_conflict"],
    [op("update", "p1", { update: { $set: { a: 1, "a.b": 2 } } }), "conflicting_paths"],
    [op("check", "p1", { ifVersion: version + 1 }), "version_conflict"],
    [op("check", "none", { ifVersion: 4 }), "version_conflict"],
    [op("check", "p1", { ifVersion: 0 }), "version_conflict"],
    [op("set", "p1", { document: {}, ifVersion: 0 }), "version_conflict"],
    [op("delete", "p1", { ifVersion: version - 1 }), "version_conflict"],
    [op("update", "p1", { update: {}, extra: 1 }), "invalid_argument"],
    [op("create", "p/1", { document: {} }), "invalid_argument"],
    [op("create", "p3", { document: { _id: "p4" } }), "invalid_argument"],
    [op("delete", "p1", {}, "_users"), "invalid_argument"],
    [op("explode", "p1"), "invalid_argument"],
  ];
  for (const [bad, code] of rows) {
    const batch = documents.batch(everything, { operations: [fine, bad, fine] }, {});
    await t.rejects(batch, { code, details: { operation: 1, outcome: "not_applied" } }, code);
  }
  t.equal(await documents.get(everything("posts"), "new", {}), undefined);
  const limits = documents.batch(everything, { operations: Array.from({ length: 501 }, () => fine) }, {});
  await t.rejects(limits, { code: "invalid_argument", details: { faults: [{ path: "operations" }] } });
});

t.test("versions in a batch are those its sender could know", async (t) => {
  const { documents, close } = await startServices();
  t.teardown(close);
  const { version } = await documents.create(everything("posts"), { _id: "p1", n: 0 }, {});
  const run = (...operations: object[]) => documents.batch(everything, { operations }, {});
  await run(
    op("check", "p1", { ifVersion: version }),
    op("check", "none", { ifVersion: 0 }),
    op("update", "p1", { update: { $inc: { n: 1 } }, ifVersion: version }),
    op("update", "p1", { update: { $inc: { n: 1 } }, ifVersion: version }),
    op("delete", "p1", { ifVersion: version }),
    op("set", "p1", { document: { n: 9 }, ifVersion: 0 }),
  );
  t.match(JSON.parse((await documents.get(everything("posts"), "p1", {}))?.text ?? ""), { n: 9 });
  await t.rejects(run(op("create", "p2", { document: {} }), op("check", "p2", { ifVersion: 0 })), {
    code: "version_conflict",
    details: { operation: 1 },
  });
});

t.test("rules judge each operation, the schema what is stored in the end", async (t) => {
  const { documents, collections, close } = await startServices();
  t.teardown(close);
  const schema = { type: "object", required: ["title"], properties: { n: { type: "number", default: 3 } } };
  await collections.create(adminScope(), { name: "posts", schema });
  await documents.batch(
    everything,
    { operations: [op("create", "p1", { document: {} }), op("update", "p1", { update: { title: "t" } })] },
    {},
  );
  t.match(JSON.parse((await documents.get(everything("posts"), "p1", {}))?.text ?? ""), { title: "t", n: 3 });
  const narrow = (collection: string) => scopeOf(collection, ["documents:posts:update", "documents:posts:delete"]);
  const denied = (operations: object[]) => documents.batch(narrow, { operations }, {});
  await t.rejects(denied([op("update", "p1", { update: { title: "u" } }), op("create", "p2", { document: {} })]), {
    code: "permission_denied",
    details: { operation: 1, scope: "documents:posts:create" },
  });
  await t.rejects(denied([op("update", "p1", { update: { title: "u" } }), op("check", "p1", { ifVersion: 1 })]), {
    code: "permission_denied",
    details: { operation: 1, scope: "documents:posts:get" },
  });
  await t.rejects(denied([op("update", "p9", { update: { title: "u" }, upsert: true })]), {
    code: "permission_denied",
    details: { operation: 0 },
  });
});

t.test("batches and single writes of one document take turns; nothing is lost", async (t) => {
  const { documents, close } = await startServices();
  t.teardown(close);
  await documents.create(everything("posts"), { _id: "a", n: 0 }, {});
  await documents.create(everything("posts"), { _id: "b", n: 0 }, {});
  const increment = (id: string) => op("update", id, { update: { $inc: { n: 1 } } });
  const work = Array.from({ length: 60 }, (_, i) => {
    if (i % 3 === 0) return documents.batch(everything, { operations: [increment("a"), increment("b")] }, {});
    if (i % 3 === 1) return documents.batch(everything, { operations: [increment("b"), increment("a")] }, {});
    return documents.update(everything("posts"), "a", { $inc: { n: 1 } }, {});
  });
  await Promise.all(work);
  t.match(JSON.parse((await documents.get(everything("posts"), "a", {}))?.text ?? ""), { n: 60 });
  t.match(JSON.parse((await documents.get(everything("posts"), "b", {}))?.text ?? ""), { n: 40 });
});

t.test(
  "a unique value passes from a document that goes to one that comes, in whatever order they are met",
  async (t) => {
    const { documents, collections, close } = await startServices();
    t.teardown(close);
    await collections.create(adminScope(), { name: "slugs", indexes: [{ paths: ["slug"], unique: true }] });
    await documents.create(everything("slugs"), { _id: "a" }, {});
    await documents.create(everything("slugs"), { _id: "b", slug: "s" }, {});
    const operations = [
      { op: "delete", collection: "slugs", id: "a" },
      { op: "delete", collection: "slugs", id: "b" },
      { op: "create", collection: "slugs", id: "a", document: { slug: "s" } },
    ];
    await documents.batch(everything, { operations }, {});
    t.match(JSON.parse((await documents.get(everything("slugs"), "a", {}))?.text ?? ""), { slug: "s" });
    t.equal(await documents.get(everything("slugs"), "b", {}), undefined);
    const clash = [
      { op: "delete", collection: "slugs", id: "a" },
      { op: "create", collection: "slugs", id: "c", document: { slug: "t" } },
      { op: "create", collection: "slugs", id: "d", document: { slug: "t" } },
    ];
    await t.rejects(documents.batch(everything, { operations: clash }, {}), {
      code: "unique_violation",
      details: { operation: 2 },
    });
  },
);
