import { type ContractTest, count, fill, filterOf, find, findIds, idOf, PLENTY, refused } from "./fixture.ts";

export const testLimits: ContractTest = async (t, { fresh, capabilities: { readsInProcess } }) => {
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
    await fill(store, 20_000, (n) => ({ n, text: "x".repeat(100) }));
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

  const elsewhere = !readsInProcess && "reads run in another process";
  await t.test("the event loop goes on during a read of 200,000 documents", { skip: elsewhere }, async (t) => {
    const store = await fresh();
    await fill(store, 200_000, (n) => ({ n, text: `text ${n % 7}` }));
    for (const filter of [{ n: -1 }, { text: { $contains: "no" } }]) {
      let longest = 0;
      let turns = 0;
      let reading = true;
      // By the time that this process had, not that which passed: neighbours must not fail the test.
      let last = process.cpuUsage();
      const watch = () => {
        const { user, system } = process.cpuUsage(last);
        last = process.cpuUsage();
        longest = Math.max(longest, (user + system) / 1000);
        turns += 1;
        if (reading) setImmediate(watch);
      };
      watch();
      t.strictSame(await findIds(store, { filter, sort: ["-n"] }), []);
      reading = false;
      t.ok(turns > 5, `${turns} turns`);
      t.ok(longest < 50, `the longest turn took ${longest.toFixed(1)} ms`);
      t.match(await count(store, { n: { $gte: 199_990 } }), { count: 10 });
    }
  });
};
