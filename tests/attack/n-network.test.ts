/** attack-cases.md N: addresses, origins, paths, overload, logs. */
import { PassThrough } from "node:stream";
import t from "tap";
import { GalleyError } from "#protocol/errors";
import { createLog } from "../../server/log.ts";
import { startApp, TEST_KEY, type TestApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { openSocket, readToEnd, requestText, sendRaw } from "../support/raw-http.ts";
import { until } from "../support/until.ts";
import { attack } from "./doors.ts";
import { FALSE_ORIGINS, TRICK_PATHS } from "./inputs/paths.ts";

const LINGER_MS = 2000;

onEachEngine(t, async (t, engine) => {
  const logged = new PassThrough();
  const lines = () =>
    String(logged.read() ?? "")
      .split("\n")
      .filter((line) => line !== "");
  const app = await startApp({
    engine,
    mode: "production",
    env: { GALLEY_ALLOWED_ORIGINS: "https://app.example.com" },
    log: await createLog({ logLevel: "debug", logFormat: "json" }, logged),
    load: { headersMs: 300, checkMs: 50, bodyMs: 2000, lingerMs: LINGER_MS, stallMs: 200, inFlight: 40 },
  });
  t.teardown(() => app.close());
  const NOTES = "/v1/documents/notes";
  await app.send("PUT", `${NOTES}/kept`, { body: { a: 1 } });

  attack(t, app, "N01 forwarded headers of a peer that is no trusted proxy change nothing", async (t) => {
    const made = await app.send("POST", "/v1/admin/keys", {
      body: { name: "near", scopes: ["*"], networks: ["10.0.0.0/8"] },
    });
    const forged = {
      "x-forwarded-for": "10.1.2.3",
      "x-real-ip": "10.1.2.3",
      forwarded: "for=10.1.2.3;proto=https;host=evil.example",
      "x-forwarded-host": "evil.example",
      "x-forwarded-proto": "https",
      "x-client-ip": "10.1.2.3",
      host: "evil.example",
    };
    const refused = await app.send("GET", `${NOTES}/kept`, { as: made.json.secret, headers: forged });
    t.equal(refused.status, 401);
    const created = await app.send("POST", NOTES, { body: {}, headers: forged });
    t.match(created.headers.location, /^\/v1\/documents\/notes\//, "no reply names a host");
    t.notMatch(JSON.stringify(created.headers), /evil/);
  });

  attack(t, app, "N03 an origin is allowed exactly, or not at all; credentials never", async (t) => {
    for (const origin of FALSE_ORIGINS) {
      const preflight = await app.send("OPTIONS", NOTES, {
        as: null,
        headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization" },
      });
      t.equal(preflight.status, 404, origin);
      const read = await app.send("GET", "/v1/health", { as: null, headers: { origin } });
      for (const { headers } of [preflight, read]) {
        t.notOk(
          Object.keys(headers).some((name) => name.startsWith("access-control-")),
          origin,
        );
      }
    }
    const allowed = await app.send("GET", "/v1/health", { as: null, headers: { origin: "https://app.example.com" } });
    t.equal(allowed.headers["access-control-allow-origin"], "https://app.example.com");
    t.equal(allowed.headers["access-control-allow-credentials"], undefined);
    const local = await app.send("GET", "/v1/health", { as: null, headers: { origin: "http://localhost:5173" } });
    t.equal(local.headers["access-control-allow-origin"], undefined, "localhost only in development");
  });

  attack(t, app, "N07 what comes byte by byte, or not at all, is cut; others are served", async (t) => {
    const idle = await Promise.all(Array.from({ length: 500 }, () => openSocket(app.url)));
    const cut = idle.map((socket) => readToEnd(socket));
    const dripped = await openSocket(app.url);
    const drip = setInterval(() => dripped.writable && dripped.write("x"), 20);
    dripped.write("GET /v1/health HTTP/1.1\r\nhost: x\r\na: ");
    const slowHead = readToEnd(dripped);
    const body = await openSocket(app.url);
    body.write(
      requestText(
        "PUT",
        `${NOTES}/slow`,
        [`authorization: Bearer ${TEST_KEY}`, "content-type: application/json", "content-length: 1000"],
        "{",
      ),
    );
    const dripBody = setInterval(() => body.writable && body.write(" "), 20);
    const slowBody = await readToEnd(body);
    clearInterval(dripBody);
    t.strictSame(slowBody.statuses, [504], slowBody.text);
    t.match(slowBody.text, /"timeout".*"not_applied"/);
    const served = await app.send("GET", `${NOTES}/kept`);
    t.equal(served.status, 200, "others are served meanwhile");
    const { statuses } = await slowHead;
    clearInterval(drip);
    // Whoever still writes when the connection is closed may lose the answer to the reset.
    t.ok(statuses.length === 0 || statuses[0] === 504, `${statuses}`);
    await Promise.all(cut);
    t.equal((await app.send("GET", `${NOTES}/slow`)).status, 404);
  });

  attack(t, app, "N07 a stream that stands still is cut", async (t) => {
    const socket = await openSocket(app.url);
    const answer = readToEnd(socket);
    const head = [`authorization: Bearer ${TEST_KEY}`, "content-type: application/x-ndjson", "content-length: 1000"];
    socket.write(requestText("POST", "/v1/admin/collections/notes/import", head, '{"_id":"stalled"}\n{"_id":'));
    const { text } = await answer;
    t.notMatch(text, /"internal"/);
  });

  attack(t, app, "N07 a body that the program itself puts in and that stands still harms nothing", async (t) => {
    const end = performance.now() + LINGER_MS + 200;
    async function* still() {
      yield Buffer.from('{"a":');
      await until(() => performance.now() > end);
    }
    const headers = { "content-type": "application/json", authorization: "Bearer nonsense" };
    const reply = await app.app.request({ method: "POST", path: NOTES, headers, body: still() });
    t.equal(reply.status, 401);
    await until(() => performance.now() > end);
    t.equal((await app.send("GET", "/v1/health")).status, 200);
  });

  attack(t, app, "N08 bodies beyond every limit cost no memory", async (t) => {
    const head = [`authorization: Bearer ${TEST_KEY}`, "content-type: application/json"];
    const before = process.memoryUsage().rss;
    const socket = await openSocket(app.url);
    const answer = readToEnd(socket);
    socket.write(requestText("POST", NOTES, [...head, "transfer-encoding: chunked"]));
    const chunk = Buffer.concat([Buffer.from("100000\r\n"), Buffer.alloc(0x100000, 0x20), Buffer.from("\r\n")]);
    let sent = 0;
    while (sent < 1024 && socket.writable) {
      sent++;
      if (!socket.write(chunk)) await Promise.race([new Promise((r) => socket.once("drain", r)), answer]);
    }
    socket.destroy();
    t.strictSame((await answer).statuses, [413], `after ${sent} MiB`);
    t.ok(process.memoryUsage().rss - before < 200 * 2 ** 20, "memory is bounded");

    let keys = "";
    for (let n = 0; keys.length < 9_000_000; n++) keys += `"k${n}":1,`;
    for (const [path, body] of [
      [NOTES, `{${keys}"z":1}`],
      [`${NOTES}/query`, `{${keys}"z":1}`],
      [`${NOTES}/query`, `{"filter":{${keys}"z":1}}`],
      ["/v1/batch", `{"operations":[{${keys}"op":"set"}]}`],
      ["/v1/admin/collections", `{${keys}"name":"x"}`],
      ["/v1/admin/keys", `{${keys}"name":"x"}`],
    ] as const) {
      const { status, text } = await app.send("POST", path, { body });
      t.ok(status === 400 || status === 413, `${path}: ${status}`);
      t.ok(text.length < 200_000, `${path}: the answer is short`);
    }
    const bomb = await app.send("POST", NOTES, {
      body: Buffer.from([0x1f, 0x8b, 8]),
      headers: { "content-encoding": "gzip" },
    });
    t.equal(bomb.status, 415);
  });

  attack(t, app, "N09 guard and router judge one path", async (t) => {
    for (const path of TRICK_PATHS) {
      for (const as of [TEST_KEY, null]) {
        for (const method of ["GET", "PUT", "DELETE"]) {
          const head = [...(as === null ? [] : [`authorization: Bearer ${as}`])];
          if (method === "PUT") head.push("content-type: application/json", "content-length: 2");
          const { statuses, text } = await sendRaw(
            app.url,
            requestText(method, path, head, method === "PUT" ? "{}" : ""),
          );
          // A path that names a collection or key in some other spelling is 401 or 403 to nobody, like any other.
          const fine = [400, 404, ...(as === null ? [401, 403] : [])];
          t.ok(statuses.length === 1 && fine.includes(statuses[0] ?? 0), `${method} ${path}: ${statuses}`);
          t.notMatch(text, /X-Injected: 1|"keys":|root:/, path);
        }
      }
    }
    t.equal((await app.send("GET", `${NOTES}/kept`)).json.a, 1);
  });

  attack(t, app, "N10 whatever a store says stays inside: a code of the table, and the request id", async (t) => {
    const { store } = app.app;
    const canary = "SQLITE_IOERR at /var/lib/galley/galley.db";
    const cases: [string, unknown, number, string][] = [
      ["an engine's own error", new Error(canary), 500, "internal"],
      ["no error at all", canary, 500, "internal"],
      ["a time-out", new GalleyError("timeout", "the query took too long", {}, new Error(canary)), 504, "timeout"],
      ["a full disk", new GalleyError("storage_full", "the disk is full", {}, new Error(canary)), 507, "storage_full"],
      [
        "a store that is gone",
        new GalleyError("unavailable", "the store is gone", {}, new Error(canary)),
        503,
        "unavailable",
      ],
    ];
    const get = store.get;
    t.teardown(() => Object.assign(store, { get }));
    for (const [name, error, status, code] of cases) {
      lines();
      Object.assign(store, { get: () => Promise.reject(error) });
      for (const [method, body] of [
        ["GET", undefined],
        ["PATCH", { a: 2 }],
      ] as const) {
        const answer = await app.send(method, `${NOTES}/kept`, { body });
        t.match(
          [answer.status, answer.json.error],
          [status, { code, requestId: answer.headers["x-request-id"] }],
          name,
        );
        t.notMatch(answer.text, /SQLITE|galley\.db|at \//, name);
        if (method === "PATCH") t.match(answer.json.error.details, { outcome: /unknown|not_applied/ }, name);
        if (status === 503) t.match(answer.headers["retry-after"], /^\d+$/);
      }
      const told = lines().filter((line) => line.includes("requestId"));
      t.ok(told.length >= 2 && told.every((line) => line.includes("SQLITE_IOERR")), `${name}: the log has the cause`);
      Object.assign(store, { get });
    }
  });

  attack(t, app, "N11 the open routes tell nothing, however often they are asked", async (t) => {
    const began = performance.now();
    const names = [process.versions.node, "fastify", "sqlite", "galley.db", TEST_KEY, app.app.key, app.folder];
    for (let round = 0; round < 25; round++) {
      // To read the document takes the test longer than all else.
      const paths = ["/v1/health", "/v1/ready", "/metrics"];
      const answers = await Promise.all(
        Array.from({ length: 36 }, (_, n) =>
          app.send("GET", n === 0 ? "/v1/openapi.json" : (paths[n % 3] as string), { as: null }),
        ),
      );
      for (const { text, headers, status } of answers) {
        if (status >= 500) t.fail(`${status}: ${text.slice(0, 100)}`);
        if (names.some((name) => text.includes(name))) t.fail(text.slice(0, 200));
        if (headers.server ?? headers["x-powered-by"]) t.fail("names its software");
      }
    }
    t.comment(`900 requests in ${(performance.now() - began).toFixed(0)} ms`);
  });

  attack(t, app, "N12 hostile text is one log line, and no secret reaches the log", async (t) => {
    lines();
    const { store } = app.app;
    const get = store.get;
    Object.assign(store, { get: () => Promise.reject(new Error("broken\r\n\u001b[31mred")) });
    const hostile = "%0d%0a%1b[31mforged";
    for (const path of [
      `${NOTES}/a?select=x${hostile}`,
      `${NOTES}/a`,
      `/v1/${hostile}`,
      `${NOTES}/x?key=${TEST_KEY}`,
    ]) {
      await app.send("GET", path, { headers: { "x-galley": hostile, cookie: "session=canary" } });
      const head = [`authorization: Bearer ${TEST_KEY}`, "user-agent: x\u001b[31m \u0085 y"];
      await sendRaw(app.url, requestText("GET", path, head));
    }
    Object.assign(store, { get });
    await app.send("GET", `${NOTES}/kept`, { as: "gsk_canary_canary_canary_canary_canary_canary" });
    const made = await app.send("POST", "/v1/admin/keys", {
      body: { name: "x\r\n\u001b[31mforged", scopes: ["documents:x:get"] },
    });
    t.equal(made.status, 201, made.text);
    const all = lines();
    t.ok(all.length > 0);
    for (const line of all) {
      t.ok(line.startsWith("{") && JSON.parse(line).level > 0, "every line is one whole event");
      t.notMatch(line, /\p{Cc}/u);
      t.notMatch(line, new RegExp(`canary|${TEST_KEY}|${made.json.secret}`));
    }
  });

  attack(t, app, "above the limit of requests in flight: 503 at once, and the others are answered", async (t) => {
    const { store } = app.app;
    const get = store.get.bind(store);
    let release: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    store.get = async (collection, ids) => {
      await gate;
      return get(collection, ids);
    };
    const held = Array.from({ length: 50 }, () => app.send("GET", `${NOTES}/kept`));
    await waitFor(async () => (await app.send("GET", "/v1/health", { as: null })).status === 503);
    const refused = await app.send("PATCH", `${NOTES}/kept`, { body: { a: 2 } });
    t.match([refused.status, refused.json.error], [503, { code: "unavailable", details: { outcome: "not_applied" } }]);
    t.match(refused.headers["retry-after"], /^\d+$/);
    release?.();
    const statuses = (await Promise.all(held)).map((answer) => answer.status);
    t.ok(statuses.filter((status) => status === 200).length >= 39, "those that came in are answered");
    t.strictSame([...new Set(statuses)].sort(), [200, 503]);
    store.get = get;
  });

  t.test("a stop answers what is in flight, and what still comes on open connections", async (t) => {
    const stopping: TestApp = await startApp({ engine, load: { farewellMs: 300 } });
    await stopping.send("PUT", `${NOTES}/kept`, { body: { a: 1 } });
    const { store } = stopping.app;
    const get = store.get.bind(store);
    let release: (() => void) | undefined;
    let entered = false;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    store.get = async (collection, ids) => {
      entered = true;
      await gate;
      return get(collection, ids);
    };
    const idle = await openSocket(stopping.url);
    const inFlight = stopping.send("GET", `${NOTES}/kept`);
    await waitFor(async () => entered);
    const closed = stopping.app.close();
    const late = readToEnd(idle);
    idle.write(
      requestText(
        "PUT",
        `${NOTES}/late`,
        [`authorization: Bearer ${TEST_KEY}`, "content-type: application/json", "content-length: 2"],
        "{}",
      ),
    );
    const { statuses, text } = await late;
    t.strictSame(statuses, [503]);
    t.match(text, /"draining".*"not_applied"/);
    t.match(text, /connection: close/i);
    await t.rejects(openSocket(stopping.url), { code: "ECONNREFUSED" });
    release?.();
    const answer = await inFlight;
    t.strictSame([answer.status, answer.json.a, answer.headers.connection], [200, 1, "close"]);
    await closed;
    await stopping.close();
  });
});

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}
