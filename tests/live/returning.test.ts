/** Rights that go and come back while nothing may be sent, and what comes late or at once; live-queries.md 9, 10. */
import t from "tap";
import type { GalleyError } from "#protocol/errors";
import { startLiveNode } from "../support/live-node.ts";
import { until } from "../support/until.ts";

const turns = async () => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};

t.test("rules that took a right, and a role that gave it back, show nothing of the time between", async (t) => {
  const masked = { c: { read: { "$auth.roles": "editor" } } };
  const open = { list: true, get: true };
  const node = await startLiveNode(t, { rules: { format: 1, collections: { news: open } } });
  node.people.user("ann");
  await node.put("news", "n1", { c: "one" });
  const ann = await node.welcome("ann");
  const s = ann.find("news");
  await ann.answered(s);
  // As in one turn: the rules of before do not say who was somebody else then.
  node.nodes.inTouch = false;
  node.publish({ format: 1, collections: { news: { ...open, fields: masked } } });
  await node.put("news", "n1", { c: "hidden" });
  await node.put("news", "n1", { c: "two" });
  node.people.user("ann", { roles: ["editor"] });
  await node.touchRecord("_users", "ann");
  await turns();
  node.nodes.inTouch = true;
  await until(() => ann.of(s).rows[0]?.c === "two");
  t.same(ann.of(s).resets.at(-1), "rights");
  t.notMatch(ann.told(), /hidden/);
  t.same(ann.complaints, []);
});

t.test("a denial that is explained while it is asked who somebody is says nothing of who they were", async (t) => {
  const told: (() => void)[] = [];
  const tellDenial = (error: GalleyError) => new Promise<GalleyError>((resolve) => told.push(() => resolve(error)));
  const drafts = { list: { "$auth.roles": "editor" }, get: "list" };
  const node = await startLiveNode(t, { rules: { format: 1, collections: { drafts } }, tellDenial });
  node.people.user("ann");
  await node.put("drafts", "d1", { n: 1 });
  const ann = await node.welcome("ann");
  const s = ann.find("drafts");
  await until(() => told.length === 1);
  node.people.ask();
  await node.touchRecord("_users", "ann");
  told[0]?.();
  await turns();
  t.same(ann.of(s).error, undefined, "she may be an editor by now");
  node.people.known();
  await until(() => told.length === 2);
  t.same(ann.of(s).error, undefined, "judged anew");
  node.people.ask();
  node.people.user("ann", { roles: ["editor"] });
  await node.touchRecord("_users", "ann");
  told[1]?.();
  await turns();
  node.people.known();
  await ann.answered(s);
  t.same(ann.ids(s), ["d1"]);
  t.same(ann.all("error"), []);
  t.same(ann.complaints, []);
});

t.test("a token that ended while the machine slept shows nothing more, though no timer went off", async (t) => {
  const node = await startLiveNode(t);
  const { time } = node.services;
  await node.put("news", "a", {});
  const socket = await node.welcome(node.people.user("ann", {}, { endsAt: time.now + 90_000 }));
  const s = socket.find("news");
  await socket.answered(s);
  time.now += 90_000;
  await node.put("news", "b", {});
  await until(() => socket.closed !== undefined);
  t.same(socket.closed, { code: 4401, reason: "token_invalid" });
  t.same(socket.ids(s), ["a"]);
});

t.test("a commit beyond what may wait makes nobody slow who reads it", async (t) => {
  const node = await startLiveNode(t, { limits: { unsentMessages: 50 } });
  await node.put("news", "a", { text: "x" });
  const socket = await node.welcome();
  const s = socket.find("news");
  await socket.answered(s);
  const send = socket.send.bind(socket);
  socket.send = (frames) => {
    send(frames);
    socket.unsent = { bytes: 5 * 1024 * 1024, messages: 51 };
  };
  for (const text of ["y", "z"]) {
    await node.put("news", "a", { text });
    await until(() => socket.of(s).rows[0].text === text);
    socket.drain();
  }
  await node.put("news", "a", { text: "read" });
  await until(() => socket.of(s).rows[0].text === "read");
  t.equal(socket.closed, undefined);
  await node.put("news", "a", { text: "not read" });
  await until(() => socket.closed !== undefined);
  t.equal(socket.closed?.code, 4408);
});

t.test("a node that has stood still closes nobody for what came meanwhile: whole results are told", async (t) => {
  const node = await startLiveNode(t, { limits: { unsentMessages: 50 } });
  await node.put("news", "a", { n: 0 });
  const socket = await node.welcome();
  const [all, same, first] = [socket.find("news"), socket.find("news"), socket.find("news", { limit: 1 })];
  const count = socket.sub({ collection: "news", count: {} });
  for (const s of [all, same, first, count]) await socket.answered(s);
  node.nodes.inTouch = false;
  for (let n = 1; n <= 60; n++) await node.put("news", n % 2 ? "a" : `b${n}`, { n });
  socket.say({ t: "sub", s: 99, q: { collection: "closed", find: {} } });
  t.equal(socket.all("commit").length, 0);
  node.nodes.inTouch = true;
  await until(() => socket.of(99).error !== undefined && socket.of(count).value.count === 31);
  for (const s of [all, same]) t.match(socket.of(s), { resets: ["resume"], error: undefined });
  await node.put("news", "a", { n: 61 });
  await until(() => socket.of(first).rows[0].n === 61);
  for (const s of [all, same]) t.match([socket.ids(s).length, socket.of(s).rows[0].n], [31, 61]);
  t.same(socket.complaints, []);
  t.equal(socket.closed, undefined);
});
