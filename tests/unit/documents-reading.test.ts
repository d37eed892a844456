import t from "tap";
import { TRUE } from "../../sdk/protocol/ast.ts";
import { Faults } from "../../sdk/protocol/errors.ts";
import { parseSort } from "../../sdk/protocol/sort.ts";
import { createCursors } from "../../server/documents/cursors.ts";
import { adminScope, CLOSED, keyPrincipal, scopeOf, startServices } from "../support/services.ts";

const posts = scopeOf("posts");
const ids = ({ documents }: { documents: readonly string[] }) => documents.map((text) => JSON.parse(text)._id);

t.test("a read by id parses no document and a page only what it must", async (t) => {
  const { documents, embedded, close } = await startServices();
  t.teardown(close);
  for (let i = 0; i < 10; i++) await documents.create(posts, { _id: `p${i}`, n: i, big: { list: [i] } }, {});
  const { meter } = embedded;
  const parsed = async (read: () => Promise<unknown>) => {
    const before = meter.parsed;
    await read();
    return meter.parsed - before;
  };
  t.equal(await parsed(() => documents.get(posts, "p1", {})), 0);
  t.equal(await parsed(() => documents.find(posts, {})), 0);
  t.equal(await parsed(() => documents.get(posts, "p1", { select: "n" })), 1);
  t.ok((await parsed(() => documents.find(posts, { limit: 5 }))) <= 1, "one more for the cursor");
});

t.test("pages put together are the whole sort, and a cursor serves its own question only", async (t) => {
  const { documents, close } = await startServices();
  t.teardown(close);
  const values = [3, "b", null, [], [2, 9], 3, "a", true, { a: 1 }, undefined, { $date: 5 }];
  for (const [i, n] of values.entries())
    await documents.create(posts, { _id: `p${i}`, ...(n === undefined ? {} : { n }) }, {});
  for (const sort of ["n", "-n", ["-n", "_id"]]) {
    const whole = ids(await documents.find(posts, { sort }));
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await documents.find(posts, { sort, limit: 2, ...(after === undefined ? {} : { after }) });
      seen.push(...ids(page));
      after = page.next;
    } while (after !== undefined);
    t.same(seen, whole);
    t.equal(seen.length, values.length);
  }
  const { next = "" } = await documents.find(posts, { sort: "n", limit: 2 });
  const changed = (at: number) => `${next.slice(0, at)}${next[at] === "A" ? "B" : "A"}${next.slice(at + 1)}`;
  const [payload = "", mac = ""] = next.split(".");
  const foreign: unknown[] = [
    "",
    "x",
    null,
    1,
    payload,
    `.${mac}`,
    `${payload}.${mac}=`,
    `${next} `,
    "é".repeat(40),
    "x".repeat(1e6),
  ];
  for (let i = 0; i < next.length; i += 5) foreign.push(changed(i));
  for (const after of foreign)
    await t.rejects(documents.find(posts, { sort: "n", after }), { code: "cursor_mismatch" });
  await t.rejects(documents.find(posts, { sort: "-n", after: next }), { code: "cursor_mismatch" });
  await t.rejects(documents.find(posts, { sort: "n", after: next, filter: { a: 1 } }), { code: "cursor_mismatch" });
  await t.rejects(documents.find(scopeOf("other"), { sort: "n", after: next }), { code: "cursor_mismatch" });
  t.equal(
    (await documents.find(posts, { sort: "n", after: next, limit: 7, select: [] })).documents.length,
    7,
    "a size is no part",
  );
  t.equal((await documents.find(posts, { limit: 11 })).next, undefined, "no next without more rows");
});

t.test("a cursor outlives a rotation of the secret, and not the secret's end", async (t) => {
  const first = await startServices({ secrets: ["a".repeat(32)] });
  t.teardown(first.close);
  for (let i = 0; i < 3; i++) await first.documents.create(posts, {}, {});
  const { next } = await first.documents.find(posts, { limit: 1 });
  const question = { collection: "posts", filter: TRUE, sort: parseSort(undefined, "sort", new Faults()) };
  t.equal(createCursors(["b".repeat(32), "a".repeat(32)]).read(question, next).length, 1);
  t.throws(() => createCursors(["b".repeat(32)]).read(question, next), { code: "cursor_mismatch" });
});

t.test("every fault of every part is told at once", async (t) => {
  const { documents, close } = await startServices();
  t.teardown(close);
  const request = {
    filter: { a: { $gte: null }, $x: 1 },
    sort: ["a.0", "_id", "b"],
    limit: "10",
    select: ["a..b"],
    expand: ["x"],
  };
  const error = await documents.find(posts, request).catch((error: unknown) => error);
  const paths = (error as { details: { faults: { path: string }[] } }).details.faults.map(
    ({ path }) => path.split(".")[0],
  );
  t.same([...new Set(paths)].sort(), ["expand", "filter", "limit", "select", "sort"]);
  await t.rejects(documents.find(posts, { filter: null }), { code: "invalid_argument" });
  await t.rejects(documents.count(posts, { filter: { $x: 1 }, cap: 0 }), {
    code: "invalid_argument",
    details: { faults: { length: 2 } },
  });
  await t.rejects(documents.distinct(posts, { filter: { $x: 1 } }), {
    code: "invalid_argument",
    details: { faults: { length: 2 } },
  });
  await t.rejects(documents.aggregate(posts, { filter: { $x: 1 }, group: ["a", "b", "c", "d", "e"] }), {
    code: "invalid_argument",
  });
  for (const limit of [-1, 0, 1.5, 1e9, "10", null, 1001]) {
    await t.rejects(
      documents.find(posts, { limit }),
      { code: "invalid_argument", details: { faults: [{ path: "limit" }] } },
      String(limit),
    );
  }
});

t.test("a literal that could match nothing is refused, where schema or server say so", async (t) => {
  const { documents, collections, close } = await startServices();
  t.teardown(close);
  const schema = {
    type: "object",
    properties: {
      due: { date: true },
      n: { type: "integer" },
      long: { int64: true },
      tags: { type: "array", items: { type: "string" } },
      lines: {
        type: "array",
        items: { type: "object", properties: { price: { type: "number" }, at: { date: true } } },
      },
      any: {},
      maybe: { anyOf: [{ date: true }, { type: "null" }] },
      kind: { enum: ["a", "b"] },
    },
  };
  await collections.create(adminScope(), { name: "posts", schema });
  const rows: [object, string | undefined][] = [
    [{ _createdAt: { $gt: "2026-01-01" } }, "filter._createdAt.$gt"],
    [{ _id: 5 }, "filter._id"],
    [{ $or: [{ n: 1 }, { due: { $not: { $lt: "x" } } }] }, "filter.due.$lt"],
    [{ n: { $in: [1, "2"] } }, "filter.n.$in"],
    [{ n: { $startsWith: "1" } }, "filter.n"],
    [{ kind: { $mod: [2, 0] } }, "filter.kind.$mod"],
    [{ tags: 5 }, "filter.tags"],
    [{ tags: { $elemMatch: { $gt: 5 } } }, "filter.tags.$gt"],
    [{ "lines.price": "5" }, "filter.lines.price"],
    [{ lines: { $elemMatch: { at: "2026" } } }, "filter.lines.at"],
    [{ maybe: "2026" }, "filter.maybe"],
    [
      { maybe: null, due: null, tags: ["a"], n: { $numberLong: "5" }, long: 5, kind: "zzz", any: "x", unknown: 1 },
      undefined,
    ],
    [
      { "tags.0": 5, "lines.0.price": "x", tags: { $size: 1 }, due: { $type: "string" }, n: { $exists: true } },
      undefined,
    ],
  ];
  for (const [filter, path] of rows) {
    const read = documents.count(posts, { filter });
    if (path === undefined) await t.resolves(read, JSON.stringify(filter));
    else
      await t.rejects(read, { code: "invalid_argument", details: { faults: [{ path, code: "bad_operand" }] } }, path);
  }
});

t.test("select shows parts; what is brought by expand obeys the target's own rule", async (t) => {
  const { documents, collections, close } = await startServices();
  t.teardown(close);
  const ref = { type: "string", ref: "users" };
  const schema = {
    type: "object",
    properties: { author: ref, team: { type: "array", items: ref }, plan: { type: "string" } },
  };
  await collections.create(adminScope(), { name: "posts", schema });
  for (const id of ["u1", "u2", "u3"]) await documents.create(scopeOf("users"), { _id: id, name: id }, {});
  await documents.create(posts, { _id: "p1", author: "u1", team: ["u2", "gone", "u1"], plan: "x" }, {});
  await documents.create(posts, { _id: "p2", author: "u1", team: [] }, {});

  const found = await documents.get(posts, "p1", { select: ["plan"], expand: ["author", "team"] });
  t.same(Object.keys(JSON.parse(found?.text ?? "")), ["_id", "_v", "plan"]);
  t.same(
    Object.keys(JSON.parse(found?.expansion?.included ?? "").users),
    ["u1", "u2"],
    "each once, what is gone left out",
  );
  const page = await documents.find(posts, { expand: "author" });
  t.same(Object.keys(JSON.parse(page.expansion?.included ?? "").users), ["u1"]);
  await t.rejects(documents.find(posts, { expand: "plan" }), {
    code: "invalid_argument",
    details: { faults: [{ path: "expand.plan", code: "bad_path" }] },
  });
  const reader = CLOSED.scope(keyPrincipal(["documents:posts:*"]), "posts");
  t.equal((await documents.find(reader, { expand: "author" })).expansion?.included, '{"users":{}}', "hidden is absent");
  t.equal(await documents.get(posts, "none", { expand: "author" }), undefined);
  const shape = async (select: unknown, plain = false) => (await documents.get(posts, "p1", { select, plain }))?.shape;
  t.equal(await shape(["a", "b"]), await shape("b,a"));
  t.equal(
    new Set([await shape(undefined), await shape(undefined, true), await shape("a"), await shape("a", true)]).size,
    4,
  );
});

t.test("plain types come and go without tags", async (t) => {
  const { documents, collections, close } = await startServices();
  t.teardown(close);
  const schema = {
    type: "object",
    properties: {
      due: { date: true },
      long: { int64: true },
      blob: { binary: true },
      text: { type: "string" },
      log: { type: "array", items: { type: "object", properties: { at: { date: true } } } },
      times: { type: "array", items: { date: true } },
      grid: { type: "array", items: { type: "array", items: { date: true } } },
    },
  };
  await collections.create(adminScope(), { name: "posts", schema });
  const iso = "2026-01-31T10:00:00.000Z";
  const plain = {
    due: "2026-01-31T11:00:00+01:00",
    long: "9007199254740993",
    blob: "AQI=",
    text: iso,
    log: [{ at: iso }],
    times: [iso],
  };
  const made = await documents.create(posts, { _id: "p1", ...plain }, { plain: true });
  const shown = { ...plain, due: iso };
  t.match(JSON.parse(made.text), shown);
  t.match(JSON.parse((await documents.get(posts, "p1", {}))?.text ?? ""), {
    due: { $date: iso },
    text: iso,
    long: { $numberLong: "9007199254740993" },
  });
  await documents.set(posts, "p1", JSON.parse(made.text), { plain: true });
  t.equal((await documents.get(posts, "p1", {}))?.version, made.version, "put back as read, it is the same");
  const filters = [
    { due: iso, long: "9007199254740993", blob: "AQI=" },
    { due: { $gte: iso, $in: [iso] }, _createdAt: { $gt: "2020-01-01T00:00:00Z" } },
    { times: iso, "log.at": { $not: { $gt: iso } }, $or: [{ log: { $elemMatch: { at: iso } } }, { text: 1 }] },
    { times: { $elemMatch: { $lte: iso } }, text: iso },
  ];
  const { $or: _, ...third } = filters[2] ?? {};
  for (const filter of [filters[0], filters[1], third, filters[3]]) {
    t.equal((await documents.count(posts, { filter, plain: true })).count, 1, JSON.stringify(filter));
  }
  const update = {
    $set: { due: "2027-01-01T00:00:00Z" },
    $inc: { long: "1" },
    $push: { times: { $each: [iso] }, log: { at: iso } },
  };
  t.match(JSON.parse((await documents.update(posts, "p1", update, { plain: true })).text), {
    long: "9007199254740994",
    times: [iso, iso],
  });
  const later = "2026-06-01T00:00:00.000Z";
  const rows: [object, object][] = [
    [
      { "times.0": later, "log.1.at": later },
      { times: [later, iso], log: [{ at: iso }, { at: later }] },
    ],
    [
      { $set: { "times.$[]": later }, $max: { "log.$[].at": later } },
      { times: [later, later], log: [{ at: later }, { at: later }] },
    ],
    [{ $pull: { log: { at: { $gt: later } } } }, { log: [{ at: later }, { at: later }] }],
    [{ $push: { log: { at: iso } }, $pull: { times: { $gt: later } } }, { times: [later, later] }],
    [{ $min: { "times.$[t]": iso }, $arrayFilters: { t: { $gte: later } } }, { times: [iso, iso] }],
    [
      { $set: { "log.$[l].at": later }, $arrayFilters: { l: { $or: [{ at: iso }] } } },
      { log: Array(3).fill({ at: later }) },
    ],
    [{ $pull: { log: { at: later }, times: iso } }, { log: [], times: [] }],
    [{ times: [iso, later], log: [{ at: iso }] }, { times: [iso, later] }],
    [{ $pullAll: { times: [later] }, $set: { grid: [[later]] } }, { times: [iso] }],
    [{ "grid.0.0": iso }, { grid: [[iso]] }],
  ];
  for (const [change, left] of rows) {
    const { text } = await documents.update(posts, "p1", change, { plain: true });
    t.match(JSON.parse(text), left, JSON.stringify(change));
  }
  let deepest: object = { due: { $gt: later } };
  for (let depth = 0; depth < 8; depth++) deepest = { $and: [deepest] };
  for (const filter of [
    { "times.0": iso, "log.0.at": iso },
    { log: { $elemMatch: { $nor: [{ at: later }] } } },
    { log: { $all: [{ $elemMatch: { at: iso } }] } },
    { times: [iso], grid: [[iso]] },
    { times: { $in: [[later], [iso]] }, "grid.0": { $nin: [later] } },
    deepest,
  ]) {
    t.equal((await documents.count(posts, { filter, plain: true })).count, 1, JSON.stringify(filter));
  }
  t.equal(
    (await documents.count(posts, { filter: { log: { $elemMatch: { $nor: [{ at: iso }] } } }, plain: true })).count,
    0,
  );
  t.equal((await documents.distinct(posts, { path: "due", plain: true })).values, '["2027-01-01T00:00:00.000Z"]');
  const grouped = await documents.aggregate(posts, { group: ["long"], out: { last: { max: "due" } }, plain: true });
  t.equal(grouped.groups, '[{"key":[9007199254740994],"out":{"last":"2027-01-01T00:00:00.000Z"}}]');
  const page = await documents
    .find(posts, { filter: { due: "tomorrow" }, plain: true })
    .catch((error: unknown) => error);
  t.match(page, { details: { faults: [{ path: "filter.due", code: "bad_operand" }] } });
});

t.test("a reply has a size, and says what to do when it is over", async (t) => {
  const { documents, close } = await startServices();
  t.teardown(close);
  for (let i = 0; i < 9; i++) await documents.create(posts, { _id: `p${i}`, big: "x".repeat(1_000_000), n: i }, {});
  await t.rejects(documents.find(posts, {}), { code: "payload_too_large", message: /lower the limit/ });
  t.equal((await documents.find(posts, { limit: 8 })).documents.length, 8);
  t.equal((await documents.find(posts, { select: "n" })).documents.length, 9);
});

t.test("expensive queries are told of once an hour; development mode declares the index", async (t) => {
  const { documents, collections, definitions, lines, time, close } = await startServices({ development: true });
  t.teardown(close);
  async function* rows() {
    yield Buffer.from(Array.from({ length: 1200 }, (_, i) => JSON.stringify({ _id: `p${i}`, n: i % 7 })).join("\n"));
  }
  for await (const verdict of collections.import(adminScope(), "posts", rows(), false)) t.match(verdict, /created/);
  const ask = () => documents.find(posts, { filter: { n: 3 }, sort: "-_createdAt", limit: 1 });
  const told = () => lines.filter(({ message }) => message === "a query evaluates many documents").length;
  const first = await ask();
  t.same(first.advice?.index.paths[0], "n");
  t.equal(told(), 1);
  while ((definitions.get("posts")?.indexes.length ?? 0) === 0) await new Promise((resolve) => setImmediate(resolve));
  t.same(definitions.get("posts")?.indexes, [first.advice?.index]);
  await documents.count(posts, { filter: { "x.y": { $gt: 1 } } });
  await documents.count(posts, { filter: { "x.y": { $gt: 2 } } });
  t.equal(told(), 2, "one shape, one line");
  time.now += 60 * 60 * 1000;
  await documents.count(posts, { filter: { "x.y": { $gt: 3 } } });
  t.equal(told(), 3);
});

t.test("everyone but keys with the scope gets nothing", async (t) => {
  const { documents, close } = await startServices();
  t.teardown(close);
  await documents.create(posts, { _id: "p1" }, {});
  const anonymous = CLOSED.scope({ kind: "anonymous", address: "192.0.2.1" }, "posts");
  await t.rejects(documents.get(anonymous, "p1", {}), { code: "permission_denied" });
  await t.rejects(documents.find(anonymous, {}), { code: "permission_denied" });
  const getter = scopeOf("posts", ["documents:posts:get"]);
  t.ok(await documents.get(getter, "p1", {}));
  for (const read of [
    documents.find(getter, {}),
    documents.count(getter, {}),
    documents.distinct(getter, { path: "a" }),
    documents.aggregate(getter, { out: {} }),
  ]) {
    await t.rejects<unknown>(read, { code: "permission_denied", details: { scope: "documents:posts:list" } });
  }
});
