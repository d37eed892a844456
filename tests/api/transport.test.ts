import t from "tap";
import { startApp, TEST_KEY } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { requestText, sendRaw } from "../support/raw-http.ts";
import { type Row, scenario } from "../support/scenario.ts";

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine, env: { GALLEY_ALLOWED_ORIGINS: "https://app.example.com" } });
  t.teardown(() => app.close());
  const rows = (name: string, list: Row[]) => t.test(name, (t) => scenario(t, app, list));
  const POSTS = "/v1/documents/posts";
  const SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    server: null,
    "x-powered-by": null,
  };
  const API = {
    ...SAFE,
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    vary: "Authorization, Origin",
  };

  await app.send("PUT", `${POSTS}/p`, { body: { a: 1 } });

  rows("every reply carries the safe headers", [
    {
      name: "a document",
      send: `GET ${POSTS}/p`,
      status: 200,
      carries: { ...API, "cache-control": "private, no-cache" },
    },
    { name: "an error", send: `GET ${POSTS}/none`, status: 404, carries: API },
    { name: "no route", send: "GET /v2", status: 404, carries: API },
    { name: "a deletion", send: `DELETE ${POSTS}/p`, status: 204, carries: API },
    {
      name: "an admin route",
      send: "GET /v1/admin/keys",
      status: 200,
      carries: { ...API, "cache-control": "no-store" },
    },
    { name: "a bad path", send: "GET /v1/%zz", status: 400, carries: API },
    { name: "a redirect", send: "GET /", status: 302, carries: { ...SAFE, location: "/console/" } },
    {
      name: "a request id of the server's own, never the client's",
      send: "GET /v1/health",
      headers: { "x-request-id": "forged", "request-id": "forged" },
      status: 200,
      carries: { "x-request-id": /^[0-9a-f]{12}-[0-9a-z]+$/ },
      hides: ["forged"],
    },
  ]);

  t.test("a page that the browser has keeps its own policy", async (t) => {
    const page = await app.send("GET", "/console/", { as: null });
    const headers = { "if-none-match": page.headers.etag as string };
    const kept = await app.send("GET", "/console/", { as: null, headers });
    t.equal(kept.status, 304);
    t.match(kept.headers["content-security-policy"], /script-src 'self'/);
    t.equal(kept.headers["content-security-policy"], page.headers["content-security-policy"]);
  });

  rows("a body is JSON in UTF-8, or refused unparsed", [
    ...[
      "application/json",
      "Application/JSON",
      "application/json; charset=utf-8",
      'application/json;charset="UTF-8"',
    ].map((type) => ({
      name: `${type} is`,
      send: `POST ${POSTS}`,
      body: "{}",
      headers: { "content-type": type },
      status: 201,
    })),
    ...[
      "application/json\ta",
      "application/json; x",
      "application/json; charset=latin1",
      "application/json, text/plain",
      "application/json; charset=utf-8; charset=utf-7",
      "application/jsonx",
      "text/plain",
      "text/json",
      "application/x-ndjson",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "",
    ].map((type) => ({
      name: `${JSON.stringify(type)} is not`,
      send: `POST ${POSTS}`,
      body: '{"$where":1}',
      headers: { "content-type": type },
      status: 415,
      shows: { error: { code: "unsupported_media_type", details: { outcome: "not_applied" } } },
    })),
    {
      name: "no type at all is not",
      send: `POST ${POSTS}`,
      body: "{}",
      headers: { "content-type": undefined },
      status: 415,
    },
    ...["gzip", "br", "deflate, gzip", "x"].map((encoding) => ({
      name: `content-encoding ${encoding} is not`,
      send: `POST ${POSTS}`,
      body: "{}",
      headers: { "content-encoding": encoding },
      status: 415,
    })),
    {
      name: "identity is",
      send: `POST ${POSTS}`,
      body: "{}",
      headers: { "content-encoding": "identity" },
      status: 201,
    },
    {
      name: "no body needs no type, whatever it says",
      send: `DELETE ${POSTS}/none`,
      headers: { "content-type": "text/plain" },
      status: 404,
    },
    { name: "half of one", send: `POST ${POSTS}`, body: '{"a":', status: 400, shows: "body: expects valid JSON" },
    { name: "one and a half", send: `POST ${POSTS}`, body: "{}{}", status: 400 },
    {
      name: "bytes that are no UTF-8",
      send: `POST ${POSTS}`,
      body: Buffer.from([0x22, 0xff, 0x22]),
      status: 400,
      shows: "UTF-8",
    },
    { name: "a byte order mark", send: `POST ${POSTS}`, body: Buffer.from("\ufeff{}"), status: 400 },
    {
      name: "nesting without end",
      send: `POST ${POSTS}`,
      body: `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
      status: 400,
      shows: "too_deep",
    },
    {
      name: "of duplicate members the last counts",
      send: `PUT ${POSTS}/dup`,
      body: '{"a":1,"a":2}',
      status: 201,
      shows: { a: 2 },
    },
    { name: "none where none is taken", send: `DELETE ${POSTS}/dup`, body: "{}", status: 400, shows: "takes no body" },
    {
      name: "none on a GET, beside the question in the URL",
      send: `GET ${POSTS}?limit=1`,
      body: '{"limit":2}',
      status: 400,
    },
    {
      name: "more than 10 MiB",
      send: `POST ${POSTS}`,
      body: " ".repeat(10 * 1024 * 1024 + 1),
      status: 413,
      shows: '"payload_too_large"',
    },
    {
      name: "10 MiB are read, and judged by the document's limit",
      send: `POST ${POSTS}`,
      body: `{"a":"${"x".repeat(10 * 1024 * 1024 - 8)}"}`,
      status: 413,
      shows: '"payload_too_large"',
    },
  ]);

  rows("paths are exact: case, slashes, decoded once", [
    ...[
      ...[
        "/V1/health",
        "/v1/Health",
        "/v1/health/",
        "//v1/health",
        "/v1//health",
        "/v1",
        "/",
        "/v1/documents",
        `${POSTS}/`,
      ],
      ...[
        `${POSTS}//p`,
        `${POSTS}/p/`,
        `${POSTS}/p/q`,
        "/v1/admin%2Fkeys",
        "/v1/documents%2Fposts/p",
        "/v1/%2e%2e/v1/health",
      ],
      ...[
        "/v1/../v1/health",
        "/v1/.%2e/health",
        "/v1/health%20",
        "/v1/health%00",
        "/console/../v1/health",
        "/console/%2e%2e/x",
      ],
    ]
      .filter((path) => path !== "/")
      .map((path) => ({
        name: path,
        send: `GET ${path}`,
        status: 404,
        shows: '"not_found"',
      })),
    { name: "an encoded letter is that letter", send: "GET /v1/%68ealth", status: 200 },
    { name: "a dotted id stays in its place", send: `GET ${POSTS}/..`, status: 404 },
    { name: "an encoded slash is no slash", send: `GET ${POSTS}%2F..%2Fclosed`, status: 400, shows: "collection" },
    { name: "nor in an id", send: `PUT ${POSTS}/a%2Fb`, body: {}, status: 400, shows: "id" },
    { name: "decoded once only", send: `PUT ${POSTS}/a%252Fb`, body: {}, status: 400 },
    { name: "NUL is in no id", send: `PUT ${POSTS}/a%00b`, body: {}, status: 400 },
    { name: "an id of 128 characters is one", send: `PUT ${POSTS}/${"i".repeat(128)}`, body: {}, status: 201 },
    { name: "of 129 none", send: `PUT ${POSTS}/${"i".repeat(129)}`, body: {}, status: 400 },
    { name: "nor of 5,000", send: `PUT ${POSTS}/${"i".repeat(5000)}`, body: {}, status: 400 },
    ...["POST /v1/health", `PUT ${POSTS}`, "OPTIONS /v1/health", "TRACE /v1/health", "PROPFIND /v1/health"].map(
      (send) => ({
        name: `${send} is no route`,
        send,
        status: 404,
        shows: '"not_found"',
      }),
    ),
    {
      name: "an unknown route needs no valid body",
      send: "POST /v1/nothing",
      body: "{",
      status: 404,
      shows: { error: { details: { outcome: "not_applied" } } },
    },
    {
      name: "a path that cannot be read applied nothing",
      send: `PUT ${POSTS}/%zz`,
      body: {},
      status: 400,
      shows: { error: { details: { outcome: "not_applied" } } },
    },
    { name: "parameters are refused where none is taken", send: "GET /v1/health?x=1", status: 400 },
    { name: "a bad escape in one", send: `GET ${POSTS}?limit=%zz`, status: 400 },
    { name: "an empty query is none", send: "GET /v1/health?", status: 200 },
  ]);

  // Origins that are not allowed: tests/attack/n-network.test.ts, N03.
  rows("CORS: preflights without a look at the credential", [
    {
      name: "an allowed preflight",
      as: null,
      send: `OPTIONS ${POSTS}/p`,
      headers: { origin: "https://app.example.com", "access-control-request-method": "PATCH" },
      status: 204,
      carries: {
        "access-control-allow-origin": "https://app.example.com",
        "access-control-allow-methods": /PATCH/,
        "access-control-allow-headers": /authorization, content-type,.*idempotency-key/,
        "access-control-max-age": "7200",
        "access-control-allow-credentials": null,
      },
    },
    {
      name: "an allowed request",
      as: null,
      send: "GET /v1/health",
      headers: { origin: "https://app.example.com" },
      status: 200,
      carries: {
        "access-control-allow-origin": "https://app.example.com",
        "access-control-expose-headers": /x-galley-position/,
      },
    },
    {
      name: "an error is readable too",
      as: null,
      send: `GET ${POSTS}/p`,
      headers: { origin: "http://localhost:5173" },
      status: 403,
      carries: { "access-control-allow-origin": "http://localhost:5173" },
    },
  ]);

  t.test("what is no HTTP gets an envelope and a closed connection", async (t) => {
    for (const [name, bytes] of [
      ["noise", "\u0001\u0002\u0003\r\n\r\n"],
      ["two lengths", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"],
      [
        "a length and chunks",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      ],
      ["a negative length", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n"],
      ["headers of 20 KB", `GET / HTTP/1.1\r\nhost: x\r\na: ${"x".repeat(20_000)}\r\n\r\n`],
      ["no host", "GET /v1/health HTTP/1.1\r\nconnection: close\r\n\r\n"],
      ["a NUL in a header", "GET /v1/health HTTP/1.1\r\nhost: x\r\na: \u0000\r\n\r\n"],
    ] as const) {
      const { statuses, text } = await sendRaw(app.url, bytes);
      t.strictSame(statuses, [400], `${name}: ${text.slice(0, 200)}`);
      t.match(text, /"code":"invalid_argument".*"requestId":"/, name);
      for (const header of [/^x-content-type-options: nosniff/m, /^x-request-id: \S+/m, /^content-security-policy: /m])
        t.match(text, header, name);
      t.notMatch(text, /HPE_|node:|at \w+ \(/, name);
    }
    for (const [name, request, status] of [
      ["an unknown expectation", requestText("GET", "/v1/health", ["expect: 200-ok"]), 200],
      ["an upgrade", requestText("GET", "/v1/health", ["upgrade: h2c"]), 200],
      ["OPTIONS *", requestText("OPTIONS", "*"), 404],
      ["an absolute path", requestText("GET", "http://evil.example/v1/health"), 200],
      ["HTTP/1.0 without a host", "GET /v1/health HTTP/1.0\r\n\r\n", 200],
    ] as const) {
      const { statuses, text } = await sendRaw(app.url, request);
      t.strictSame(statuses, [status], `${name}: ${text.slice(0, 200)}`);
      t.notMatch(text, /evil/, name);
    }
    const chunks = [
      "transfer-encoding: chunked",
      "content-type: application/json",
      `authorization: Bearer ${TEST_KEY}`,
    ];
    const bad = await sendRaw(app.url, requestText("POST", POSTS, chunks, "zz\r\n{}\r\n0\r\n\r\n"));
    t.strictSame(bad.statuses, [400], "a chunk that is none");
    const good = await sendRaw(app.url, requestText("POST", POSTS, chunks, "2\r\n{}\r\n0\r\n\r\n"));
    t.strictSame(good.statuses, [201], "a body in chunks");
  });

  t.test("a body too large is answered before it is read whole, and the connection ends", async (t) => {
    const head = [`authorization: Bearer ${TEST_KEY}`, "content-type: application/json", "content-length: 1000000000"];
    const { statuses, text } = await sendRaw(app.url, requestText("POST", POSTS, head, "{"));
    t.strictSame(statuses, [413]);
    t.match(text, /payload_too_large/);
  });

  t.test("the health routes tell nothing of the server, and ask the store once a second", async (t) => {
    let pings = 0;
    const { store } = app.app;
    const ping = store.ping.bind(store);
    store.ping = () => {
      pings++;
      return ping();
    };
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) => {
        return app.send("GET", n % 2 ? "/v1/ready" : "/v1/health", { as: null });
      }),
    );
    t.ok(answers.every((answer) => answer.status === 200));
    t.ok(pings <= 2, `${pings} pings`);
    t.strictSame([...new Set(answers.map((a) => a.text))].sort(), ['{"status":"ok"}', '{"status":"ready"}']);
    const withBadToken = await app.send("GET", "/v1/health", { as: "nonsense" });
    t.equal(withBadToken.status, 200, "open routes read no credential");
  });
});
