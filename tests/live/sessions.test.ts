/** What one socket may say and is told, whatever the order; live-queries.md 7 and 10, attack cases L01, L02, L08, L09, L11, L12. */
import t from "tap";
import { resultHash } from "#protocol/delta";
import { GalleyError } from "#protocol/errors";
import { NotFromHere } from "../../server/access/principal.ts";
import { startLiveNode } from "../support/live-node.ts";
import { until } from "../support/until.ts";

const FUTURE = "ffffffffffffffff";

t.test("hello comes first, once, and in time", async (t) => {
  const node = await startLiveNode(t);
  const cases: [string, unknown][] = [
    ["another frame", { t: "ping" }],
    ["an unknown version", { t: "hello", v: 2 }],
    ["no version", { t: "hello" }],
    ["no JSON", "hello"],
    ["no frame", "[]"],
    ["null", "null"],
    ["an unknown member", { t: "hello", v: 1, cookie: "x" }],
  ];
  for (const [name, frame] of cases) {
    const socket = node.open();
    socket.say(frame);
    t.same(socket.closed?.code, 1008, name);
    t.match(socket.frames, [{ t: "error", error: { code: "invalid_argument", requestId: /-/ } }], name);
  }
  const silent = node.open();
  node.pass(4);
  t.equal(silent.closed, undefined);
  node.pass(3);
  t.same(silent.closed, { code: 4401, reason: "no hello came in time" });
  t.same(silent.frames, []);

  const socket = await node.welcome();
  t.match(socket.frames[0], {
    t: "welcome",
    user: null,
    beat: 25,
    now: new Date(node.services.time.now).toISOString(),
  });
  socket.hello();
  const error = await socket.got("error");
  t.match(error, { error: { code: "invalid_argument", message: "t: hello comes once" } });
  t.notOk("s" in error);
  t.equal(socket.closed, undefined);
});

t.test("frames that follow hello without waiting are answered after welcome, in their order", async (t) => {
  const node = await startLiveNode(t);
  await node.put("news", "a", { n: 1 });
  const socket = node.open();
  socket.hello();
  const s = socket.find("news");
  socket.say({ t: "ping" });
  const late = socket.find("news", { filter: { n: 2 } });
  socket.say({ t: "unsub", s: late });
  socket.say({ t: "unsub", s: 99 });
  await socket.answered(s);
  await socket.got("beat");
  t.equal(socket.frames[0]?.t, "welcome");
  t.same(socket.ids(s), ["a"]);
  t.equal(socket.of(late).window, "");
  t.same(socket.all("error"), []);
  t.same(socket.complaints, []);
});

t.test("who may not come in is told by the close, as a request would be", async (t) => {
  const node = await startLiveNode(t);
  const { people } = node;
  const refused: [string, GalleyError, number, string][] = [
    ["a bad token", new GalleyError("unauthenticated", "", { reason: "token_invalid" }), 4401, "token_invalid"],
    ["an ended session", new GalleyError("unauthenticated", "", { reason: "session_ended" }), 4401, "session_ended"],
    ["a key on a page", new GalleyError("permission_denied", "", { reason: "key_in_browser" }), 4403, "key_in_browser"],
    ["a key of other networks", new GalleyError("unauthenticated", "", {}, new NotFromHere()), 4403, "unauthenticated"],
    ["too many guesses", new GalleyError("rate_limited", ""), 4429, "rate_limited"],
    ["a store that is away", new GalleyError("unavailable", ""), 1013, "unavailable"],
  ];
  for (const [name, error, code, reason] of refused) {
    people.fail("x", error);
    const socket = node.open();
    socket.hello("x");
    const s = socket.find("news");
    await until(() => socket.closed !== undefined, 5, name);
    t.same(socket.closed, { code, reason }, name);
    t.same(socket.frames, [], name);
    t.equal(socket.of(s).window, "");
  }
  const unknown = node.open();
  unknown.hello("nobody");
  await until(() => unknown.closed !== undefined);
  t.equal(unknown.closed?.code, 4401);
  node.nodes.lag = 5000;
  t.equal(node.open().closed?.code, 1013, "a node that lags takes on nobody");
});

t.test("a position that the client has seen is waited for, and taken for nothing more", async (t) => {
  const node = await startLiveNode(t, { limits: { aheadMs: 60 } });
  const position = await node.put("news", "a", { n: 1 });
  const history = position.slice(0, position.indexOf("."));
  const closing: [string, string][] = [
    ["malformed", "yesterday"],
    ["truncated", position.slice(0, -1)],
    ["in the future", `${history}.${FUTURE}`],
  ];
  for (const [name, after] of closing) {
    const socket = node.open();
    socket.hello(undefined, { after });
    await until(() => socket.closed !== undefined, 5, name);
    t.equal(socket.closed?.code, 4409, name);
    t.same(socket.frames, [], name);
  }
  for (const after of [position, `other.${FUTURE}`]) {
    const socket = node.open();
    socket.hello(undefined, { after });
    await socket.welcomed();
    t.ok(socket.position >= position);
  }
  const socket = await node.welcome();
  const bad = socket.find("news", {}, { after: "x" });
  const ahead = socket.find("news", {}, { after: `${history}.${FUTURE}` });
  const good = socket.find("news", {}, { after: position });
  const foreign = socket.find("news", {}, { after: `other.${FUTURE}` });
  for (const s of [bad, ahead, good, foreign]) await socket.answered(s);
  t.match(socket.of(bad).error, { code: "invalid_argument", message: /after/ });
  t.match(socket.of(ahead).error, { code: "unavailable" });
  t.same(socket.ids(good), ["a"]);
  t.same(socket.ids(foreign), ["a"]);
});

t.test("what a client still holds is confirmed only where it is its own result", async (t) => {
  const rules = { format: 1, collections: { notes: { list: { owner: "$auth.id" }, get: "list" } } };
  const node = await startLiveNode(t, { rules });
  for (const name of ["ann", "ben"]) {
    node.people.user(name);
    await node.put("notes", `${name}1`, { owner: name });
  }
  const ann = await node.welcome("ann");
  const ben = await node.welcome("ben");
  const first = await ann.answered(ann.find("notes"));
  const other = await ben.answered(ben.find("notes"));
  const haveOf = ({ shape, rows }: typeof first) => ({
    shape,
    hash: resultHash(rows.map((row) => JSON.stringify(row))),
  });
  const again = await ann.answered(ann.find("notes", {}, { have: haveOf(first) }));
  t.match(ann.all("current"), [{ w: again.window, shape: first.shape, more: false }]);
  t.same(again.resets, []);
  for (const have of [haveOf(other), { ...haveOf(first), hash: "0".repeat(16) }, { ...haveOf(first), shape: "x" }]) {
    const s = ann.find("notes", {}, { have });
    const result = await ann.answered(s);
    t.same(result.resets, ["resume"]);
    t.same(ann.ids(s), ["ann1"], "never another's rows");
  }
  t.equal(node.counters.resumed, 1);
  t.equal(node.counters.not_resumed, 3);
  await node.put("notes", "ann2", { owner: "ann" });
  await until(() => again.position === ann.position && ann.all("commit").length > 0);
  t.same(ann.complaints, []);
  t.notMatch(ann.told(), /ben1/);
});

t.test("a subscription's name is used once, and every question is answered", async (t) => {
  const node = await startLiveNode(t, { limits: { subscriptions: 3, faults: 6 } });
  await node.put("news", "a", { n: 1 });
  await node.put("secret", "b", { n: 1 });
  const socket = await node.welcome();
  socket.say({ t: "sub", s: 5, q: { collection: "news", find: {} } });
  await socket.answered(5);
  for (const s of [5, 4]) socket.say({ t: "sub", s, q: { collection: "news", find: {} } });
  await socket.got("error", 2);
  t.match(socket.all("error"), [{ error: { message: /s: expects a number above 5/ } }, {}]);
  t.notOk(socket.all("error").some((error) => "s" in error));
  const asked: [number, object, object][] = [
    [6, { collection: "No!", find: {} }, { code: "invalid_argument", message: /q\.collection/ }],
    [
      7,
      { collection: "news", find: { filter: { $where: 1 } } },
      { code: "invalid_argument", details: { faults: [{}] } },
    ],
    [8, { collection: "news", find: { after: "x" } }, { code: "invalid_argument" }],
    [9, { collection: "secret", find: {} }, { code: "permission_denied" }],
    [10, { collection: "news", find: {}, count: {} }, { code: "invalid_argument" }],
  ];
  for (const [s, q] of asked) socket.say({ t: "sub", s, q });
  for (const [s, q, error] of asked) {
    await socket.answered(s);
    t.match(socket.of(s).error, error, JSON.stringify(q));
  }
  for (const s of [11, 12, 13]) socket.say({ t: "sub", s, q: { collection: "news", count: {} } });
  for (const s of [11, 12, 13]) await socket.answered(s);
  t.match(socket.of(13).error, { code: "rate_limited" });
  t.equal(socket.of(12).value.count ?? socket.of(12).value, 1);
  t.equal(socket.of(11).window, socket.of(12).window, "one window feeds both");
  t.equal(socket.closed, undefined, "four faulty frames are not six");
  t.equal(node.counters.subscriptions, 3);
  socket.say("{");
  socket.say({ t: "sing" });
  await until(() => socket.closed !== undefined);
  t.same(socket.closed, { code: 1008, reason: "too many faulty frames" });
  t.same(socket.complaints, []);
  t.match(socket.frames.at(-1), { t: "error" }, "the last one is answered too");
});

t.test("one commit is one frame, all of a turn one write, and the bytes are shared", async (t) => {
  const node = await startLiveNode(t);
  await node.put("news", "a", { n: 1 });
  const [one, two] = [await node.welcome(), await node.welcome()];
  const all = one.find("news");
  const twin = one.find("news");
  const some = one.find("news", { filter: { n: { $gt: 1 } } });
  const other = two.find("news");
  for (const s of [all, twin, some]) await one.answered(s);
  await two.answered(other);
  const writes = one.writes.length;
  await node.batch(
    { op: "set", collection: "news", id: "b", document: { n: 2 } },
    { op: "set", collection: "news", id: "c", document: { n: 3 } },
  );
  await until(() => one.ids(all).length === 3 && two.ids(other).length === 3);
  t.equal(one.all("commit").length, 1);
  t.equal(Object.keys(one.all("commit")[0].w).length, 2, "both windows in one frame, a window once");
  t.same(one.ids(twin), ["a", "b", "c"]);
  t.same(one.ids(some), ["b", "c"]);
  t.equal(one.writes.length, writes + 1);
  const positions = await Promise.all([4, 5, 6].map((n) => node.put("news", `d${n}`, { n })));
  await until(() => one.ids(all).length === 6);
  t.same(
    new Set(
      one
        .all("commit")
        .map(({ pos }) => pos)
        .slice(1),
    ),
    new Set(positions),
    "a frame for each commit, and none besides",
  );
  one.say({ t: "unsub", s: twin });
  one.say({ t: "unsub", s: all });
  await node.put("news", "e", { n: 0 });
  await until(() => two.ids(other).length === 7);
  t.same(one.ids(all).length, 6, "nothing more of what was given back");
  t.same([...one.complaints, ...two.complaints], []);
});

t.test("a slow client is closed, and snapshots wait until there is room", async (t) => {
  const node = await startLiveNode(t, { limits: { snapshotBytes: 4000, unsentMessages: 50 } });
  for (let i = 0; i < 4; i++) await node.put("news", `n${i}`, { text: "x".repeat(900) });
  const socket = await node.welcome();
  const small = socket.find("news", { limit: 1 });
  const large = socket.find("news", { limit: 10, sort: ["-_id"] });
  await socket.answered(small);
  await socket.answered(large);
  t.match(socket.of(large).error, { code: "payload_too_large" });
  socket.unsent = { bytes: 256 * 1024, messages: 1 };
  const waiting = socket.find("news", { limit: 2 });
  socket.say({ t: "ping" });
  await socket.got("beat");
  await node.put("news", "n0", { text: "y" });
  await until(() => socket.of(small).rows[0].text === "y");
  t.equal(socket.of(waiting).window, "", "what others show goes on");
  socket.drain();
  await socket.answered(waiting);
  t.same(socket.of(waiting).rows[0].text, "y");
  for (const unsent of [
    { bytes: 5 * 1024 * 1024, messages: 2 },
    { bytes: 10, messages: 51 },
  ]) {
    const slow = await node.welcome();
    await slow.answered(slow.find("news", { limit: 1 }));
    slow.unsent = unsent;
    await node.put("news", "n0", { text: `${unsent.bytes}` });
    await until(() => slow.closed !== undefined);
    t.equal(slow.closed?.code, 4408);
  }
  t.same(socket.complaints, []);
  t.equal(socket.closed, undefined, "nobody waits for the slowest");
});

t.test("frames, sockets of one user, and what waits have a bound", async (t) => {
  const node = await startLiveNode(t, {
    limits: { questionBurst: 20, othersPerSecond: 5, socketsPerUser: 2, waitingCharacters: 2000 },
  });
  node.people.user("ann");
  node.people.user("ben");
  const asks = await node.welcome();
  for (let i = 0; i < 20; i++) asks.say({ t: "unsub", s: i });
  t.equal(asks.closed, undefined);
  asks.say({ t: "unsub", s: 21 });
  t.equal(asks.closed?.code, 4429);
  const pings = await node.welcome();
  node.services.time.now += 1000;
  for (let i = 0; i < 5; i++) pings.say({ t: "ping" });
  t.equal(pings.closed, undefined);
  pings.say({ t: "ping" });
  t.equal(pings.closed?.code, 4429);
  const waits = node.open();
  node.people.ask();
  waits.hello("ann");
  for (let i = 0; i < 3; i++)
    waits.say({ t: "sub", s: i, q: { collection: "news", find: { filter: { a: "x".repeat(900) } } } });
  t.equal(waits.closed?.code, 4429, "what waits for hello is bounded");
  node.people.known();

  const first = await node.welcome("ann");
  const second = await node.welcome("ann");
  const third = node.open();
  third.hello("ann");
  await until(() => third.closed !== undefined);
  t.equal(third.closed?.code, 4429);
  const ben = await node.welcome("ben");
  first.session.end();
  await node.welcome("ann");
  ben.say({ t: "auth", token: "ann" });
  await until(() => ben.closed !== undefined);
  t.equal(ben.closed?.code, 4429, "who becomes someone is counted too");
  second.say({ t: "auth", token: null });
  await second.got("welcome", 2);
  t.equal((await node.welcome("ann")).closed, undefined, "and no more once they are somebody else");
});

t.test("beats come every 25 s, and a token ends 30 s past its time by whatever clock", async (t) => {
  const node = await startLiveNode(t);
  const now = node.services.time.now;
  const ends = { expiresAt: now + 60_000, endsAt: now + 90_000 };
  node.people.user("ann", {}, ends);
  node.people.user("ben", {}, { endsAt: Number.POSITIVE_INFINITY });
  const [ann, ben] = [await node.welcome("ann"), await node.welcome("ben")];
  t.equal(ann.all("welcome")[0].expires, new Date(ends.expiresAt).toISOString());
  const position = await node.put("news", "a", {});
  for (const count of [1, 2]) {
    node.pass(25);
    await ben.got("beat", count);
    t.equal(ben.all("beat").length, count);
  }
  t.equal(ben.position, position, "a beat tells how far the socket is");
  node.pass(39);
  t.equal(ann.closed, undefined);
  node.services.time.now -= 20_000;
  node.pass(15);
  t.equal(ann.closed, undefined, "the clock was set back");
  node.pass(10);
  t.same(ann.closed, { code: 4401, reason: "token_invalid" });
  t.equal(ben.closed, undefined);
});

t.test("a new token of the same user keeps what is shown, another user's ends it first", async (t) => {
  const rules = {
    format: 1,
    collections: { notes: { list: { owner: "$auth.id" }, get: "list" }, news: { list: true, get: true } },
  };
  const node = await startLiveNode(t, { rules });
  const { people } = node;
  people.user("ann");
  people.user("ben");
  const endsAt = node.services.time.now + 600_000;
  people.alias("ann2", "ann", { endsAt, expiresAt: endsAt });
  await node.put("notes", "a", { owner: "ann" });
  await node.put("notes", "b", { owner: "ben" });
  const socket = await node.welcome("ann");
  const s = socket.find("notes");
  await socket.answered(s);
  socket.say({ t: "auth", token: "ann2" });
  const kept = await socket.got("welcome", 2);
  t.match(kept, { user: "ann", expires: new Date(endsAt).toISOString() });
  await node.put("notes", "a2", { owner: "ann" });
  await until(() => socket.ids(s).length === 2);
  t.same(socket.of(s).resets, []);

  const before = socket.frames.length;
  socket.say({ t: "auth", token: "ben" });
  const other = socket.find("notes");
  await socket.answered(other);
  t.match(socket.frames.slice(before), [
    { t: "error", s, error: { code: "unauthenticated" } },
    { t: "welcome", user: "ben" },
    { t: "snapshot", s: other, rows: [{ _id: "b" }] },
  ]);
  socket.say({ t: "auth", token: null });
  await socket.got("welcome", 4);
  t.match(socket.of(other).error, { code: "unauthenticated" });
  t.equal(socket.all("welcome")[3].user, null);
  const nobody = socket.find("notes");
  await socket.answered(nobody);
  t.match(socket.of(nobody).error, { code: "unauthenticated" }, "L01");
  await node.put("notes", "a3", { owner: "ann" });
  socket.say({ t: "ping" });
  await socket.got("beat");
  t.equal(socket.all("commit").length, 1);
  socket.say({ t: "auth", token: "forged" });
  await until(() => socket.closed !== undefined);
  t.equal(socket.closed?.code, 4401);
  t.same(socket.complaints, []);
});
