/** The client's half of live queries against servers that say what Galley never would, or not at such a moment. */
import { ApiError, createClient } from "@galley/sdk";
import t from "tap";
import { CLOSE } from "#protocol/frames";
import { startScriptedLive } from "../support/scripted-live.ts";
import {
  play,
  pos,
  type State,
  serving,
  snapshot,
  subOf,
  todo,
  WebSocket,
  welcome,
} from "../support/scripted-todos.ts";
import { until } from "../support/until.ts";

// Full jitter may also be none: the waits between tries are not what is tested here.
const { random } = Math;
Math.random = () => 0;
t.teardown(() => {
  Math.random = random;
});

t.test("a result follows commits, and says what each changed", async (t) => {
  const { server, states, live, told } = await play(
    t,
    serving(() => [todo("a"), todo("b"), todo("c")]),
  );
  t.strictSame(
    (await live.ready).map(({ _id }) => _id),
    ["a", "b", "c"],
  );
  const connection = await server.frames(0, 2);
  t.match(connection.frames[0], { t: "hello", v: 1 });
  t.strictSame(subOf(connection.frames[1]).q, { collection: "todos", find: { filter: {}, sort: "title" } });
  const [first] = states;
  t.match(first, { synced: true, position: pos(1), error: undefined });
  t.strictSame(
    first?.changes.map(({ type, to }) => [type, to]),
    [
      ["added", 0],
      ["added", 1],
      ["added", 2],
    ],
  );

  connection.send({ t: "commit", pos: pos(2), w: { w1: { prev: pos(1), rm: ["a"], up: [[1, todo("d")]] } } });
  await told(2);
  t.strictSame(
    states[1]?.data?.map(({ _id }) => _id),
    ["b", "d", "c"],
  );
  t.strictSame(
    states[1]?.changes.map(({ type, id, from, to }) => [type, id, from, to]),
    [
      ["removed", "a", 0, -1],
      ["added", "d", -1, 1],
    ],
  );
  t.equal(states[1]?.data?.[2], first?.data?.[2], "what is the same keeps its identity");

  connection.send({
    t: "commit",
    pos: pos(3),
    w: {
      w1: {
        prev: pos(2),
        up: [
          [0, todo("c")],
          [1, todo("b", 2)],
        ],
      },
    },
  });
  await told(3);
  t.strictSame(
    states[2]?.changes.map(({ type, id, from, to }) => [type, id, from, to]),
    [
      ["moved", "c", 2, 0],
      ["updated", "b", 0, 1],
    ],
  );
  t.equal(live.state, states[2]);
});

t.test("a result that begins short is not called synced", async (t) => {
  const { server, states, told } = await play(t, (frame, connection) => {
    if (frame.t === "hello") connection.send(welcome());
    if (frame.t === "sub") connection.send(snapshot(frame.s, [todo("a")], 1, { short: true }));
  });
  await told(1);
  t.match(states[0], { synced: false, data: [{ _id: "a" }] });
  const connection = await server.frames(0, 2);
  connection.send({ t: "commit", pos: pos(1), w: { w1: { prev: pos(1), up: [[1, todo("b")]], short: false } } });
  await told(2);
  t.match(states[1], { synced: true, data: [{ _id: "a" }, { _id: "b" }] });
});

t.test("short results are not called synced, nor offered to resume by", async (t) => {
  const { server, states, told } = await play(
    t,
    serving(() => [todo("a"), todo("b")]),
  );
  await told(1);
  const connection = await server.frames(0, 2);
  connection.send({ t: "commit", pos: pos(2), w: { w1: { prev: pos(1), rm: ["a"], short: true } } });
  await told(2);
  t.match(states[1], { synced: false, data: [{ _id: "b" }] });
  // What it lacked comes at the position of the commit before.
  connection.send({ t: "commit", pos: pos(2), w: { w1: { prev: pos(2), up: [[1, todo("z")]], short: false } } });
  await told(3);
  t.match(states[2], { synced: true, data: [{ _id: "b" }, { _id: "z" }] });
});

t.test("a lost connection comes back with what is held, and the net change is told", async (t) => {
  let rows = [todo("a"), todo("b")];
  let n = 1;
  const { server, states, last, told } = await play(
    t,
    serving(
      () => rows,
      () => n,
    ),
  );
  await told(1);
  const connection = await server.frames(0, 2);
  rows = [todo("a", 3), todo("c")];
  n = 9;
  connection.cut();
  const again = await server.frames(1, 2);
  t.match(again.frames[0], { t: "hello", after: pos(1) });
  t.match(subOf(again.frames[1]), { s: 2, have: { shape: "x", hash: /^[0-9a-f]{16}$/ } });
  await until(() => last()?.position === pos(9));
  t.match(states[1], { synced: false, data: states[0]?.data }, "what was shown stays shown");
  t.equal(last()?.synced, true);
  t.strictSame(
    last()?.changes.map(({ type, id }) => [type, id]),
    [
      ["removed", "b"],
      ["updated", "a"],
      ["added", "c"],
    ],
  );
});

t.test("where nothing changed meanwhile, documents are not sent again", async (t) => {
  const { server, states, last, told } = await play(t, (frame, connection, n) => {
    if (frame.t === "hello") connection.send(welcome(1));
    if (frame.t !== "sub") return;
    if (n === 0) connection.send(snapshot(frame.s, [todo("a")]));
    else connection.send({ t: "current", s: frame.s, w: "w9", pos: pos(5), shape: "x", more: false });
  });
  await told(1);
  (await server.frames(0, 2)).close(CLOSE.draining);
  await until(() => last()?.position === pos(5));
  t.strictSame(last()?.changes, []);
  t.equal(last()?.data, states[0]?.data);
  server.connections[1]?.send({ t: "commit", pos: pos(6), w: { w9: { prev: pos(5), up: [[0, todo("A")]] } } });
  await until(() => last()?.data?.length === 2);
});

t.test("a commit that was missed is noticed, and one that is told twice changes nothing", async (t) => {
  let rows = [todo("a")];
  const { server, states, last, told } = await play(
    t,
    serving(() => rows),
  );
  await told(1);
  const connection = await server.frames(0, 2);
  connection.send({ t: "commit", pos: pos(3), w: { w1: { prev: pos(1), up: [[1, todo("b")]] } } });
  await told(2);
  connection.send({ t: "commit", pos: pos(3), w: { w1: { prev: pos(1), up: [[1, todo("b")]] } } });
  connection.send({ t: "commit", pos: pos(2), w: { w1: { prev: pos(1), rm: ["a"] } } });
  rows = [todo("q")];
  connection.send({ t: "commit", pos: pos(9), w: { w1: { prev: pos(8), rm: ["a"] } } });
  const { frames } = await server.frames(0, 4);
  t.match(frames.slice(2), [
    { t: "unsub", s: 1 },
    { t: "sub", s: 2 },
  ]);
  await until(() => last()?.data?.[0]?._id === "q");
  t.strictSame(
    states.filter(({ synced }) => synced).map(({ data }) => data?.map(({ _id }) => _id)),
    [["a"], ["a", "b"], ["q"]],
  );
});

t.test("who iterates slowly sees what changed since the state that they saw", async (t) => {
  const { server, live, last } = await play(
    t,
    serving(() => [todo("a")]),
  );
  const seen: string[] = [];
  const slow = (async () => {
    for await (const { changes, position } of live) {
      seen.push(changes.map(({ type, id }) => `${type} ${id}`).join());
      if (position === pos(4)) return;
      await until(() => last()?.position === pos(4));
    }
  })();
  await until(() => seen.length === 1);
  const connection = await server.frames(0, 2);
  for (const [n, id] of ["b", "c", "d"].entries()) {
    connection.send({ t: "commit", pos: pos(n + 2), w: { w1: { prev: pos(n + 1), up: [[n + 1, todo(id)]] } } });
  }
  await slow;
  t.strictSame(seen, ["added a", "added b,added c,added d"]);
});

t.test("two results of one commit never disagree", async (t) => {
  const server = await startScriptedLive(
    t,
    serving(() => [todo("a")]),
  );
  const db = createClient<{ todos: { title: string } }>({ url: server.url, WebSocket });
  t.teardown(() => db.close());
  const todos = db.collection("todos");
  const differences: string[] = [];
  const lives = [todos.find({ title: "1" }), todos.find({ title: "2" })].map((query) =>
    query.live(() => {
      const [one, two] = lives.map(({ state }) => state.position);
      if (one !== undefined && two !== undefined && one !== two) differences.push(`${one} ${two}`);
    }),
  );
  await Promise.all(lives.map(({ ready }) => ready));
  const connection = await server.frames(0, 3);
  for (let n = 2; n < 20; n++) {
    const delta = { prev: pos(n - 1), up: [[0, todo("a", n)]] };
    connection.send({ t: "commit", pos: pos(n), w: { w1: delta, w2: delta } });
  }
  await until(() => lives.every(({ state }) => state.position === pos(19)));
  t.strictSame(differences, []);
});

t.test("equal questions share a subscription, which outlives the last who asks by seconds", async (t) => {
  const { server, db, live, told } = await play(
    t,
    serving(() => [todo("a")]),
  );
  await told(1);
  const again = db.collection("todos").find({}, { sort: "title" }).live();
  t.strictSame((await again.ready).length, 1);
  t.same(
    again.state.changes.map(({ type }) => type),
    ["added"],
  );
  again.close();
  live.close();
  const third = db.collection("todos").find({}, { sort: "title" }).live();
  await third.ready;
  t.equal(server.connections[0]?.frames.length, 2, "hello, and one sub");
  third.close();
});

t.test("a refusal ends a subscription; what passes is asked again", async (t) => {
  let answers = 0;
  const error = (code: string, details = {}) => ({ code, message: "no", details, requestId: "r1" });
  const times: number[] = [];
  const { live, last } = await play(t, (frame, connection) => {
    if (frame.t === "hello") connection.send(welcome());
    if (frame.t !== "sub") return;
    times.push(performance.now());
    if (answers++ === 0) connection.send({ t: "error", s: frame.s, error: error("rate_limited", { retryAfter: 2 }) });
    else connection.send({ t: "error", s: frame.s, error: error("permission_denied") });
  });
  const fault = await live.ready.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  t.ok(ApiError.is(fault, "permission_denied"));
  t.match(fault, { status: 403, requestId: "r1" });
  t.equal(answers, 2);
  t.ok((times[1] ?? 0) - (times[0] ?? 0) >= 1990, "no sooner than the server wants");
  t.match(last(), { synced: false, data: undefined });
  const seen: unknown[] = [];
  for await (const state of live) seen.push(state);
  t.equal(seen.length, 1, "the last state, and then no more");
});

t.test("a server that will not have us ends all; one that is busy is left alone for a while", async (t) => {
  const { server, live, db } = await play(t, (frame, connection) => {
    if (frame.t === "hello") connection.close(CLOSE.policy, "unknown version");
  });
  await live.ready.then(
    () => t.fail("it was refused"),
    (thrown) => t.match(thrown, { message: "unknown version" }),
  );
  t.equal(db.connection.status, "off");
  t.equal(server.connections.length, 1);

  const busy = await play(t, (_frame, connection, n) => (n === 0 ? connection.close(CLOSE.overloaded) : undefined));
  await until(() => busy.db.connection.status === "waiting");
  await until(() => busy.server.connections.length === 2);
  const [one, two] = busy.server.connections;
  t.ok((two?.at ?? 0) - (one?.at ?? 0) > 4900, "at least five seconds");
});

t.test("a position ahead of the server is dropped with the second refusal", async (t) => {
  const { server, told } = await play(t, (frame, connection, n) => {
    if (frame.t === "hello" && (n === 1 || n === 2)) connection.close(CLOSE.ahead);
    else serving(() => [todo("a")])(frame, connection);
  });
  await told(1);
  (await server.frames(0, 2)).cut();
  await server.frames(3, 2);
  const hellos = server.connections.map(({ frames }) => frames[0]);
  t.match(hellos[1], { after: pos(1) });
  t.match(hellos[2], { after: pos(1) });
  t.notOk("after" in (hellos[3] ?? {}));
});

t.test("pausing closes the socket, resuming opens it; status tells", async (t) => {
  const { db, server, told, last } = await play(
    t,
    serving(() => [todo("a")]),
  );
  await told(1);
  t.equal(db.connection.status, "open");
  let changes = 0;
  const stop = db.connection.onChange(() => changes++);
  db.connection.pause();
  t.equal(db.connection.status, "off");
  await until(() => last()?.synced === false);
  db.connection.resume();
  await until(() => last()?.synced === true);
  t.equal(server.connections.length, 2);
  t.ok(changes >= 3);
  stop();
});

t.test("counts and single documents are live too", async (t) => {
  const server = await startScriptedLive(t, (frame, connection) => {
    if (frame.t === "hello") connection.send(welcome());
    if (frame.t !== "sub") return;
    if ("count" in frame.q)
      connection.send({ t: "value", s: frame.s, w: "c", pos: pos(1), at: pos(1), value: { count: 1, more: false } });
    else connection.send(snapshot(frame.s, "get" in frame.q ? [] : [todo("a")]));
  });
  const db = createClient<{ todos: { title: string } }>({ url: server.url, WebSocket });
  t.teardown(() => db.close());
  const todos = db.collection("todos");
  const count = todos.find({ title: "x" }).count({ cap: 5 }).live();
  t.strictSame(await count.ready, { count: 1, more: false });
  t.equal(await todos.get("a").live().ready, null);
  t.match(await todos.find().first().live().ready, { _id: "a" });
  const { frames } = await server.frames(0, 4);
  t.strictSame(
    frames.slice(1).map((frame) => subOf(frame).q),
    [
      { collection: "todos", count: { filter: { title: "x" }, cap: 5 } },
      { collection: "todos", get: { ids: ["a"] } },
      { collection: "todos", find: { filter: {}, limit: 1 } },
    ],
  );
  server.connections[0]?.send({ t: "commit", pos: pos(2), w: { c: { value: { count: 2, more: false }, at: pos(2) } } });
  await until(() => count.state.data?.count === 2);
});

t.test("someone else sees nothing of what was shown before", async (t) => {
  const tokens: unknown[] = [];
  const server = await startScriptedLive(t, (frame, connection) => {
    if (frame.t === "hello") connection.send(welcome());
    if (frame.t === "auth") {
      tokens.push(frame.token);
      connection.send({
        t: "error",
        s: 1,
        error: { code: "unauthenticated", message: "someone else", requestId: "r" },
      });
      connection.send(welcome());
    }
    if (frame.t === "sub") connection.send(snapshot(frame.s, [todo(frame.s === 1 ? "mine" : "theirs")]));
  });
  const held = { id: "s1", user: { id: "u1" }, accessToken: "t1", refreshToken: "r1", expiresIn: 900, turn: 1 };
  const map = new Map([[`galley:${server.url}`, JSON.stringify({ ...held, at: Date.now() })]]);
  const storage = {
    getItem: (key: string) => map.get(key) ?? null,
    setItem: (key: string, value: string) => map.set(key, value),
    removeItem: (key: string) => map.delete(key),
  };
  const db = createClient<{ todos: { title: string } }>({ url: server.url, WebSocket, storage });
  t.teardown(() => db.close());
  const states: State[] = [];
  const live = db
    .collection("todos")
    .find()
    .live((state) => states.push(state as State));
  await live.ready;
  t.match((await server.frames(0, 2)).frames[0], { token: "t1" });
  await db.auth.signOut().catch(() => {});
  await until(() => states.at(-1)?.data?.[0]?._id === "theirs");
  t.strictSame(tokens, [null]);
  t.strictSame(
    states.map(({ data }) => data?.map(({ _id }) => _id)),
    [["mine"], undefined, ["theirs"]],
  );
});
