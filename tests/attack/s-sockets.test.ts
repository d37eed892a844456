/** attack-cases.md S, and of L what the socket itself decides. */
import { PassThrough } from "node:stream";
import t from "tap";
import { createLog } from "../../server/log.ts";
import { startApp, TEST_KEY } from "../support/app.ts";
import { frameOf, openRaw, type RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";
import { attack } from "./doors.ts";

const GOOD = "https://good.example";
const HELLO = { t: "hello", v: 1 };
const MEBIBYTE = 1024 * 1024;

const logged = new PassThrough();
const app = await startApp({
  mode: "production",
  env: { GALLEY_ALLOWED_ORIGINS: GOOD, GALLEY_PUBLIC_URL: "https://api.good.example" },
  log: await createLog({ logLevel: "debug", logFormat: "json" }, logged),
  load: { lingerMs: 500, socketsPerNetwork: 60, socketCloseMs: 1000, beatMs: 1500 },
  live: { helloSeconds: 1, unsentMessages: 1000 },
});
t.teardown(() => app.close());
await app.send("POST", "/v1/admin/collections", { body: { name: "notes" } });

/** One that is there all the time, and must not notice anything. */
const witness = await openRaw(app.url);
witness.send({ ...HELLO, token: TEST_KEY });
witness.send({ t: "sub", s: 1, q: { collection: "notes", find: { sort: "-_createdAt", limit: 5 } } });
await until(() => witness.texts.length === 2);
t.teardown(() => witness.socket.destroy());

const opened: RawSocket[] = [];
async function open(lines: readonly string[] = [], options: object = {}): Promise<RawSocket> {
  const socket = await openRaw(app.url, { lines, ...options });
  opened.push(socket);
  return socket;
}
t.afterEach(() => {
  for (const { socket } of opened.splice(0)) socket.destroy();
});

/** An open one, past its `hello`. */
async function greeted(options: object = {}): Promise<RawSocket> {
  const socket = await open([], options);
  socket.send({ ...HELLO, token: TEST_KEY });
  await until(() => socket.texts.length === 1, 20, "welcome");
  return socket;
}

function fault(socket: RawSocket): { code: string; message: string; requestId: string } {
  return JSON.parse(socket.texts.at(-1) ?? "{}").error ?? {};
}

attack(t, app, "S01 pages of other origins may not connect, whatever cookie they bring", async (t) => {
  const cookie = "cookie: __Host-galley-admin=x; galley-admin=x";
  for (const origin of [
    ...["https://evil.example", "null", "https://good.evil.example", "http://good.example", `${GOOD}.evil.example`],
    ...[`${GOOD}:444`, `${GOOD}/`, "https://GOOD.example.", ""],
  ]) {
    const { status, head } = await open([`origin: ${origin}`, cookie]);
    t.equal(status, 403, origin);
    t.match(head, /x-request-id: /);
  }
  const good = await open([`origin: ${GOOD}`, cookie]);
  t.equal(good.status, 101);
  good.send(HELLO);
  await until(() => good.texts.length === 1);
  t.match(JSON.parse(good.texts[0] ?? ""), { t: "welcome", user: null }, "a cookie signs nobody in");
  const keyed = await open([`origin: ${GOOD}`]);
  keyed.send({ ...HELLO, token: TEST_KEY });
  t.equal(await keyed.end(), 4403, "L12: a service key does not belong into a page");
});

attack(t, app, "S02 a token in the URL or among the subprotocols is refused, and stands in no log", async (t) => {
  const secret = `gsk_live_${"s3cret".repeat(6)}`;
  const token = `eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJzM2NyZXQifQ.${"s3cret".repeat(8)}`;
  for (const path of [`?token=${secret}`, `?access_token=${token}`, `/${secret}`, `?x=1`, "/", "/../live"]) {
    t.equal((await open([], { path: `/v1/live${path}` })).status, 400, path);
  }
  for (const offered of [secret, `galley.v1, ${secret}`, `galley.v1, ${token}`, "graphql-ws", "galley.v2", ","]) {
    t.equal((await open([`sec-websocket-protocol: ${offered}`])).status, 400, offered);
  }
  const both = await open(["sec-websocket-protocol: galley.v2, galley.v1"]);
  t.equal(both.status, 101);
  t.match(both.head, /sec-websocket-protocol: galley\.v1/i);
  t.equal((await open()).status, 101, "none is fine");
  t.notMatch(String(logged.read() ?? ""), /s3cret/);
});

attack(t, app, "S03 who does not say hello, or not at first, is closed", async (t) => {
  const silent = await open();
  const half = await open();
  half.write(frameOf(0x81, Buffer.from(JSON.stringify(HELLO))).subarray(0, 9));
  t.equal(await silent.end(), 4401);
  t.equal(await half.end(), 4401);
  const early = await open();
  early.send({ t: "sub", s: 1, q: { collection: "notes", find: {} } });
  t.equal(await early.end(), 1008);
  t.notMatch(early.texts.join(), /welcome|snapshot/, "nothing was told but why");
  for (const hello of [{ t: "hello", v: 2 }, { t: "hello" }, "hello", "[]", "null", '{"t":"hello","v":1,"v2":1}']) {
    const wrong = await open();
    wrong.send(hello);
    t.equal(await wrong.end(), 1008, JSON.stringify(hello));
  }
});

attack(
  t,
  app,
  "S04 a frame over 64 KiB ends its socket, and one that only announces itself costs nothing",
  async (t) => {
    const before = process.memoryUsage().rss;
    const large = await greeted();
    large.send(JSON.stringify({ t: "ping", x: "x".repeat(65 * 1024) }));
    t.equal(await large.end(), 1009);
    const sockets = await Promise.all(Array.from({ length: 20 }, () => greeted()));
    for (const huge of sockets) huge.write(frameOf(0x81, Buffer.from("{"), { announced: 10 * 1024 * MEBIBYTE }));
    for (const huge of sockets) t.equal(await huge.end(), 1009);
    t.ok(process.memoryUsage().rss - before < 64 * MEBIBYTE);
  },
);

attack(t, app, "S05 a message that never ends is ended", async (t) => {
  const before = process.memoryUsage().rss;
  const many = await greeted();
  many.write(frameOf(0x01, Buffer.from("{")));
  for (let i = 0; i < 100; i++) many.write(frameOf(0x00, Buffer.from(" ")));
  t.equal(await many.end(), 1008, "more fragments than a message has");
  // A byte now and then, and never an answer to a ping.
  const slow = await greeted({ pongs: false });
  slow.write(frameOf(0x01, Buffer.from("{")));
  const drip = setInterval(() => slow.write(frameOf(0x00, Buffer.from(" "))), 200);
  const code = await slow.end();
  clearInterval(drip);
  t.equal(code, 1008);
  t.ok(process.memoryUsage().rss - before < 64 * MEBIBYTE);
});

attack(t, app, "S06 who stops reading is closed at its bound, and others are served on time", async (t) => {
  const before = process.memoryUsage().rss;
  const stopped = await greeted();
  stopped.send({ t: "sub", s: 1, q: { collection: "notes", find: { sort: "-_createdAt", limit: 5 } } });
  await until(() => stopped.texts.length === 2);
  stopped.socket.pause();
  const text = "x".repeat(200_000);
  const told = witness.texts.length;
  let written = 0;
  // The network itself takes some; how much is the system's to say.
  while (app.app.live.counters.closes[4408] === undefined && written < 400) {
    const { status } = await app.send("POST", "/v1/documents/notes", { body: { text } });
    if (status !== 201) t.fail(`${status}`);
    written++;
  }
  t.equal(app.app.live.counters.closes[4408], 1, `after ${written} commits`);
  await until(() => witness.texts.length === told + written, 20, "every commit at the healthy one").catch((error) => {
    t.fail(`${error.message}: ${witness.texts.length - told} of ${written}, closed ${witness.closed}`);
  });
  t.equal(witness.closed, undefined);
  t.ok(process.memoryUsage().rss - before < 200 * MEBIBYTE);
});

attack(t, app, "S07 bytes that are no WebSocket end with the code of their fault", async (t) => {
  const text = (bytes: readonly number[]) => frameOf(0x81, Buffer.from(bytes));
  const cases: [string, Buffer, number][] = [
    ["UTF-8 that is none", text([0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xcf, 0x83, 0xed, 0xa0, 0x80]), 1007],
    ["an overlong form", text([0xc0, 0xaf]), 1007],
    ["half a character", text([0xe2, 0x82]), 1007],
    ["RSV1 without an extension", frameOf(0xc1, Buffer.from("{}")), 1002],
    ["RSV2", frameOf(0xa1, Buffer.from("{}")), 1002],
    ["RSV3", frameOf(0x91, Buffer.from("{}")), 1002],
    ["a data opcode that there is not", frameOf(0x83, Buffer.from("{}")), 1002],
    ["a control opcode that there is not", frameOf(0x8b, Buffer.from("")), 1002],
    ["no mask", frameOf(0x81, Buffer.from("{}"), { masked: false }), 1002],
    ["a continuation of nothing", frameOf(0x80, Buffer.from("{}")), 1002],
    ["a ping in parts", frameOf(0x09, Buffer.from("x")), 1002],
    ["a ping of 126 bytes", frameOf(0x89, Buffer.alloc(126)), 1002],
    ["a close of one byte", frameOf(0x88, Buffer.from([3])), 1002],
    ["a close with a code that there is not", frameOf(0x88, Buffer.from([3, 0xec])), 1002],
    ["a close whose reason is no UTF-8", frameOf(0x88, Buffer.from([3, 0xe8, 0xff])), 1007],
    ["binary", frameOf(0x82, Buffer.from("{}")), 1003],
  ];
  for (const [name, bytes, code] of cases) {
    const socket = await greeted();
    socket.write(bytes);
    t.equal(await socket.end(), code, name);
  }
  const fine = await greeted();
  fine.write(Buffer.concat([frameOf(0x01, Buffer.from('{"t":')), frameOf(0x89, Buffer.from("x"))]));
  fine.write(frameOf(0x80, Buffer.from('"ping"}')));
  await until(() => fine.texts.length === 2, 20, "a beat");
  t.match(JSON.parse(fine.texts[1] ?? ""), { t: "beat" }, "parts, with a ping between them, are legal");
});

attack(t, app, "S08 a network has a bounded number of sockets, and a user too", async (t) => {
  const sockets: RawSocket[] = [];
  for (let i = 0; i < 70; i++) sockets.push(await open());
  const refused = sockets.filter(({ status }) => status === 429);
  t.ok(refused.length >= 10 && refused.length <= 12, `${refused.length} of 70 refused`);
  t.match(refused[0]?.head, /retry-after: /);
  for (const { socket } of sockets) socket.destroy();
  await until(async () => (await open()).status === 101, 20, "room again");
});

attack(t, app, "S09 wrong frames are answered with their place, and the hundredth closes", async (t) => {
  const socket = await greeted();
  const deep = `${'{"a":'.repeat(500)}1${"}".repeat(500)}`;
  for (const [frame, place] of [
    ['{"t":"nope"}', /^t: /],
    ["{}", /^t: /],
    ["[]", /./],
    ["null", /./],
    ["{", /JSON/],
    ["", /JSON/],
    ['{"t":"ping","x":1}', /^x: /],
    ['{"t":"ping","__proto__":{"t":"sub"}}', /__proto__/],
    ['{"t":"unsub"}', /^s: /],
    ['{"t":"sub","s":1,"q":{"collection":"notes"}}', /^q: /],
    ['{"t":"sub","s":1.5,"q":{"collection":"notes","find":{}}}', /^s: /],
    ['{"t":"sub","s":2,"q":{"collection":"_users","find":{}}}', /^q\.collection: /],
    ['{"t":"sub","s":3,"q":{"collection":"notes","find":{"filter":{"a":{"$no":1}}}}}', /q\.find\.filter\.a\.\$no: /],
    ['{"t":"sub","s":4,"q":{"collection":"notes","find":{"where":1}}}', /where/],
    ['{"t":"sub","s":5,"q":{"collection":"notes","find":[]}}', /^q\.find: /],
    [`{"t":"sub","s":6,"q":{"collection":"notes","find":{"filter":${deep}}}}`, /deep/],
    ['{"t":"hello","v":1}', /hello/],
  ] as const) {
    const before = socket.texts.length;
    socket.send(frame);
    await until(() => socket.texts.length > before, 20, frame.slice(0, 60));
    const told = fault(socket);
    t.equal(told.code, "invalid_argument", frame.slice(0, 80));
    t.match(told.message, place);
    t.ok(told.requestId);
  }
  t.equal(socket.closed, undefined);
  const again = await greeted();
  for (let i = 0; i < 99; i++) {
    again.send("{}");
    // No faster than frames may come.
    if (i % 15 === 14) await until(() => again.texts.length > i, 20, "an answer");
    await new Promise((resolve) => setTimeout(resolve, i % 15 === 14 ? 800 : 0));
  }
  await until(() => again.texts.length === 100 || again.closed !== undefined, 20, "99 answers");
  t.equal(again.closed, undefined, again.reason);
  again.send("{}");
  t.equal(await again.end(), 1008);
});

attack(t, app, "S10 upgrades of other shapes are refused, never forwarded", async (t) => {
  for (const [name, options, status] of [
    ["an absolute URI", { path: "http://evil.example/v1/live" }, 400],
    ["our own absolute URI", { path: `${app.url}/v1/live` }, 400],
    ["a foreign host", { lines: ["host: evil.example"] }, 400],
    ["another path", { path: "/v1/documents/notes" }, 404],
    ["a POST", { method: "POST" }, 400],
    ["two upgrades", { lines: ["upgrade: h2c"] }, 400],
  ] as const) {
    t.equal((await open([], options)).status, status, name);
  }
  for (const host of ["api.good.example", "good.example:8080", "127.0.0.1:1", "[::1]:9", "localhost", "galley"]) {
    t.equal((await open([`host: ${host}`])).status, 101, host);
  }
});

t.test("the witness saw nothing of all that", async (t) => {
  t.equal(witness.closed, undefined);
  const told = witness.texts.length;
  await app.send("POST", "/v1/documents/notes", { body: { last: true } });
  await until(() => witness.texts.length === told + 1);
});
