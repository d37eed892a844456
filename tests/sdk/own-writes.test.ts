/** Live results show this client's own writes before they are answered; sdk.md 6. */
import { setTimeout as wait } from "node:timers/promises";
import { createClient, type Doc, type LiveState } from "@galley/sdk";
import t, { type Test } from "tap";
import { Network } from "../support/own-writes/network.ts";
import { type Report, runSession } from "../support/own-writes/session.ts";
import type { Change, Fields } from "../support/own-writes/stored.ts";
import { chooseSeed } from "../support/seeded.ts";
import { until } from "../support/until.ts";

const SESSIONS = Number(process.env.GALLEY_OWN_SESSIONS ?? 600);

// Full jitter may also be none: the waits between tries are not what is tested here.
const { random } = Math;
t.before(() => {
  Math.random = () => 0;
});
t.teardown(() => {
  Math.random = random;
});

t.test("whatever comes in whatever order: never too much, never fallen back, at rest what is stored", async (t) => {
  const seed = chooseSeed();
  t.comment(`seed ${seed}`);
  const report: Report = { events: 0, states: 0, faults: [] };
  for (let n = 0; n < SESSIONS && report.faults.length < 5; n++) await runSession(seed + n, report);
  t.comment(`${report.events} events, ${report.states} states`);
  t.same(report.faults.slice(0, 3), []);
});

/** A client of a server that has a counter. */
function begin(t: Test) {
  const network = new Network();
  const fields: Fields = { n: 1, rank: 0, tag: "a", marks: [] };
  network.stored.commit([{ op: "create", id: "c", fields }]);
  const { fetch, WebSocket } = network;
  const db = createClient<{ items: Fields }>({ url: "http://galley.test", fetch, WebSocket });
  t.teardown(() => db.close());
  return { network, fields, db, items: db.collection("items") };
}

/** Has what was asked stored, and answered as a batch is; others are told later. */
function store(network: Network, change: Change): void {
  network.stored.commit([change]);
  const { position, items } = network.stored;
  const results = [{ id: change.id, v: items.get(change.id)?._v }];
  network.requests
    .shift()
    ?.deliver(Response.json({ results, position }, { headers: { "x-galley-position": position } }));
}

/** A client that shows the largest and all, and has just lost its connection: the two come back one after the other. */
async function droppedWithTwo(t: Test, next?: (state: LiveState<Doc<Fields>[]>) => void) {
  const { network, fields, items } = begin(t);
  const few = items.find({ n: { $gte: 3 } }, { sort: ["n", "-rank"], limit: 2 }).live();
  const all = items.find({}, { sort: "rank", limit: 100 }).live(next);
  await until(() => {
    network.open();
    network.deliverFrame();
    return few.state.synced && all.state.synced;
  });
  // What shows own writes is loaded by then.
  await wait(100);
  network.drop();
  return { network, fields, items, few, all };
}

/** A client that shows all of a counter and its like, with nothing under way. */
async function showing(t: Test) {
  const { network, fields, db, items } = begin(t);
  const live = items.find({}, { sort: "rank", limit: 100 }).live();
  const deliver = () => {
    while (network.frames.length > 0) network.deliverFrame();
  };
  await until(() => {
    network.open();
    deliver();
    return live.state.synced;
  });
  // What shows own writes is loaded beside the socket.
  await wait(200);
  const shown = () => live.state.data?.find(({ _id }) => _id === "c")?.n;
  return { network, db, items, fields, live, deliver, shown };
}

t.test(
  "news wait for the answer of a write that they may hold, but not for ever, and show less then, never more",
  async (t) => {
    const { network, items, live, deliver, shown } = await showing(t);
    const own = items.update("c", { $inc: { n: 1 } }).catch(({ code }: { code: string }) => code);
    await until(() => shown() === 2);
    network.stored.commit([{ op: "inc", id: "c", by: 1 }]);
    network.committed();
    network.stored.commit([{ op: "inc", id: "c", by: 10 }]);
    network.committed();
    deliver();
    await wait(1000);
    t.equal(shown(), 2, "they wait");
    t.match(live.state, { pending: true, synced: false });
    await until(() => shown() === 12, 10, "that they go on");
    network.requests
      .shift()
      ?.deliver(Response.json({ error: { code: "permission_denied", message: "", requestId: "r" } }, { status: 403 }));
    t.equal(await own, "permission_denied");
    await until(() => live.state.synced);
    t.equal(shown(), 12);
  },
);

t.test("a new connection waits for what is on its way, though not as long as the server waits for it", async (t) => {
  const { db, network, items, fields, live, deliver, shown } = await showing(t);
  const answer = (id: string) => {
    const headers = { "x-galley-position": network.stored.position };
    return Response.json(network.stored.items.get(id), { headers });
  };
  const own = items.update("c", { $inc: { n: 1 } });
  await until(() => network.requests.length > 0);
  network.drop();
  await until(() => network.socket !== undefined);
  const { greeted } = network;
  network.open();
  // The answer to another write has the server asked how far it is, in a while.
  const other = items.set("d", fields);
  await until(() => network.requests.length > 1);
  network.stored.commit([{ op: "create", id: "d", fields }]);
  network.requests.pop()?.deliver(answer("d"));
  await other;
  await wait(300);
  t.equal(network.greeted, greeted, "it says nothing yet");
  t.equal(db.connection.status, "connecting", "not even that");
  network.stored.commit([{ op: "inc", id: "c", by: 1 }]);
  network.requests.shift()?.deliver(answer("c"));
  await own;
  await until(() => network.greeted > greeted);
  await until(() => {
    deliver();
    return live.state.synced;
  });
  t.equal(shown(), 2);

  items.update("c", { $inc: { n: 1 } }).catch(() => {});
  await until(() => network.requests.length > 0);
  network.drop();
  await until(() => network.socket !== undefined);
  network.open();
  const began = performance.now();
  await until(() => network.greeted > greeted + 1, 10, "a greeting");
  t.ok(performance.now() - began > 2000, "it has waited");
  t.ok(performance.now() - began < 5000, "and not too long");
});

t.test("what a batch was answered with is not fallen behind by a list that was asked for before it", async (t) => {
  const { network, db, items } = begin(t);
  const live = items.find({}, { sort: "rank", limit: 100 }).live();
  await until(() => network.socket !== undefined);
  network.open();
  await until(() => network.frames.length === 1);
  network.deliverFrame();
  await until(() => network.frames.length === 1);
  await wait(100);
  // The snapshot is on its way, and older than this.
  const written = db.batch((b) => b.collection("items").update("c", { $inc: { n: 1 } }));
  await until(() => network.requests.length > 0);
  store(network, { op: "inc", id: "c", by: 1 });
  await written;
  network.deliverFrame();
  t.match(await live.ready, [{ n: 2 }]);
});

t.test("a part of a document shows what a batch made of it until the server tells of that", async (t) => {
  const { network, db, items } = begin(t);
  const shown: (number | undefined)[] = [];
  const live = items
    .find({ tag: { $ne: "b" } }, { sort: "rank", select: ["rank"], limit: 4 })
    .live(({ data }) => void shown.push(data?.[0]?.rank));
  await until(() => {
    network.open();
    network.deliverFrame();
    return live.state.synced;
  });
  await wait(100);
  const written = db.batch((b) => b.collection("items").update("c", { rank: 3 }));
  await until(() => shown.at(-1) === 3);
  store(network, { op: "rank", id: "c", by: 3 });
  await written;
  network.committed();
  await until(() => {
    network.deliverFrame();
    return live.state.synced;
  });
  t.same(
    shown.filter((rank, i) => rank !== shown[i - 1]),
    [0, 3],
  );
});

t.test("what a list takes from another one that is not back yet is no older for it", async (t) => {
  const { network, fields, items, few, all } = await droppedWithTwo(t);
  const tagged = items.update("c", { tag: "b" });
  await until(() => network.requests.length > 0);
  network.stored.commit([{ op: "tag", id: "c", tag: "b" }]);
  const headers = { "x-galley-position": network.stored.position };
  network.requests.shift()?.deliver(Response.json(network.stored.items.get("c"), { headers }));
  await tagged;
  for (const id of ["x", "y"]) network.stored.commit([{ op: "create", id, fields: { ...fields, n: 4 } }]);
  await until(() => {
    network.open();
    return network.frames.length === 1;
  });
  network.deliverFrame();
  await until(() => network.frames.length === 2);
  items.update("c", { n: 3 }).catch(() => {});
  network.deliverFrame();
  await until(() => few.state.data?.length === 2);
  t.match(few.state.data, [{ _id: "c", n: 3, tag: "b" }, { _id: "y" }]);
  t.notOk(all.state.synced);
});

t.test(
  "what was made here stays in a list that is not back yet, though another one has it from the server",
  async (t) => {
    const lacks: unknown[] = [];
    let isMade = false;
    const { network, fields, items, few, all } = await droppedWithTwo(t, ({ data }) => {
      if (isMade && !data?.some(({ _id }) => _id === "mine")) lacks.push(data);
    });
    await until(() => {
      network.open();
      return network.frames.length === 1;
    });
    // After the greeting, so that the lists that come back already have it, while its answer is still on the way.
    items.create({ _id: "mine", ...fields, n: 3 }).catch(() => {});
    await until(() => all.state.data?.length === 2 && network.requests.length > 0);
    isMade = true;
    network.stored.commit([{ op: "create", id: "mine", fields: { ...fields, n: 3 } }]);
    network.deliverFrame();
    await until(() => network.frames.length === 2);
    network.deliverFrame();
    await until(() => few.state.data?.[0]?._v === 2);
    items.update("c", { tag: "b" }).catch(() => {});
    await until(() => all.state.data?.some(({ tag }) => tag === "b") === true);
    t.equal(all.state.data?.length, 2);
    t.same(lacks, []);
  },
);

t.test("answers that are none of Galley's harm nobody", async (t) => {
  const { network, items, fields, live } = await showing(t);
  for (const body of [JSON.stringify("welcome"), "7", "[]", "{}", "null"]) {
    const written = items.set("odd", fields).catch((error: unknown) => error);
    await until(() => network.requests.length > 0);
    network.requests.shift()?.deliver(new Response(body));
    await written;
  }
  await until(() => live.state.synced);
  t.same(
    live.state.data?.map(({ _id }) => _id),
    ["c"],
  );
});
