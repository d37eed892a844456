import { runInNewContext } from "node:vm";
import { ApiError, createClient } from "@galley/sdk";
import t, { type Test } from "tap";
import { ERRORS } from "#protocol/errors";
import { newId } from "#protocol/id";
import { ApiError as Source } from "../../sdk/error.ts";
import { makeId } from "../../sdk/write-key.ts";
import { fail, reply, type Script, startScriptedServer } from "../support/scripted-server.ts";

const STORED = { _id: "a", _v: 1, _createdAt: { $date: 0 }, _updatedAt: { $date: 0 } };

async function play(t: Test, script: Script) {
  const server = await startScriptedServer(script);
  const db = createClient({ url: server.url, serviceKey: "gsk_x" });
  t.teardown(async () => {
    db.close();
    await server.close();
  });
  return { server, db, todos: db.collection("todos") };
}

const page = (documents: unknown[] = [], next?: string) => ({ documents, position: "h.1", ...(next && { next }) });

t.test("a question is a frozen value that sends nothing until it is awaited, and asks anew each time", async (t) => {
  const { server, todos } = await play(t, (response) => reply(response, 200, page([STORED])));
  const filter = { tags: ["x"] };
  const options = { sort: ["-n"], limit: 5 };
  const query = todos.find(filter, options);
  const questions = [
    query,
    query.first(),
    query.count(),
    query.distinct("n"),
    query.aggregate({ group: [], out: {} }),
    todos.get("a"),
  ];
  for (const question of questions) t.ok(Object.isFrozen(question));
  t.equal(server.seen.length, 0);
  filter.tags.push("y");
  options.sort.length = 0;
  await query;
  await query;
  t.equal(server.seen.length, 2);
  t.equal(decodeURIComponent(server.seen[0]?.url ?? ""), '/v1/documents/todos?filter={"tags":["x"]}&sort=-n&limit=5');
  t.equal(await query.then((found) => found.length), 1);
  t.strictSame(await query.finally(() => {}), await query.catch(() => []));
  t.equal(Object.prototype.toString.call(query), "[object Question]");
  t.notOk(query instanceof Promise);
});

t.test("questions written alike have equal keys, others different ones", async (t) => {
  const { todos, db } = await play(t, () => {});
  const key = () => todos.find({ a: new Date(0), b: 1n }, { sort: "-n", limit: 5 }).key;
  t.equal(key(), key());
  t.equal(
    key(),
    '["find","todos",{"a":{"$date":"1970-01-01T00:00:00.000Z"},"b":{"$numberLong":"1"}},{"sort":"-n","limit":5}]',
  );
  const { signal } = new AbortController();
  t.equal(todos.find({}, { signal }).key, todos.find().key, "a signal is no part of it");
  const query = todos.find({ a: 1 });
  const keys = [
    query.key,
    query.first().key,
    query.count().key,
    query.count({ cap: 5 }).key,
    query.distinct("a").key,
    query.aggregate({ group: ["a"], out: {} }).key,
    todos.find({ a: 1n }).key,
    todos.find({ a: "1" }).key,
    todos.find({ a: 1 }, { select: ["a"] }).key,
    db.collection("other").find({ a: 1 }).key,
    todos.get("a").key,
    todos.get("b").key,
    todos.get("a", { select: ["x"] }).key,
  ];
  t.equal(new Set(keys).size, keys.length);
  for (const one of keys) t.doesNotThrow(() => JSON.parse(one));
});

t.test("short questions are asked by GET, long ones and names with commas by a body", async (t) => {
  const { server, todos } = await play(t, (response) => reply(response, 200, page()));
  await todos.find({ "a.b": { $in: ["ä", "&=+#%?"] } }, { select: ["x", "y.z"], after: "c+/=" });
  await todos.find({ text: "x".repeat(2000) }, { limit: 3 });
  await todos.find({}, { select: ["a,b"] });
  await todos.find();
  await todos.find({}, { select: [] });
  await todos.find({}, { select: "title" as never, sort: null as never });
  const [short, long, comma, bare, nothing, untyped] = server.seen;
  t.equal(short?.method, "GET");
  const { searchParams } = new URL(short?.url ?? "", server.url);
  t.strictSame(Object.fromEntries(searchParams), {
    filter: '{"a.b":{"$in":["ä","&=+#%?"]}}',
    after: "c+/=",
    select: "x,y.z",
  });
  t.equal(`${long?.method} ${long?.url}`, "POST /v1/documents/todos/query");
  t.strictSame(JSON.parse(long?.body ?? ""), { filter: { text: "x".repeat(2000) }, limit: 3 });
  t.strictSame(JSON.parse(comma?.body ?? ""), { filter: {}, select: ["a,b"] });
  t.equal(bare?.url, "/v1/documents/todos");
  t.equal(nothing?.url, "/v1/documents/todos?select=_id", "selecting nothing leaves what always comes");
  t.strictSame(JSON.parse(untyped?.body ?? ""), { filter: {}, select: ["title"], sort: null }, "no list of letters");
  t.equal(short?.headers["content-type"], undefined);
  t.equal(long?.headers["content-type"], "application/json");
  t.equal(short?.headers.authorization, "Bearer gsk_x");
});

t.test("no part of a URL can become another part", async (t) => {
  const { server, todos, db } = await play(t, (response) => reply(response, 200, STORED));
  for (const id of ["a/b", "../x", "a?b=c", "a#b", "%2e%2e", "ü", "a b", "..."]) await todos.get(id);
  t.strictSame(
    server.seen.map(({ url }) => decodeURIComponent(url.split("/")[4] ?? "")),
    ["a/b", "../x", "a?b=c", "a#b", "%2e%2e", "ü", "a b", "..."],
  );
  for (const id of ["", ".", "..", "\ud800"])
    t.throws(() => todos.get(id), { code: "invalid_argument", details: { faults: [{ path: "id" }] } });
  for (const name of ["", ".", ".."]) t.throws(() => db.collection(name), { code: "invalid_argument" });
  for (const id of [undefined, null, 5, {}]) t.throws(() => todos.get(id as never), { message: /^id: expects a / });
  t.equal(server.seen.length, 8);
});

t.test("what cannot be sent is refused at once with its path, and no request is made", async (t) => {
  const { server, todos, db } = await play(t, () => {});
  const cyclic: Record<string, unknown> = {};
  cyclic.a = { b: cyclic };
  let deep: unknown = 1;
  for (let i = 0; i < 10_000; i++) deep = [deep];
  const cases: [value: unknown, path: string, message: RegExp][] = [
    [{ f: () => 1 }, "document.f", /function/],
    [{ a: [1, { s: Symbol("x") }] }, "document.a.1.s", /symbol/],
    [{ a: [undefined] }, "document.a.0", /undefined/],
    // biome-ignore lint/suspicious/noSparseArray: that is the case
    [{ a: [1, , 2] }, "document.a.1", /undefined/],
    [{ a: Number.NaN }, "document.a", /NaN/],
    [{ a: -Infinity }, "document.a", /-Infinity/],
    [{ a: 2n ** 63n }, "document.a", /int64/],
    [{ a: -(2n ** 63n) - 1n }, "document.a", /int64/],
    [{ a: new Date(Number.NaN) }, "document.a", /date/],
    [{ a: "x\ud800y" }, "document.a", /surrogate/],
    [{ "\udc00": 1 }, "document.\udc00", /surrogate/],
    [{ a: new Map() }, "document.a", /instance of Map/],
    [{ a: /x/ }, "document.a", /instance of RegExp/],
    [{ a: new Float32Array(1) }, "document.a", /instance of Float32Array/],
    [cyclic, "document.a.b", /cycle/],
    [{ a: deep }, "document.a", /levels/],
    [[], "document", /plain object/],
    [new Date(), "document", /plain object/],
    [new (class Todo {})(), "document", /plain object/],
    [null, "document", /plain object/],
    ["text", "document", /plain object/],
  ];
  for (const [value, path, message] of cases) {
    const thrown = await todos.create(value as never).then(
      () => undefined,
      (error) => error,
    );
    t.match(thrown, { code: "invalid_argument", status: 400, outcome: "not_applied", message }, path);
    t.ok(`${thrown.details.faults[0].path}`.startsWith(path), thrown.details.faults[0].path);
  }
  t.throws(() => todos.find({ a: { $in: [1, Number.NaN] } }), { message: "filter.a.$in.1: expects a value, got NaN" });
  t.throws(() => todos.find({ owner: undefined }), { message: /filter\.owner/ }, "left out, it would find more");
  t.throws(() => todos.find({}, { limit: Number.NaN }), { message: /find\.limit/ });
  await t.rejects(todos.update("a", { $set: { a: () => 1 } }), { message: /update\.\$set\.a/ });
  await t.rejects(
    db.batch((b) => b.collection("todos").set("a", { a: Number.NaN })),
    { message: /document\.a/ },
  );
  t.equal(server.seen.length, 0);
});

t.test("values go out tagged, and undefined members are left out", async (t) => {
  const { server, todos } = await play(t, (response) => reply(response, 200, STORED));
  const big = Uint8Array.from({ length: 20_000 }, (_, i) => i % 256);
  const bare = Object.assign(Object.create(null), { x: 1 });
  const foreign = runInNewContext("({ y: [1] })");
  const value = {
    a: undefined,
    b: -0,
    c: 1e21,
    d: new Date(-1),
    e: -(2n ** 63n),
    f: Buffer.from("hi"),
    big,
    bare,
    foreign,
    g: null,
  };
  await todos.set("a", value);
  t.equal(
    server.seen[0]?.body.replace(/"big":\{"\$binary":\{"base64":"([^"]+)","subType":"00"\}\},/, (_, text) => {
      t.strictSame(new Uint8Array(Buffer.from(text, "base64")), big);
      return "";
    }),
    '{"b":0,"c":1e+21,"d":{"$date":"1969-12-31T23:59:59.999Z"},"e":{"$numberLong":"-9223372036854775808"},' +
      '"f":{"$binary":{"base64":"aGk=","subType":"00"}},"bare":{"x":1},"foreign":{"y":[1]},"g":null}',
  );
});

t.test("writes of one document leave one after another, others do not wait for them", async (t) => {
  const held: (() => void)[] = [];
  const { server, db, todos } = await play(t, (response, { url }) => {
    held.push(() => reply(response, 200, url === "/v1/batch" ? { results: [], position: "h.1" } : STORED));
  });
  const arrived = async (count: number) => {
    while (server.seen.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
    return server.seen.slice(-1)[0];
  };
  const abort = new AbortController();
  const first = todos.update("a", { n: 1 });
  const second = todos.update("a", { n: 2 });
  const stopped = todos.update("a", { n: 3 }, { signal: abort.signal });
  const batch = db.batch((b) => {
    b.collection("todos").update("a", { n: 4 });
    b.collection("todos").update("b", { n: 4 });
  });
  const last = todos.set("b", { n: 5 });
  const other = todos.set("c", {});
  await arrived(2);
  t.strictSame(server.seen.map(({ url }) => url).sort(), ["/v1/documents/todos/a", "/v1/documents/todos/c"]);
  abort.abort();
  await t.rejects(stopped, { code: "aborted", outcome: "not_applied" }, "an abort ends the waiting at once");
  for (const [count, body] of [
    [3, /"n":2/],
    [4, /operations/],
    [5, /"n":5/],
  ] as const) {
    for (const answer of held.splice(0)) answer();
    t.match((await arrived(count))?.body, body);
  }
  for (const answer of held.splice(0)) answer();
  await Promise.all([first, second, batch, last, other]);
  t.equal(server.seen.length, 5);
});

t.test("a failed write lets the next one of its document go on", async (t) => {
  const { todos } = await play(t, (response, _, n) =>
    n === 0 ? fail(response, 422, "schema_violation") : reply(response, 200, STORED),
  );
  const [bad, good] = await Promise.allSettled([todos.update("a", {}), todos.update("a", {})]);
  t.strictSame([bad.status, good.status], ["rejected", "fulfilled"]);
});

t.test("an error tells its fields to a form, whatever the form of the write", async (t) => {
  const faults = [
    { path: "document.title", code: "schema", message: "expects text" },
    { path: "update.$set.address.city", code: "schema", message: "expects a city" },
    { path: "document.__proto__", code: "bad_value", message: "no" },
  ];
  const { todos } = await play(t, (response) =>
    fail(response, 422, "schema_violation", { details: { faults, reason: "why" } }),
  );
  const error: unknown = await todos.create({}).catch((thrown) => thrown);
  if (!ApiError.is(error, "not_found", "schema_violation")) throw error;
  t.equal(error.fields.title?.message, "expects text");
  t.strictSame(Object.keys(error.fields), ["title", "address.city", "__proto__"]);
  t.equal(error.reason, "why");
  t.ok(error instanceof Error && error.name === "ApiError" && String(error) === "ApiError: schema_violation!");
  t.notOk(ApiError.is(error, "not_found"));
  t.notOk(ApiError.is(new Error("x")));
});

t.test("the error class says of every code what the table of codes says", async (t) => {
  for (const [code, { status, retryable }] of Object.entries(ERRORS)) {
    t.equal(new Source(code as keyof typeof ERRORS, "", { status }).retryable, retryable, code);
  }
  t.equal(new Source("network", "").retryable, true);
  t.equal(new Source("aborted", "").retryable, false);
});

t.test("ids are made as the language makes them", async (t) => {
  for (let i = 0; i < 1000; i++) {
    const id = makeId();
    const digits = [...id].reduce((sum, digit) => sum * 32n + BigInt(Number.parseInt(digit, 32)), 0n);
    const bits = digits >> 2n;
    const random = Uint8Array.from({ length: 10 }, (_, at) => Number((bits >> BigInt(8 * (9 - at))) & 255n));
    if (newId(Number(bits >> 80n), random) !== id) t.fail(id);
  }
});

t.test("options that could never work are refused, and a service key in a browser", async (t) => {
  for (const url of ["", "api.example.com", "ftp://x", "http://", "https://u:p@host", "https://x/?a", "https://x#a"]) {
    t.throws(() => createClient({ url }), { code: "invalid_argument", message: /^url: / }, url);
  }
  for (const timeout of [0, -1, Number.NaN, "soon" as never]) {
    t.throws(() => createClient({ url: "http://x", timeout }), { message: "timeout: expects time in ms" });
  }
  for (const name of ["document", "importScripts"]) {
    Object.defineProperty(globalThis, name, { value: {}, configurable: true });
    t.throws(() => createClient({ url: "http://x", serviceKey: "gsk_x" }), { message: /serviceKey/ }, name);
    t.doesNotThrow(() => createClient({ url: "http://x" }));
    Reflect.deleteProperty(globalThis, name);
  }
  const { server } = await play(t, (response) => reply(response, 200, STORED));
  await createClient({ url: `${server.url}/base//`, timeout: Infinity })
    .collection("todos")
    .get("a");
  t.equal(server.seen[0]?.url, "/base/v1/documents/todos/a");
  t.equal(server.seen[0]?.headers.authorization, undefined);
});
