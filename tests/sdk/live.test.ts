/** The client's live half against a real Galley: what docs/realtime.md promises of states. */
import { ApiError, type Client, createClient, type Live, type LiveState } from "@galley/sdk";
import t, { type Test } from "tap";
import { WebSocket as NodeSocket } from "ws";
import { startApp, type TestApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { NO_LIMITS } from "../support/no-limits.ts";
import { publishRules } from "../support/publish-rules.ts";
import { until } from "../support/until.ts";

const WebSocket = NodeSocket as unknown as typeof globalThis.WebSocket;
// Full jitter may also be none: the waits between tries are not what is tested here.
const { random } = Math;
Math.random = () => 0;
t.teardown(() => {
  Math.random = random;
});

interface Score {
  by: string;
  n: number;
  tag?: string;
}

interface Schema {
  scores: Score;
  mine: { ownerId: string; text: string };
  drafts: { text: string };
  listed: { text: string };
}

const OWN = { ownerId: "$auth.id" };
const RULES = {
  format: 1,
  collections: {
    mine: { list: OWN, get: "list", create: OWN },
    drafts: { list: false },
    listed: { list: true, update: true },
  },
};
const ENV = { GALLEY_SECRET: "a secret of the tests that is long enough for it" };

onEachEngine(t, async (t, engine) => {
  const time = { now: Date.now() };
  const first = await startApp({ engine, env: ENV, clock: () => time.now });
  let app: TestApp = first;
  t.teardown(async () => {
    if (app !== first) await app.close();
    await first.close();
  });
  await app.send("PATCH", "/v1/admin/settings", { body: NO_LIMITS });
  await publishRules(app, RULES);
  const open = (t: Test, options: { serviceKey?: string } = { serviceKey: app.key }): Client<Schema> => {
    const db = createClient<Schema>({ url: app.url, WebSocket, ...options });
    t.teardown(() => db.close());
    return db;
  };
  const db = open(t as Test);
  const scores = db.collection("scores");
  for (const [by, n] of [
    ["ann", 5],
    ["bob", 3],
    ["cy", 9],
  ] as const)
    await scores.set(by, { by, n, tag: "a" });

  t.test(
    "find, first, get, count, distinct and aggregate stay what they would be if they were asked anew",
    async (t) => {
      const other = open(t);
      const best = scores.find({ n: { $gt: 3 } }, { sort: "-n", limit: 2 });
      const all = scores.find();
      const groups = { group: ["tag"], out: { n: { count: true }, most: { max: "n" } } } as const;
      const list = best.live();
      const top = scores.find({}, { sort: "-n" }).first().live();
      const one = scores.get("dan").live();
      const values = {
        count: all.count().live(),
        tags: all.distinct("tag").live(),
        sums: all.aggregate(groups).live(),
      };
      t.same(
        (await list.ready).map(({ _id }) => _id),
        ["cy", "ann"],
      );
      t.equal((await top.ready)?.by, "cy");
      t.equal(await one.ready, null);
      t.match(await Promise.all([values.count.ready, values.tags.ready]), [{ count: 3 }, { values: ["a"] }]);
      // Another client's.
      await other.collection("scores").set("dan", { by: "dan", n: 20, tag: "b" });
      await until(() => list.state.data?.[0]?.by === "dan" && top.state.data?.by === "dan" && one.state.data !== null);
      t.match(list.state.changes, [
        { type: "removed", id: "ann", to: -1 },
        { type: "added", id: "dan", from: -1, to: 0 },
      ]);
      t.match(one.state.data, { by: "dan", n: 20 });
      await other.collection("scores").delete("cy");
      await until(() => list.state.data?.at(-1)?.by === "ann");
      const isCurrent = async () =>
        JSON.stringify([values.count, values.tags, values.sums].map(({ state }) => state.data)) ===
        JSON.stringify(await Promise.all([all.count(), all.distinct("tag"), all.aggregate(groups)]));
      await until(isCurrent, 20, "values as they would be told now");
      t.same(list.state.data, await best);
      t.same(
        [list, top, one].map(({ state }) => [state.synced, state.error]),
        Array(3).fill([true, undefined]),
      );
      for (const live of [list, top, one, ...Object.values(values)]) live.close();
    },
  );

  t.test(
    "own writes show before they leave, are confirmed by the server's news, and documents that are the same stay the same objects",
    async (t) => {
      const positions: (string | undefined)[] = [];
      const live = scores.find({}, { sort: "by" }).live(({ position }) => void positions.push(position));
      const [ann] = await live.ready;
      const made = await scores.create({ by: "eve", n: 1 });
      await until(() => live.state.data?.some(({ _id, _v }) => _id === made._id && _v === made._v) === true, 10);
      t.equal(live.state.data?.[0], ann);
      const states: LiveState<unknown>[] = [];
      const other = scores.find({}, { sort: "by" }).live((state) => void states.push(state));
      await other.ready;
      const written = db.batch((b) => {
        b.collection("scores").update(made._id, { $inc: { n: 1 } });
        b.collection("scores").create({ by: "fay", n: 2 });
      });
      t.equal(states.length, 1, "nothing is told in the turn of the call");
      await until(() => states.length > 1);
      t.match(states[1], { pending: true, synced: false });
      t.same(
        states[1]?.changes.map(({ type, document }) => [type, (document as Score).by, (document as Score).n]),
        [
          ["updated", "eve", 2],
          ["added", "fay", 2],
        ],
      );
      await written;
      await until(() => live.state.synced && live.state.data?.at(-1)?.by === "fay");
      t.match(live.state, { pending: false });
      t.same(live.state.data, await scores.find({}, { sort: "by" }));
      other.close();
      t.same(positions, [...positions].sort());
      const before = live.state;
      await db.collection("drafts").create({ text: "x" });
      await scores.update("ann", { $set: { n: 6 } }, { optimistic: false });
      await until(() => live.state !== before);
      t.same(
        live.state.changes.map(({ id, type }) => [type, id]),
        [["updated", "ann"]],
      );
      live.close();
    },
  );

  t.test(
    "the first state that somebody is told changes nothing into all of it, whatever is written then",
    async (t) => {
      const live = scores.find({}, { sort: "by" }).live();
      await live.ready;
      await until(() => live.state.synced);
      const states: LiveState<unknown[]>[] = [];
      const other = scores.find({}, { sort: "by" }).live((state) => void states.push(state));
      const made = await scores.create({ by: "gus", n: 1 });
      await until(() => other.state.synced && states.length > 1);
      t.same(
        states[0]?.changes.map(({ type, from, to }) => [type, from, to]),
        states[0]?.data?.map((_, i) => ["added", -1, i]),
      );
      await scores.delete(made._id);
      for (const one of [live, other]) one.close();
    },
  );

  t.test("who is closed is told nothing more, also in the turn in which all are told", async (t) => {
    let isClosed = false;
    let told = 0;
    const lists = [5, 6].map((limit) => scores.find({}, { limit }));
    const first = lists[0]?.live(({ data }) => {
      if (!data?.some(({ by }) => by === "hal")) return;
      isClosed = true;
      second?.close();
    });
    const second = lists[1]?.live(() => {
      if (isClosed) told++;
    });
    await Promise.all([first?.ready, second?.ready]);
    const made = await scores.create({ _id: "0", by: "hal", n: 1 });
    await until(() => first?.state.synced === true && isClosed);
    const third = lists[0]?.live(() => void told++);
    third?.close();
    await scores.delete(made._id);
    await until(() => first?.state.synced === true && !first.state.data?.some(({ by }) => by === "hal"));
    t.equal(told, 0);
    first?.close();
  });

  t.test("a write behind the last row that a list shows leaves it the same list", async (t) => {
    const live = scores.find({}, { sort: "by", limit: 2 }).live();
    await live.ready;
    await until(() => live.state.synced);
    const { data } = live.state;
    const lists = new Set<unknown>();
    const all = scores.find({}, { sort: "by" }).live(() => void lists.add(live.state.data));
    await all.ready;
    const made = await scores.create({ by: "zoe", n: 1 });
    await scores.update(made._id, { $inc: { n: 1 } });
    await until(() => all.state.synced);
    t.same([...lists].length, 1);
    t.equal(live.state.data, data);
    await scores.delete(made._id);
    for (const one of [live, all]) one.close();
  });

  t.test("a question that the rules forbid ends with their error, and the others go on", async (t) => {
    const guest = open(t, {});
    await guest.auth.signInAsGuest();
    const [denied, mine] = [guest.collection("drafts").find().live(), guest.collection("mine").find().live()];
    const error = await denied.ready.catch((fault: unknown) => fault);
    t.ok(ApiError.is(error, "permission_denied"));
    t.match(denied.state, { data: undefined, synced: false, error: { code: "permission_denied", status: 403 } });
    const states: LiveState<unknown>[] = [];
    for await (const state of denied) states.push(state);
    t.same(states.length, 1, "an iteration ends");
    t.same(await mine.ready, []);
    await guest.collection("mine").create({ ownerId: guest.auth.user?.id ?? "", text: "own" });
    await until(() => mine.state.data?.length === 1);
  });

  t.test("who signs in on the same client is shown their own, and nothing of whoever was there before", async (t) => {
    const guest = open(t, {});
    await guest.auth.signInAsGuest();
    const mine = guest.collection("mine");
    const shown: string[][] = [];
    const live = mine.find().live(({ data }) => void shown.push((data ?? []).map(({ text }) => text)));
    await mine.create({ ownerId: guest.auth.user?.id ?? "", text: "of the first" });
    await until(() => shown.at(-1)?.[0] === "of the first");
    await guest.auth.signOut();
    await until(() => live.state.data === undefined || live.state.error !== undefined);
    const from = shown.length;
    await guest.auth.signInAsGuest();
    const again = mine.find().live(({ data }) => void shown.push((data ?? []).map(({ text }) => text)));
    t.same(await again.ready, []);
    await mine.create({ ownerId: guest.auth.user?.id ?? "", text: "of the second" });
    await until(() => shown.at(-1)?.[0] === "of the second");
    t.notMatch(JSON.stringify(shown.slice(from)), /first/);
  });

  t.test("who may list what they write, but not get it, is shown all of it, whatever their answers lack", async (t) => {
    const { _id } = await db.collection("listed").create({ text: "0" });
    const guest = open(t, {});
    const listed = guest.collection("listed");
    const shown = new Set<unknown>();
    const live = listed.find().live(({ data }) => void shown.add(data?.[0]?.text));
    await live.ready;
    for (let n = 1; n <= 20; n++) {
      t.strictSame(Object.keys(await listed.update(_id, { text: `${n}` })), ["_id", "_v"]);
      await until(() => live.state.synced);
      t.equal(live.state.data?.[0]?.text, `${n}`);
    }
    t.notOk(shown.has(undefined), "at any time");
  });

  t.test("a token is renewed on the open socket before it ends by the server's clock", async (t) => {
    const guest = open(t, {});
    await guest.auth.signInAsGuest();
    const mine = guest.collection("mine");
    const ownerId = guest.auth.user?.id ?? "";
    // Of the token's 15 minutes there are two seconds left, of which this device knows nothing.
    time.now += 15 * 60_000 - 2000;
    const live = mine.find().live();
    await live.ready;
    const { counters } = app.app.live;
    const sockets = counters.sockets;
    const renewals = counters.renewals;
    const before = await guest.auth.token();
    await until(async () => (await guest.auth.token()) !== before && counters.renewals > renewals, 10, "a new token");
    time.now += 5 * 60_000;
    await mine.create({ ownerId, text: "after the first token's end" });
    await until(() => live.state.data?.length === 1);
    t.ok(counters.renewals <= renewals + 3, "told once, not again and again");
    t.same([counters.closes[4401], counters.closes[4429], counters.sockets], [undefined, undefined, sockets]);
    live.close();
  });

  t.test("what is asked in the moment of a change of users is asked as the new one", async (t) => {
    const guest = open(t, {});
    const mine = guest.collection("mine");
    const lives: Live<{ text: string }[]>[] = [];
    // Heard here before the connection hears of it, as by an app that draws itself anew.
    guest.auth.onChange((user) => user && lives.push(mine.find().live(), mine.find({ text: { $ne: "" } }).live()));
    for (const text of ["first", "second", "third"]) {
      const { id: ownerId } = await guest.auth.signInAsGuest();
      await mine.create({ ownerId, text });
      await until(() => lives.length === 2);
      for (const live of lives.splice(0)) {
        await until(() => live.state.data?.[0]?.text === text || live.state.error !== undefined);
        t.match(live.state, { error: undefined, data: [{ text }] });
        live.close();
      }
      await guest.auth.signOut();
    }
  });

  t.test("who signs in while the connection is made is shown their own", async (t) => {
    let welcome = (): void => {};
    const welcomed = new Promise<void>((resolve) => {
      welcome = resolve;
    });
    let isGreeted = false;
    class SlowSocket extends NodeSocket {
      override send(...values: [data: string]) {
        isGreeted = true;
        super.send(...values);
      }
      override emit(name: string, ...values: unknown[]): boolean {
        if (name !== "message") return super.emit(name, ...values);
        void welcomed.then(() => super.emit(name, ...values));
        return true;
      }
    }
    const guest = createClient<Schema>({ url: app.url, WebSocket: SlowSocket as unknown as typeof WebSocket });
    t.teardown(() => guest.close());
    const live = guest.collection("mine").find().live();
    await until(() => isGreeted);
    const { id: ownerId } = await guest.auth.signInAsGuest();
    welcome();
    t.same(await live.ready, []);
    await guest.collection("mine").create({ ownerId, text: "x" });
    await until(() => live.state.synced && live.state.data?.length === 1);
  });

  t.test(
    "after a restart of the server results are resumed, with what changed meanwhile as the difference",
    async (t) => {
      const env = { ...ENV, GALLEY_PORT: new URL(app.url).port, ...engine.env(app.folder) };
      const live = scores.find({}, { sort: "by" }).live();
      const untouched = db.collection("mine").find().live();
      const [ann] = await live.ready;
      const held = await untouched.ready;
      const wanted = (await scores.find({}, { sort: "by" })).map(({ by }) => by).filter((by) => by !== "bob");
      const { folder } = app;
      await first.app.close();
      await until(() => db.connection.status !== "open" && !live.state.synced);
      t.equal(live.state.data?.[0], ann, "what was shown stays shown");
      // Others write before the client is back.
      const meanwhile = await startApp({ engine, folder, env: { ...env, GALLEY_PORT: "0" }, clock: () => time.now });
      await meanwhile.send("DELETE", "/v1/documents/scores/bob");
      await meanwhile.send("PUT", "/v1/documents/scores/zoe", { body: { by: "zoe", n: 0 } });
      await meanwhile.send("PUT", "/v1/documents/scores/tmp", { body: { by: "tmp", n: 0 } });
      await meanwhile.send("DELETE", "/v1/documents/scores/tmp");
      await meanwhile.close();
      const states: LiveState<unknown>[] = [];
      const watching = (async () => {
        for await (const state of live) states.push(state);
      })();
      app = await startApp({ engine, folder, env, clock: () => time.now });
      await until(() => live.state.synced && live.state.data?.at(-1)?.by === "zoe", 30, "the result after the restart");
      t.same(
        live.state.data?.map(({ by }) => by),
        [...wanted, "zoe"],
      );
      t.equal(live.state.data?.[0], ann, "the same object");
      t.same(
        live.state.changes.map(({ type, id }) => [type, id]),
        [
          ["removed", "bob"],
          ["added", "zoe"],
        ],
      );
      await until(() => untouched.state.synced);
      t.equal(untouched.state.data, held, "what did not change is the same list");
      // Others of this client may still linger.
      t.ok(app.app.live.counters.resumed >= 1, "and was not sent again");
      live.close();
      await watching;
      untouched.close();
    },
  );
});

t.test("where there is no WebSocket, the first live result says so", async (t) => {
  const db = createClient({ url: "http://127.0.0.1:9" });
  t.teardown(() => db.close());
  if (globalThis.WebSocket === undefined) {
    t.throws(() => db.collection("todos").find().live(), { code: "invalid_argument", message: /WebSocket/ });
  } else t.ok(db.collection("todos").find().live());
});
