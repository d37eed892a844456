import { until } from "../../support/until.ts";
import { type ContractTest, count, fill, filterOf, find, findIds, idOf, manyOf, PLENTY, refused } from "./fixture.ts";

/** How long nothing else may wait for a read. */
const DELAY_MS = 50;
/** How long it is watched what a turn takes when nothing is read. */
const CONTROL_MS = 300;

/** Turns of the event loop: by this process's own time the longest, by time that passed what 95 of 100 stay below. */
function watchTurns(): { stop(): { turns: number; longest: number; most: number } } {
  const passed: number[] = [];
  let longest = 0;
  let watching = true;
  let cpu = process.cpuUsage();
  let wall = performance.now();
  const watch = () => {
    const { user, system } = process.cpuUsage(cpu);
    longest = Math.max(longest, (user + system) / 1000);
    passed.push(performance.now() - wall);
    cpu = process.cpuUsage();
    wall = performance.now();
    if (watching) setImmediate(watch);
  };
  setImmediate(watch);
  return {
    stop() {
      watching = false;
      passed.sort((a, b) => a - b);
      return { turns: passed.length, longest, most: passed[Math.floor(passed.length * 0.95)] ?? 0 };
    },
  };
}

/** A turn as long as one of a read: on a full machine it is interrupted as often. */
function shortTurn(): Promise<void> {
  const end = process.cpuUsage().user + 10_000;
  while (process.cpuUsage().user < end);
  return new Promise((resolve) => setImmediate(resolve));
}

export const testLimits: ContractTest = async (t, { fresh, capabilities }) => {
  await t.test("a read past its budget is refused, with the index that would serve it", async (t) => {
    const store = await fresh([{ paths: ["n"] }]);
    await fill(store, 200, (n) => ({ n, k: n % 100, text: `t${n % 100}`, tags: [n] }));
    const budget = { candidates: 50, milliseconds: 60_000 };
    const details = { index: { paths: ["k"] } };
    await refused(t, find(store, { filter: { k: 5 }, budget }), "index_required", details);
    await refused(t, find(store, { filter: { text: "t5" }, budget }), "index_required", { index: { paths: ["text"] } });
    await refused(t, find(store, { sort: ["-k"], budget }), "index_required", { index: { paths: ["-k"] } });
    const query = { collection: "notes", filter: filterOf({ k: { $gt: 5 } }), budget };
    await refused(t, store.count({ ...query, cap: 1000 }), "index_required", details);
    await refused(t, store.distinct({ ...query, path: ["n"] }), "index_required", details);
    await refused(t, find(store, { filter: { k: { $ne: 5 } }, limit: 150, budget }), "query_too_expensive");
    await refused(
      t,
      find(store, { filter: { n: { $gte: 0 }, k: { $ne: 5 } }, limit: 150, budget }),
      "query_too_expensive",
    );
    t.strictSame(await findIds(store, { filter: { n: { $gt: 197 } }, budget }), [idOf(198), idOf(199)]);
    t.strictSame(await findIds(store, { limit: 2, budget }), [idOf(0), idOf(1)]);
    t.equal((await find(store, { filter: { k: { $ne: 5 } }, limit: 40, budget })).rows.length, 40);
  });

  await t.test("a budget of as many documents as there are is enough", async (t) => {
    const store = await fresh();
    await fill(store, 300, (n) => ({ n, text: `t${n}` }));
    const budget = { candidates: 300, milliseconds: 60_000 };
    t.strictSame(await findIds(store, { filter: { n: 7 }, sort: ["n"], budget }), [idOf(7)]);
    t.strictSame(await findIds(store, { filter: { text: "t7" }, sort: ["-text"], budget }), [idOf(7)]);
    await refused(
      t,
      find(store, { filter: { n: 7 }, sort: ["n"], budget: { ...budget, candidates: 299 } }),
      "index_required",
    );
  });

  await t.test("tells what a read cost and which index would make it cheaper", async (t) => {
    const store = await fresh([{ paths: ["n"] }]);
    await fill(store, 100, (n) => ({ n, k: n }));
    t.match(await find(store, { filter: { k: 5 } }), { examined: 100, advice: { paths: ["k"] } });
    await until(async () => (await find(store, { filter: { n: 5 } })).examined === 1);
    const served = await find(store, { filter: { n: 5 } });
    t.equal(served.examined, 1);
    t.equal(served.advice, undefined);
    t.match(await store.count({ collection: "notes", filter: filterOf({ k: 5 }), cap: 10, budget: PLENTY }), {
      examined: 100,
      advice: { paths: ["k"] },
    });
  });

  await t.test("a read ends at its time, or when its caller has gone", async (t) => {
    const store = await fresh();
    await fill(store, manyOf(capabilities), (n) => ({ n, text: "x".repeat(100) }));
    const candidates = Number.POSITIVE_INFINITY;
    await refused(t, find(store, { filter: { n: -1 }, budget: { candidates, milliseconds: 0 } }), "timeout");
    await refused(t, find(store, { filter: { n: -1 }, budget: { candidates, milliseconds: 2 } }), "timeout");
    const gone = AbortSignal.abort();
    const budget = { candidates, milliseconds: 60_000 };
    await refused(t, find(store, { budget: { ...budget, signal: gone } }), "timeout");
    const going = new AbortController();
    const read = find(store, { filter: { n: -1 }, sort: ["-n"], budget: { ...budget, signal: going.signal } });
    going.abort();
    await refused(t, read, "timeout");
    t.strictSame(await findIds(store, { filter: { n: 7 } }), [idOf(7)], "others are not touched by it");
  });

  await t.test("a page may be bounded by its size", async (t) => {
    const store = await fresh();
    await fill(store, 20, (n) => ({ n, text: "x".repeat(1000) }));
    const budget = { ...PLENTY, characters: 5000 };
    await refused(t, find(store, { limit: 10, budget }), "payload_too_large");
    await refused(t, find(store, { limit: 10, sort: ["-n"], budget }), "payload_too_large");
    t.equal((await find(store, { limit: 3, sort: ["-n"], budget })).rows.length, 3);
  });

  await t.test("many reads at once are all answered", async (t) => {
    const store = await fresh();
    await fill(store, 2000, (n) => ({ n }));
    const found = await Promise.all(
      Array.from({ length: 30 }, (_, n) => findIds(store, { filter: { n }, sort: ["-n"] })),
    );
    t.strictSame(
      found,
      found.map((_, n) => [idOf(n)]),
    );
  });

  if (capabilities.readsInProcess)
    await t.test("the event loop goes on during a read of 60,000 documents", async (t) => {
      const store = await fresh();
      await fill(store, 60_000, (n) => ({ n, text: `text ${n % 7}` }));
      for (const filter of [{ n: -1 }, { text: { $contains: "no" } }]) {
        const quiet = watchTurns();
        for (const end = performance.now() + CONTROL_MS; performance.now() < end; ) await shortTurn();
        const control = quiet.stop();
        const busy = watchTurns();
        t.strictSame(await findIds(store, { filter, sort: ["-n"] }), []);
        const reading = busy.stop();
        // A machine that reads all of it in two turns holds nobody up either.
        t.ok(reading.turns > 1, `${reading.turns} turns`);
        // The time that this process had: neighbours cannot lengthen it.
        t.ok(
          reading.longest < DELAY_MS,
          `the longest turn took ${reading.longest.toFixed(1)} ms of this process's time`,
        );
        // The time that passed, which waiting for a disk or a lock would take too, beside what neighbours take anyway.
        const most = DELAY_MS + control.most;
        t.ok(
          reading.most < most,
          `nearly all turns passed in ${reading.most.toFixed(1)} ms, at most ${most.toFixed(1)}`,
        );
        t.match(await count(store, { n: { $gte: 59_990 } }), { count: 10 });
      }
    });
};
