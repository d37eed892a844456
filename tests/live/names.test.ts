/** Whom a window of a socket is told to, and when: whoever is out of step takes nothing for its own that is told to others. */
import t from "tap";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { startLiveNode } from "../support/live-node.ts";
import { until } from "../support/until.ts";

const RULES = {
  format: 1,
  shared: { lookups: { mine: { from: "members", where: { userId: "$auth.id" }, select: "team" } } },
  collections: {
    notes: { list: { team: { $in: "$lookup.mine" } }, get: "list" },
    posts: { list: { $or: [{ "$auth.roles": "editor" }, { public: true }] }, get: "list" },
  },
};
/** What may be unsent while results are told. */
const ROOM = 256 * 1024;

t.test("of two who ask the same, one that waits for room is told no change before its result", async (t) => {
  const node = await startLiveNode(t, { rules: RULES });
  node.people.user("ann");
  const member = { userId: "ann", team: "t" };
  await node.put("members", "m1", member);
  await node.put("notes", "n1", { team: "t" });
  const ann = await node.welcome("ann");
  const three = [ann.find("notes"), ann.find("notes"), ann.find("notes")];
  for (const s of three) await ann.answered(s);
  const shown = () => three.map((s) => ann.ids(s).length);
  t.equal(new Set(three.map((s) => ann.of(s).window)).size, 1);
  // One result fits, or one change.
  ann.unsent = { bytes: ROOM - 10, messages: 1 };
  await node.remove("members", "m1");
  await until(() => shown().includes(0));
  await node.put("notes", "n2", { team: "t" });
  await node.put("members", "m1", member);
  await until(() => shown().includes(2));
  const before = shown();
  await node.put("notes", "n3", { team: "t" });
  await until(() => shown().includes(3));
  const late = before.map((count) => (count === 2 ? 3 : count));
  t.same(shown(), late, "what the others were told last stays as it is");
  t.equal(before.filter((count) => count < 2).length, 2);
  ann.drain();
  await until(() => shown().every((count) => count === 3));
  await node.put("notes", "n4", { team: "t" });
  await until(() => shown().every((count) => count === 4));
  t.same(ann.complaints, []);
});

t.test("who is to see more meanwhile does not see what those see who are not", async (t) => {
  let gate: Promise<void> | undefined;
  let open = () => {};
  const between = (store: DocumentStore): DocumentStore => ({
    ...store,
    async find(query) {
      if (query.collection === "posts") await gate;
      return store.find(query);
    },
  });
  const node = await startLiveNode(t, { rules: RULES, between });
  node.people.user("ann");
  await node.put("posts", "p1", { public: true });
  await node.put("posts", "p2", { public: false });
  const ann = await node.welcome("ann");
  const [all, open1] = [ann.find("posts"), ann.find("posts", { filter: { public: true } })];
  await ann.answered(all);
  await ann.answered(open1);
  const { window } = ann.of(all);
  t.equal(ann.of(open1).window, window, "they see the same by now");
  gate = new Promise((resolve) => {
    open = resolve;
  });
  node.people.user("ann", { roles: ["editor"] });
  await node.touchRecord("_users", "ann");
  await node.put("posts", "p3", { public: true });
  await until(() => ann.ids(open1).length === 2);
  t.same(ann.ids(all), ["p1"], "what it was told last, until it is told all of it");
  gate = undefined;
  open();
  await until(() => ann.ids(all).length === 3);
  await node.put("posts", "p4", { public: true });
  await until(() => ann.ids(all).length === 4 && ann.ids(open1).length === 3);
  t.same([ann.of(all).resets, ann.of(open1).resets], [["rights"], ["rights"]]);
  // Nobody goes by the first name any more.
  const again = ann.find("posts", { filter: { public: true } });
  await ann.answered(again);
  t.equal(ann.of(again).window, ann.of(open1).window, "they are in step");
  t.same(ann.complaints, []);
});

t.test("a client that ends one of two keeps the other as it is", async (t) => {
  const node = await startLiveNode(t, { rules: RULES });
  await node.put("posts", "p1", { public: true });
  const socket = await node.welcome();
  const [first, second] = [socket.find("posts"), socket.find("posts")];
  await socket.answered(first);
  await socket.answered(second);
  socket.say({ t: "unsub", s: first });
  socket.results.delete(first);
  await node.put("posts", "p2", { public: true });
  await until(() => socket.ids(second).length === 2);
  t.same(socket.of(second).resets, []);
  t.same(socket.complaints, []);
});

t.test("a welcome to a new token stands behind the commits before it, and moves none of them", async (t) => {
  const node = await startLiveNode(t);
  node.people.user("ann");
  const socket = await node.welcome("ann");
  const s = socket.find("news");
  await socket.answered(s);
  node.people.ask();
  socket.say({ t: "auth", token: "ann" });
  const places = [await node.put("news", "a", { n: 1 }), await node.put("news", "b", { n: 2 })];
  t.equal(socket.all("commit").length, 0, "they are held");
  node.people.known();
  await socket.got("welcome", 2);
  await until(() => socket.ids(s).length === 2);
  const told = socket.frames.filter((frame) => frame.t === "commit" || frame.t === "welcome").slice(1);
  t.same(
    told.map((frame) => [frame.t, frame.pos]),
    [
      ["commit", places[0]],
      ["commit", places[1]],
      ["welcome", places[1]],
    ],
  );
  t.same(socket.complaints, []);
});

t.test("results of which no text is kept are all told, one after the other", async (t) => {
  const node = await startLiveNode(t, { windows: { texts: 0, refill: 5 } });
  for (const id of ["a", "b", "c"]) await node.put("news", id, { text: id });
  const questions = ["a", "b", "c", "d"].map((field) => ({ select: ["text", field] }));
  const told = [];
  for (const socket of [await node.welcome(), await node.welcome()]) {
    const all = questions.map((question) => socket.find("news", question));
    for (const s of all) await socket.answered(s);
    told.push(all.map((s) => socket.ids(s)));
    t.same(socket.complaints, []);
  }
  t.same(told[1], told[0]);
  t.same(told[0]?.[0], ["a", "b", "c"]);
});
