import { ApiError, createClient, type ErrorCode } from "@galley/sdk";
import t, { type Test } from "tap";
import { cut, fail, reply, type Script, startScriptedServer } from "../support/scripted-server.ts";

const STORED = { _id: "a", _v: 1, _createdAt: { $date: 0 }, _updatedAt: { $date: 0 }, n: 1 };

async function play(t: Test, script: Script, timeout?: number) {
  const server = await startScriptedServer(script);
  const db = createClient({ url: server.url, serviceKey: "gsk_x", ...(timeout && { timeout }) });
  t.teardown(async () => {
    db.close();
    await server.close();
  });
  return { server, db, todos: db.collection("todos") };
}

async function errorOf(promise: Promise<unknown>): Promise<ApiError> {
  const thrown: unknown = await promise.then(
    () => undefined,
    (error) => error,
  );
  if (!ApiError.is(thrown)) throw new Error("expects an ApiError", { cause: thrown });
  return thrown;
}

t.test("what may help is tried again with the same key and body", async (t) => {
  const { server, todos } = await play(t, (response, _, n) => {
    if (n === 0) cut(response);
    else if (n === 1) fail(response, 503, "draining", { details: { outcome: "not_applied" } });
    else if (n === 2) fail(response, 409, "contention");
    else reply(response, 200, STORED);
  });
  t.match(await todos.update("a", { n: 1 }), { n: 1, _createdAt: new Date(0) });
  t.equal(server.seen.length, 4);
  for (const name of ["method", "url", "body"] as const) t.equal(new Set(server.seen.map((one) => one[name])).size, 1);
  const keys = new Set(server.seen.map(({ headers }) => headers["idempotency-key"]));
  t.equal(keys.size, 1);
  t.match([...keys][0], /^[0-9a-v]{26}$/);
});

t.test("there are at most three retries, and the last error is told", async (t) => {
  const { server, todos } = await play(t, (response) => fail(response, 503, "unavailable"));
  const error = await errorOf(todos.get("a"));
  t.match(error, { code: "unavailable", status: 503, retryable: true, requestId: "r-1", outcome: undefined });
  t.equal(server.seen.length, 4);
});

t.test("what cannot help is not tried again", async (t) => {
  const codes: [number, ErrorCode][] = [
    [400, "invalid_argument"],
    [401, "unauthenticated"],
    [403, "permission_denied"],
    [409, "already_exists"],
    [412, "version_conflict"],
    [422, "schema_violation"],
    [500, "internal"],
    [507, "storage_full"],
  ];
  const { server, todos } = await play(t, (response, _, n) => {
    const [status, code] = codes[n] ?? [500, "internal"];
    fail(response, status, code);
  });
  for (const [status, code] of codes) t.match(await errorOf(todos.set("a", {})), { code, status });
  t.equal(server.seen.length, codes.length);
});

t.test("Retry-After is obeyed, in seconds and as a date", async (t) => {
  const { server, todos } = await play(t, (response, _, n) => {
    const at = new Date(Date.now() + 2000).toUTCString();
    if (n === 0) fail(response, 429, "rate_limited", { headers: { "retry-after": "1" } });
    else if (n === 1) fail(response, 503, "draining", { headers: { "retry-after": at } });
    else reply(response, 200, { count: 1, more: false });
  });
  t.strictSame(await todos.find().count(), { count: 1, more: false });
  const [a = 0, b = 0, c = 0] = server.seen.map(({ at }) => at);
  t.ok(b - a >= 990, `${b - a} ms`);
  t.ok(c - b >= 900, `${c - b} ms: a date has whole seconds`);
});

t.test("a wait that does not fit into the timeout is not begun", async (t) => {
  const { server, todos } = await play(
    t,
    (response) => fail(response, 429, "rate_limited", { headers: { "retry-after": "60" } }),
    5000,
  );
  const started = performance.now();
  t.match(await errorOf(todos.update("a", {})), {
    code: "rate_limited",
    details: { retryAfter: 60 },
    outcome: "not_applied",
  });
  t.ok(performance.now() - started < 2000);
  t.equal(server.seen.length, 1);
});

t.test("timeout ends a request that is not answered, with all its retries", async (t) => {
  const { server, todos } = await play(t, () => {}, 300);
  const started = performance.now();
  const error = await errorOf(todos.update("a", {}));
  t.match(error, { code: "network", status: 0, outcome: "unknown", message: "no answer within 300 ms" });
  t.ok(performance.now() - started < 2000);
  t.equal(server.seen.length, 1);
  const half = await play(t, (response) => response.writeHead(200, { "content-length": "10" }).write("{"), 300);
  t.match(await errorOf(half.todos.get("a")), { code: "network" }, "a body that stays away counts too");
});

t.test("a timeout or an abort also ends a fetch that takes no notice of its signal", async (t) => {
  const db = createClient({ url: "http://127.0.0.1:1", fetch: () => new Promise(() => {}), timeout: 100 });
  t.match(await errorOf(db.collection("todos").get("a")), { code: "network" });
  const signal = AbortSignal.timeout(20);
  t.match(await errorOf(db.collection("todos").get("a", { signal })), { code: "aborted" });
});

t.test(
  "an abort ends a request at once, also one that waits for its retry, and nothing is sent after it",
  async (t) => {
    const abort = new AbortController();
    const { server, todos } = await play(t, (response, _, n) => {
      if (n === 0)
        return fail(response, 503, "draining", {
          headers: { "retry-after": "9" },
          details: { outcome: "not_applied" },
        });
      abort.abort("enough");
    });
    const waiting = errorOf(todos.update("a", {}, { signal: abort.signal }));
    const running = errorOf(todos.update("b", {}, { signal: abort.signal }));
    t.match(await waiting, { code: "aborted", status: 0, cause: "enough", outcome: "not_applied", retryable: false });
    t.match(await running, { code: "aborted", cause: "enough", outcome: "unknown" });
    t.match(await errorOf(todos.create({}, { signal: abort.signal })), { code: "aborted", outcome: "not_applied" });
    t.match(await errorOf(todos.find({}, { signal: abort.signal }).first()), { code: "aborted", outcome: undefined });
    t.equal(server.seen.length, 2);
  },
);

t.test("close ends all requests of the client and every later one", async (t) => {
  const { server, db, todos } = await play(t, () => db.close());
  t.match(await errorOf(todos.get("a")), { code: "aborted", cause: { message: "the client was closed" } });
  t.match(await errorOf(todos.get("a")), { code: "aborted" });
  t.equal(server.seen.length, 1);
});

t.test("a failed write says whether it was applied, and not_applied only on proof", async (t) => {
  const plays: [name: string, outcome: string, script: Script][] = [
    ["a refusal", "not_applied", (response) => fail(response, 422, "schema_violation")],
    [
      "the server's word",
      "not_applied",
      (response) => fail(response, 507, "storage_full", { details: { outcome: "not_applied" } }),
    ],
    [
      "the server does not know",
      "unknown",
      (response) => fail(response, 500, "internal", { details: { outcome: "unknown" } }),
    ],
    ["no word", "unknown", (response) => fail(response, 500, "internal")],
    ["no answer", "unknown", (response) => cut(response)],
    [
      "doubt, then a refusal",
      "unknown",
      (response, _, n) => (n === 0 ? cut(response) : fail(response, 409, "unique_violation")),
    ],
  ];
  for (const [name, outcome, script] of plays) {
    const { todos } = await play(t, script);
    t.equal((await errorOf(todos.delete("a"))).outcome, outcome, name);
  }
});

t.test("a create is settled by its id: a retry that meets it reads it", async (t) => {
  const { server, todos } = await play(t, (response, { method, body }, n) => {
    if (n === 0) cut(response);
    else if (method === "POST") fail(response, 409, "already_exists");
    else reply(response, 200, { ...STORED, ...JSON.parse(server.seen[0]?.body ?? body) });
  });
  const made = await todos.create({ title: "x" });
  const id = JSON.parse(server.seen[0]?.body ?? "{}")._id;
  t.match(made, { _id: id, title: "x" });
  t.match(id, /^[0-9a-v]{26}$/);
  t.strictSame(server.seen.map(({ method, url }) => `${method} ${url}`).slice(1), [
    "POST /v1/documents/todos",
    `GET /v1/documents/todos/${id}`,
  ]);
  t.equal(server.seen[0]?.headers["idempotency-key"], undefined);
});

t.test("a create whose document was deleted between its tries is made again", async (t) => {
  const { server, todos } = await play(t, (response, { method }, n) => {
    if (n === 0) cut(response);
    else if (method === "GET") fail(response, 404, "not_found");
    else if (n === 1) fail(response, 409, "already_exists");
    else reply(response, 201, STORED);
  });
  t.match(await todos.create({}), { n: 1 });
  t.strictSame(
    server.seen.map(({ method }) => method),
    ["POST", "POST", "GET", "POST"],
  );
});

t.test("a create whose maker may not read it is done, though the answer to its first try was lost", async (t) => {
  const answers: [number, ErrorCode][] = [
    [403, "permission_denied"],
    [404, "not_found"],
  ];
  for (const [status, code] of answers) {
    const { server, todos } = await play(t, (response, { method }, n) => {
      if (n === 0) cut(response);
      else if (method === "GET") fail(response, status, code);
      else fail(response, 409, "already_exists");
    });
    const made = await todos.create({ title: "x" });
    t.strictSame(made, { _id: JSON.parse(server.seen[0]?.body ?? "{}")._id }, code);
  }
});

t.test("who answers 200 and nothing more has neither written nor read", async (t) => {
  const { db, todos } = await play(t, (response) => response.writeHead(200).end(), 100);
  const writes = [
    () => todos.update("a", { n: 1 }),
    () => todos.create({}),
    () => todos.delete("a"),
    () => db.batch((b) => b.collection("todos").delete("a")),
  ];
  for (const write of writes) t.match(await errorOf(write()), { code: "network", outcome: "unknown" });
  const reads = [todos.get("a"), todos.find(), todos.find().first(), todos.find().count()];
  for (const read of reads) t.match(await errorOf(read.then()), { code: "network" });
});

t.test("already_exists is the caller's answer for an id of its own, and for a first try", async (t) => {
  const { server, todos } = await play(t, (response) => fail(response, 409, "already_exists"));
  t.match(await errorOf(todos.create({ _id: "mine" })), { code: "already_exists", outcome: "not_applied" });
  t.match(await errorOf(todos.create({})), { code: "already_exists" });
  t.strictSame(
    server.seen.map(({ headers }) => typeof headers["idempotency-key"]),
    ["string", "undefined"],
  );
});

t.test("your own idempotency key is sent as it is, and false sends none", async (t) => {
  const { server, db, todos } = await play(t, (response, { method, url }) => {
    if (url === "/v1/batch") reply(response, 200, { results: [], position: "h.1" });
    else reply(response, method === "DELETE" ? 204 : 200, method === "DELETE" ? undefined : STORED);
  });
  await todos.create({}, { idempotencyKey: "order-7" });
  await todos.update("a", {}, { idempotencyKey: "order 7 é" });
  await todos.set("a", {}, { idempotencyKey: false });
  await todos.delete("a");
  await db.batch((b) => b.collection("todos").delete("a"), { idempotencyKey: "k" });
  const keys = server.seen.map(({ headers }) => headers["idempotency-key"]);
  t.strictSame([keys[0], keys[1], keys[2], keys[4]], ["order-7", "order%207%20%C3%A9", undefined, "k"]);
  t.match(keys[3], /^[0-9a-v]{26}$/);
});

t.test("what answers in Galley's place is never taken for a fact", async (t) => {
  const answers: [status: number, body: string, code: ErrorCode, retryable: boolean][] = [
    [404, "<h1>Not Found</h1>", "internal", false],
    [404, '{"error":"not found"}', "internal", false],
    [301, "", "internal", false],
    [413, "too large", "internal", false],
    [429, "slow down", "rate_limited", true],
    [502, "Bad Gateway", "unavailable", true],
    [200, "<h1>Log in to the hotel's network</h1>", "network", true],
  ];
  for (const [status, body, code, retryable] of answers) {
    const { todos } = await play(
      t,
      (response) => response.writeHead(status, { location: "/elsewhere" }).end(body),
      1000,
    );
    t.match(await errorOf(todos.get("a")), { code, retryable }, `${status}`);
  }
});
