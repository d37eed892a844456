import { type Client, createClient } from "@galley/sdk";
import t, { type Test } from "tap";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { type Cut, startTcpProxy } from "../support/tcp-proxy.ts";

/** `GALLEY_CUT_EVERY=1`: every byte of every kind of write, on both engines, which takes minutes. */
const EVERY = process.env.GALLEY_CUT_EVERY;

interface Schema {
  counters: { n: number };
}

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  const direct = createClient<Schema>({ url: app.url, serviceKey: app.key });
  // Full jitter may also be none: the waits between tries are not what is tested here.
  const { random } = Math;
  Math.random = () => 0;
  t.teardown(() => {
    Math.random = random;
    direct.close();
    return app.close();
  });

  /**
   * Cuts the connection of a write at every byte of its request and of its answer, or at every few: the SDK tries again on
   * another connection. `write` judges the answers; the number of writes comes back for a last look at the store.
   */
  async function cutEverywhere(t: Test, usual: number, write: (db: Client<Schema>, n: number) => Promise<void>) {
    const every = Number(EVERY ?? usual);
    const proxy = await startTcpProxy(app.url);
    let connections = 0;
    const db = createClient<Schema>({
      url: proxy.url,
      serviceKey: app.key,
      fetch: (url, init) => {
        connections++;
        // A connection for every try, so that a cut meets exactly one of them.
        return fetch(url, { ...init, headers: { ...init?.headers, connection: "close" } });
      },
    });
    t.teardown(() => {
      db.close();
      return proxy.close();
    });
    await write(db, 0);
    const { request, answer } = proxy.carried;
    t.ok(request > 100 && answer > 100, `${request} bytes of request, ${answer} of answer`);
    const cuts: Cut[] = [];
    for (let at = 0; at < request; at += every) cuts.push({ request: at });
    for (let at = 0; at < answer; at += every) cuts.push({ answer: at });
    for (const [i, cut] of cuts.entries()) {
      connections = 0;
      proxy.cutNext(cut);
      await write(db, i + 1);
      if (connections < 2) t.fail("the cut met no try");
      if (!t.passing()) throw new Error(`cut at ${JSON.stringify(cut)}`);
    }
    return cuts.length + 1;
  }

  t.test("an update has its effect once, wherever the connection breaks", async (t) => {
    await direct.collection("counters").set("a", { n: 0 });
    // Every byte once: which engine lies behind, the connection does not know.
    const writes = await cutEverywhere(t, engine.name === "sqlite" ? 1 : 23, async (db, n) => {
      const counter = await db.collection("counters").update("a", { $inc: { n: 1 } });
      if (counter.n !== n + 1) t.fail(`${counter.n} instead of ${n + 1}`);
    });
    t.equal((await direct.collection("counters").get("a"))?.n, writes);
  });

  t.test("a create makes one document, wherever the connection breaks", async (t) => {
    const ids = new Set<string>();
    const writes = await cutEverywhere(t, engine.name === "sqlite" ? 7 : 37, async (db, n) => {
      const made = await db.collection("counters").create({ n: -1 - n });
      if (made.n !== -1 - n) t.fail(`${made.n}`);
      ids.add(made._id);
    });
    t.equal(ids.size, writes);
    t.match(
      await direct
        .collection("counters")
        .find({ n: { $lt: 0 } })
        .count(),
      { count: writes },
    );
  });

  t.test("a batch happens once and as a whole, wherever the connection breaks", async (t) => {
    await direct.collection("counters").set("b", { n: 0 });
    const writes = await cutEverywhere(t, engine.name === "sqlite" ? 13 : 41, async (db, n) => {
      const results = await db.batch((b) => {
        b.collection("counters").create({ _id: `batch-${n}`, n: 1000 });
        b.collection("counters").update("b", { $inc: { n: 1 } });
      });
      if (results.length !== 2) t.fail(`${results.length} results`);
    });
    t.equal((await direct.collection("counters").get("b"))?.n, writes);
    t.match(await direct.collection("counters").find({ n: 1000 }).count(), { count: writes });
  });

  t.test("a delete is told as done, wherever the connection breaks", async (t) => {
    await cutEverywhere(t, engine.name === "sqlite" ? 17 : 37, async (db) => {
      await direct.collection("counters").set("gone", { n: 1 });
      await db.collection("counters").delete("gone");
      if (await direct.collection("counters").get("gone")) t.fail("is still there");
    });
  });
});
