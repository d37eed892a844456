/** What live results show at the ends of things: a reply that is lost, a client that is closed, a write of which they show nothing. */
import { ApiError, type Client, createClient, type LiveState } from "@galley/sdk";
import t from "tap";
import { WebSocket as NodeSocket } from "ws";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { until } from "../support/until.ts";

interface Schema {
  counters: { n: number; rank?: number };
}

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  // Full jitter may also be none: the waits between tries are not what is tested here.
  const { random } = Math;
  Math.random = () => 0;
  const clients: Client<Schema>[] = [];
  t.teardown(() => {
    Math.random = random;
    for (const client of clients) client.close();
    return app.close();
  });
  /** Frames that a network keeps to itself for a while. */
  let held: (() => void)[] | undefined;
  class Slow extends NodeSocket {
    override emit(event: string | symbol, ...values: unknown[]): boolean {
      if (!held || event !== "message") return super.emit(event, ...values);
      held.push(() => super.emit(event, ...values));
      return true;
    }
  }
  const connect = (more: object = {}): Client<Schema> => {
    const client = createClient<Schema>({
      ...{ url: app.url, serviceKey: app.key, WebSocket: Slow as never },
      ...more,
    });
    clients.push(client);
    return client;
  };
  const codeOf = (error: unknown) => (ApiError.is(error) ? error.code : error);

  t.test("a created document whose reply was lost stays shown until its news come", async (t) => {
    let lose = false;
    const db = connect({
      fetch: async (url: string, init: RequestInit) => {
        const response = await fetch(url, init);
        if (!lose || init.method !== "POST") return response;
        lose = false;
        await response.text();
        throw new TypeError("the connection broke");
      },
    });
    const counters = db.collection("counters");
    await counters.create({ n: 0 });
    const states: LiveState<unknown[]>[] = [];
    const live = counters.find().live((state) => states.push(state));
    await live.ready;
    held = [];
    lose = true;
    const { _id } = await counters.create({ n: 1 });
    t.notOk(lose);
    // More than a ping and its answer take.
    await new Promise((resolve) => setTimeout(resolve, 200));
    t.ok(live.state.data?.some((one) => one._id === _id));
    const [waiting] = [held];
    held = undefined;
    for (const take of waiting) take();
    await until(() => live.state.synced && !live.state.pending);
    t.strictSame(states.map(({ data }) => data?.length).filter((length) => length === 1).length, 1, "it never went");
    t.equal(live.state.data?.length, 2);
    await app.send("DELETE", `/v1/documents/counters/${_id}`);
  });

  t.test("a closed client ends what watches it, and nobody waits for ever", async (t) => {
    const db = connect();
    const counters = db.collection("counters");
    const live = counters.find().live();
    const joined = counters.find({}, { sort: "n" }).live();
    await Promise.all([live.ready, joined.ready]);
    const loop = (async () => {
      let states = 0;
      for await (const _ of live) states++;
      return states;
    })();
    const told: unknown[] = [];
    const unanswered = counters.find({ n: 5 }).live((state) => told.push(state));
    const closed = counters.find({ n: 6 }).live();
    closed.close();
    t.equal(await closed.ready.catch(codeOf), "aborted");
    db.close();
    t.equal(await unanswered.ready.catch(codeOf), "aborted");
    t.ok((await loop) >= 1);
    t.strictSame(told, [], "what is closed is told nothing");
    const early = connect();
    const first = early.collection("counters").find().live();
    early.close();
    t.equal(await first.ready.catch(codeOf), "aborted");
  });

  t.test("a document that shows nothing of an own write stays the same object", async (t) => {
    const counters = connect().collection("counters");
    const { _id } = await counters.create({ n: 3, rank: 1 });
    const live = counters.find({ n: 3 }, { select: ["n"] }).live();
    const whole = counters.find({ n: 3 }).live();
    const [[before]] = await Promise.all([live.ready, whole.ready]);
    const written = counters.update(_id, { rank: 2 });
    await until(() => whole.state.pending);
    t.equal(whole.state.data?.[0]?.rank, 2);
    t.equal(live.state.data?.[0], before);
    await written;
  });

  t.test("an app of many live results may change its page at once", async (t) => {
    const codes: number[] = [];
    class Watched extends NodeSocket {
      constructor(...values: ConstructorParameters<typeof NodeSocket>) {
        super(...values);
        this.on("close", (code) => codes.push(code));
      }
    }
    const db = connect({ WebSocket: Watched });
    const counters = db.collection("counters");
    const open = (page: number) =>
      Array.from({ length: 110 }, (_, n) => counters.find({ rank: { $gt: n + 1000 * page } }).live());
    let shown = open(0);
    for (const page of [1, 2]) {
      await Promise.all(shown.map(({ ready }) => ready));
      // Their questions have been paid for, at so many a second.
      await new Promise((resolve) => setTimeout(resolve, 2300));
      for (const live of shown) live.close();
      shown = open(page);
    }
    await until(() => shown.every(({ state }) => state.synced), 20, "the last page");
    t.same(codes, []);
    db.close();
  });
});
