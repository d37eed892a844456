/** What is held back while it is not known what somebody may do, and what becomes of it; live-queries.md 9. */
import t from "tap";
import { GalleyError } from "#protocol/errors";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { startLiveNode } from "../support/live-node.ts";
import type { LiveOutlet } from "../support/live-outlet.ts";
import { until } from "../support/until.ts";

const TEAM_RULES = {
  format: 1,
  shared: { lookups: { mine: { from: "members", where: { userId: "$auth.id" }, select: "team" } } },
  collections: {
    notes: { list: { team: { $in: "$lookup.mine" } }, get: "list" },
    drafts: { list: { "$auth.roles": "editor" }, get: "list" },
    news: { list: true, get: true },
  },
};
const ENDED = new GalleyError("unauthenticated", "ended", { reason: "session_ended" });

/** Waits until whatever the session could send was sent. */
async function settled(socket: LiveOutlet): Promise<void> {
  const count = socket.all("beat").length;
  socket.say({ t: "ping" });
  await socket.got("beat", count + 1);
}

const turns = async (count = 5) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

t.test("frames wait while a principal is read anew, and go on where nothing has changed", async (t) => {
  const node = await startLiveNode(t, { rules: TEAM_RULES });
  node.people.user("ann", { roles: ["editor"] });
  await node.put("drafts", "d1", { n: 1 });
  const [ann, other] = [await node.welcome("ann"), await node.welcome()];
  const s = ann.find("drafts");
  const news = other.find("news");
  await ann.answered(s);
  await other.answered(news);
  const { renewals, rebinds } = node.counters;
  node.people.ask();
  await node.touchRecord("_users", "ann");
  const [first, second] = [await node.put("drafts", "d2", { n: 2 }), await node.put("drafts", "d3", { n: 3 })];
  ann.say({ t: "ping" });
  await node.put("news", "x", {});
  await until(() => other.ids(news).length === 1, 5, "others go on");
  await turns();
  t.same(ann.all("commit"), [], "nothing is sent meanwhile");
  t.same(ann.all("beat"), [], "not even where it stands");
  node.people.known();
  await until(() => ann.ids(s).length === 3);
  t.same(
    ann.all("commit").map(({ pos }) => pos),
    [first, second],
    "each commit, once, in order",
  );
  t.equal(ann.writes.at(-1), 3, "in one write, with the answer to ping");
  t.same(ann.of(s).resets, []);
  t.equal(node.counters.renewals, renewals + 1, "nobody else was asked for");
  t.equal(node.counters.rebinds, rebinds);
  t.same([...ann.complaints, ...other.complaints], []);
});

t.test("who lost a right is told the error and nothing of what waited", async (t) => {
  const node = await startLiveNode(t, { rules: TEAM_RULES });
  node.people.user("ann", { roles: ["editor"] });
  await node.put("drafts", "d1", { n: 1 });
  const ann = await node.welcome("ann");
  const [s, n] = [ann.find("drafts"), ann.find("news")];
  await ann.answered(s);
  await ann.answered(n);
  node.people.ask();
  node.people.user("ann", { roles: [] });
  await node.touchRecord("_users", "ann");
  await node.put("drafts", "d1", { n: "hidden" });
  await node.put("news", "x", { n: 1 });
  node.people.known();
  await until(() => ann.of(s).error !== undefined && ann.ids(n).length === 1);
  t.match(ann.of(s).error, { code: "permission_denied" });
  await node.put("drafts", "d1", { n: "hidden" });
  await settled(ann);
  t.notMatch(ann.told(), /hidden/);
  t.same(ann.complaints, []);
});

t.test("who is nobody any more is sent nothing, and closed", async (t) => {
  const node = await startLiveNode(t, { rules: TEAM_RULES });
  for (const [index, collection] of ["_sessions", "_users"].entries()) {
    const name = `user${index}`;
    node.people.user(name, { roles: ["editor"] });
    const socket = await node.welcome(name);
    const twin = await node.welcome();
    const s = socket.find("drafts");
    await socket.answered(s);
    const sent = socket.frames.length;
    node.people.ask();
    node.people.fail(name, ENDED);
    await node.touchRecord(collection, collection === "_users" ? name : `s-${name}`);
    await node.put("drafts", "d1", { n: "hidden" });
    node.people.known();
    await until(() => socket.closed !== undefined);
    t.same(socket.closed, { code: 4401, reason: "session_ended" });
    t.equal(socket.frames.length, sent);
    t.equal(twin.closed, undefined);
    t.same(socket.complaints, []);
  }
});

t.test("who signs out on an open socket goes on as nobody, whatever becomes of the session", async (t) => {
  const node = await startLiveNode(t, { rules: TEAM_RULES });
  node.people.user("ann", { roles: ["editor"] });
  const ann = await node.welcome("ann");
  const s = ann.find("drafts");
  await ann.answered(s);
  node.people.ask();
  node.people.fail("ann", ENDED);
  await node.touchRecord("_sessions", "s-ann");
  await node.put("drafts", "d1", { n: "hidden" });
  ann.say({ t: "auth", token: null });
  await ann.got("welcome", 2);
  node.people.known();
  const n = ann.find("news");
  await ann.answered(n);
  await settled(ann);
  t.equal(ann.closed, undefined);
  t.match(ann.of(s).error, { code: "unauthenticated" });
  t.same(ann.all("commit"), []);
  t.same(ann.complaints, []);
});

t.test("a store that is away for a moment holds them longer, and forgets no change", async (t) => {
  const node = await startLiveNode(t, { rules: TEAM_RULES });
  node.people.user("ann", { roles: ["editor"] });
  const ann = await node.welcome("ann");
  const s = ann.find("drafts");
  await ann.answered(s);
  node.people.ask();
  node.people.fail("ann", new GalleyError("unavailable", "away"));
  await node.touchRecord("_users", "ann");
  await node.put("drafts", "d1", { n: 1 });
  node.people.known();
  await turns();
  t.same(ann.all("commit"), []);
  node.people.fail("ann", undefined);
  node.people.ask();
  const { renewals } = node.counters;
  await until(() => node.counters.renewals > renewals);
  // While it is read, it changes again: what is read then is not of use any more.
  node.people.user("ann", { roles: [] });
  await node.touchRecord("_users", "ann");
  node.people.known();
  await until(() => ann.of(s).error !== undefined);
  t.same(ann.all("commit"), [], "judged by none of the roles before");
});

t.test("rights that went and came back show nothing of the time between", async (t) => {
  const node = await startLiveNode(t, { rules: TEAM_RULES });
  node.people.user("ann");
  await node.put("members", "m1", { userId: "ann", team: "a" });
  await node.put("notes", "n1", { team: "a", text: "one" });
  const ann = await node.welcome("ann");
  const s = ann.find("notes");
  await ann.answered(s);
  t.same(ann.ids(s), ["n1"]);
  // All that waits is told in one turn: a commit takes the right, the next changes the document, the third gives it back.
  node.people.ask();
  await node.touchRecord("_users", "ann");
  await node.remove("members", "m1");
  await node.put("notes", "n1", { team: "a", text: "hidden" });
  await node.put("members", "m1", { userId: "ann", team: "a" });
  await node.put("notes", "n1", { team: "a", text: "two" });
  node.people.known();
  await until(() => ann.of(s).rows[0]?.text === "two");
  t.same(ann.of(s).resets.at(-1), "rights");
  t.notMatch(ann.told(), /hidden/);
  t.same(ann.complaints, []);
});

t.test("a new token of the same user makes nobody forget that a right was gone for a while", async (t) => {
  const node = await startLiveNode(t, {
    rules: { format: 1, collections: { drafts: { list: { "$auth.roles": "editor" } } } },
  });
  const editor = { roles: ["editor"] };
  node.people.user("ann", editor);
  await node.put("drafts", "d1", { text: "one" });
  const ann = await node.welcome("ann");
  const s = ann.find("drafts");
  await ann.answered(s);
  node.people.ask();
  node.people.user("ann", { roles: [] });
  await node.touchRecord("_users", "ann");
  await node.put("drafts", "d1", { text: "hidden" });
  await node.put("drafts", "d1", { text: "two" });
  node.people.user("ann", editor);
  await node.touchRecord("_users", "ann");
  await turns();
  ann.say({ t: "auth", token: "ann" });
  await turns();
  node.people.known();
  await until(() => ann.of(s).rows[0]?.text === "two");
  t.same(ann.of(s).resets, ["rights"]);
  t.notMatch(ann.told(), /hidden/);
  t.same(ann.complaints, []);
});

t.test("a right that changes while a result is loaded decides what is told", async (t) => {
  let gate: Promise<void> | undefined;
  let open: () => void = () => {};
  const close = () => {
    gate = new Promise((resolve) => {
      open = () => {
        gate = undefined;
        resolve();
      };
    });
  };
  const between = (store: DocumentStore): DocumentStore => ({
    ...store,
    async find(query) {
      const found = await store.find(query);
      if (query.collection === "notes") await gate;
      return found;
    },
  });
  const node = await startLiveNode(t, { rules: TEAM_RULES, between });
  node.people.user("ann");
  await node.put("members", "m1", { userId: "ann", team: "a" });
  await node.put("notes", "n1", { team: "a", text: "hidden" });
  await node.put("notes", "n2", { team: "b", text: "shown" });
  const ann = await node.welcome("ann");
  close();
  const s = ann.find("notes");
  await settled(ann);
  await node.put("members", "m1", { userId: "ann", team: "b" });
  await settled(ann);
  open();
  await ann.answered(s);
  t.same(ann.ids(s), ["n2"]);
  t.same(ann.of(s).resets, [], "it is the first result that it is told");
  close();
  const again = ann.find("notes", { limit: 2 });
  await settled(ann);
  node.publish({ format: 1, collections: { notes: { list: false } } });
  open();
  await ann.answered(again);
  t.match(ann.of(again).error, { code: "permission_denied" });
  await until(() => ann.of(s).error !== undefined);
  await settled(ann);
  t.notMatch(ann.told(), /hidden/);
  t.equal(ann.all("snapshot").length, 1);
  t.same(ann.complaints, []);
});

t.test("rules that are published concern everybody, and change nothing where they say the same", async (t) => {
  const node = await startLiveNode(t, { rules: TEAM_RULES });
  node.people.user("ann", { roles: ["editor"] });
  await node.put("drafts", "d1", { n: 1, secret: "x" });
  await node.put("news", "x", { n: 1 });
  const [ann, nobody] = [await node.welcome("ann"), await node.welcome()];
  const [drafts, news, other] = [ann.find("drafts"), ann.find("news"), nobody.find("news")];
  for (const s of [drafts, news]) await ann.answered(s);
  await nobody.answered(other);
  const { drafts: _, ...collections } = TEAM_RULES.collections;
  node.publish({
    ...TEAM_RULES,
    collections: { ...collections, drafts: { list: { "$auth.roles": "editor" }, fields: { secret: { read: false } } } },
  });
  const masked = node.put("drafts", "d1", { n: 2, secret: "hidden" });
  const shown = node.put("news", "x", { n: 2 });
  await Promise.all([masked, shown]);
  await until(() => ann.of(drafts).resets.length === 1 && ann.of(news).rows[0].n === 2);
  await until(() => nobody.of(other).rows[0].n === 2);
  t.match(ann.of(drafts).rows, [{ n: 2 }]);
  t.notOk("secret" in ann.of(drafts).rows[0]);
  t.same([...ann.of(news).resets, ...nobody.of(other).resets], []);
  t.same(nobody.all("commit").length, 1);
  t.notMatch(ann.told(), /hidden/);
  t.same([...ann.complaints, ...nobody.complaints], []);
});

t.test("rules that go by the time are bound again with each tick, those alone", async (t) => {
  const rules = {
    format: 1,
    collections: { posts: { list: { at: { $lte: "$now" } }, get: "list" }, news: { list: true, get: true } },
  };
  const node = await startLiveNode(t, { rules });
  const now = node.services.time.now;
  await node.put("posts", "p0", { at: { $date: new Date(now - 60_000).toISOString() } });
  await node.put("posts", "p1", { at: { $date: new Date(now + 40_000).toISOString() } });
  const socket = await node.welcome();
  const [s, news] = [socket.find("posts"), socket.find("news")];
  await socket.answered(s);
  await socket.answered(news);
  t.same(socket.ids(s), ["p0"]);
  const { rebinds } = node.counters;
  node.pass(29);
  await settled(socket);
  t.equal(node.counters.rebinds, rebinds);
  node.pass(32);
  await until(() => socket.ids(s).length === 2);
  t.same(socket.of(s).resets.at(-1), "rights");
  t.same(socket.of(news).resets, []);
  t.ok(node.counters.rebinds - rebinds <= 2, "two ticks, of one subscription");
});

t.test("a node that does not know what others changed sends nothing", async (t) => {
  const node = await startLiveNode(t, { rules: TEAM_RULES });
  node.people.user("ann", { roles: ["editor"] });
  const ann = await node.welcome("ann");
  const [s, n] = [ann.find("drafts"), ann.find("news")];
  await ann.answered(s);
  await ann.answered(n);
  node.nodes.inTouch = false;
  const first = await node.put("drafts", "d1", { n: 1 });
  ann.say({ t: "ping" });
  await turns();
  t.same([ann.all("commit").length, ann.all("beat").length], [0, 0]);
  node.nodes.inTouch = true;
  await until(() => ann.all("beat").length === 1);
  t.same(
    ann.all("commit").map(({ pos }) => pos),
    [first],
  );

  let read: () => void = () => {};
  node.people.rulesRead = new Promise((resolve) => {
    read = resolve;
  });
  const lost = node.loseOrder();
  node.people.user("ann", { roles: [] });
  await node.put("drafts", "d2", { n: "hidden" });
  await node.put("news", "x", {});
  await turns();
  t.equal(ann.all("commit").length, 1, "nothing before the rules are read");
  read();
  await lost;
  await until(() => ann.of(s).error !== undefined && ann.of(n).resets.includes("history"));
  t.same(ann.ids(n), ["x"]);
  t.notMatch(ann.told(), /hidden/);
  t.same(ann.complaints, []);
});

t.test("a node that stops sends what is in flight, then bye", async (t) => {
  const node = await startLiveNode(t);
  await node.put("news", "a", { n: 1 });
  const socket = await node.welcome();
  const s = socket.find("news");
  await socket.answered(s);
  const position = await node.put("news", "b", { n: 1 });
  socket.session.drain(1234);
  t.same(socket.ids(s), ["a", "b"]);
  t.match(socket.frames.at(-1), { t: "bye", pos: position, retry: 1234 });
  t.equal(socket.closed?.code, 1012);
  const silent = node.open();
  silent.session.drain(1);
  t.same(silent.frames, [], "nothing but errors before welcome");
  t.equal(silent.closed?.code, 1012);
  await node.put("news", "c", {});
  t.same(socket.complaints, []);
  t.equal(node.counters.sockets, 0);
});

t.test("a sign-in and a membership cost nothing for two thousand whom they do not concern", async (t) => {
  const node = await startLiveNode(t, { rules: TEAM_RULES, limits: { questionBurst: 5000, waitingCharacters: 1e9 } });
  await node.put("members", "m0", { userId: "zoe", team: "a" });
  await node.put("members", "m1", { userId: "user1", team: "a" });
  await node.put("notes", "n1", { team: "a" });
  const sockets: LiveOutlet[] = [];
  for (let i = 0; i < 50; i++) {
    const socket = await node.welcome(node.people.user(`user${i}`));
    for (let k = 0; k < 40; k++) socket.find(k % 2 ? "notes" : "news");
    sockets.push(socket);
  }
  await until(() => node.counters.snapshots === 2000, 60, "two thousand results");
  const { rebinds, renewals } = node.counters;
  const before = sockets.map(({ frames }) => frames.length);
  for (let i = 0; i < 20; i++) {
    await node.touchRecord("_sessions", `another${i}`);
    await node.touchRecord("_users", `another${i}`);
    await node.put("members", `x${i}`, { userId: `another${i}`, team: "a" });
  }
  await turns();
  t.equal(node.counters.rebinds, rebinds);
  t.equal(node.counters.renewals, renewals);
  t.same(
    sockets.map(({ frames }) => frames.length),
    before,
    "and nobody is sent anything",
  );
  const [, one] = sockets;
  await node.remove("members", "m1");
  await until(() => node.counters.rebinds > rebinds, 5);
  await turns();
  t.equal(node.counters.rebinds, rebinds + 20, "those of the one whom it concerns");
  await until(() => one?.ids(2).length === 0);
  t.equal(node.counters.renewals, renewals);
});
