import type { Test } from "tap";
import type { GalleyOnMongodb } from "../support/galley-on-mongodb.ts";
import { Ledger } from "../support/ledger.ts";
import type { ReplicaSet } from "../support/replica-set.ts";
import { until } from "../support/until.ts";
import { startWriters, type Writers } from "../support/writers.ts";

const INCREMENTS = 10_000;
/** Increments of them that carry a key, as those must that a fault may meet: it costs them a transaction each. */
const KEYED = 2500;
/** A read before a write has 5 s, a write 10 s to be confirmed; a busy machine takes its share. */
const TIME_LIMIT_MS = 20_000;

/** fault-cases.md F12, F20: what a majority does not have; and a sum that stays exact through a step-down. */
export function testMajority(t: Test, set: ReplicaSet, galley: GalleyOnMongodb): void {
  /** Waits until some more writes are confirmed; the milliseconds that took. */
  const flowsAgain = async (ledger: Ledger): Promise<number> => {
    const began = performance.now();
    const { applied } = ledger.ends;
    await until(() => ledger.ends.applied > applied + 20, 60);
    return performance.now() - began;
  };
  /** Ends the load and holds its ledger against the store. */
  const close = async (t: { comment(text: string): void }, ledger: Ledger, writers: Writers) => {
    await writers.stop();
    t.comment(`${JSON.stringify(ledger.ends)}, slowest answer ${ledger.slowest.toFixed(0)} ms`);
    await ledger.settle();
    return ledger.breaches();
  };

  t.test(
    `50 writers make ${INCREMENTS} increments of one document through a step-down: the sum is exact`,
    async (t) => {
      const ledger = new Ledger("sums", galley.send);
      const all = (count: number, keyed: boolean) => {
        let left = count;
        const writer = async () => {
          while (left-- > 0) await ledger.add("sum", 1, keyed);
        };
        return Promise.all(Array.from({ length: 50 }, writer));
      };
      await all((INCREMENTS - KEYED) / 2, false);
      const before = ledger.ends.applied;
      const keyed = all(KEYED, true);
      await until(() => ledger.ends.applied >= before + KEYED / 4);
      await set.stepDown();
      await keyed;
      await ledger.settle();
      // No fault is left for those that follow, whoever was refused meanwhile.
      const probe = new Ledger("flows-again", galley.send);
      await until(async () => (await probe.add("sum", 1)) === "applied", 60, "writes that flow again");
      await all((INCREMENTS - KEYED) / 2, false);
      t.same(await ledger.breaches(), []);
      const { applied, not_applied } = ledger.ends;
      t.equal(applied + not_applied, INCREMENTS);
      t.ok(applied > INCREMENTS / 2, `${applied} were applied, ${not_applied} refused`);
      const sum = await galley.send("GET", "/v1/documents/sums/sum", undefined, undefined);
      t.match(sum?.body, { n: applied });
    },
  );

  t.test("F12 what only the killed primary had is rolled back: none of it was confirmed or shown", async (t) => {
    const ledger = new Ledger("rolled-back", galley.send);
    const writers = startWriters(ledger, "w", 20, 5);
    await until(() => ledger.ends.applied >= 100);
    const old = await set.primary();
    const held = await set.holdBack(t);
    // Every writer now waits for a majority that does not come; others look at what they wrote.
    const { applied } = ledger.ends;
    const began = performance.now();
    while (performance.now() - began < 1000) {
      await Promise.all(ledger.pending.slice(0, 20).map((id) => ledger.look(id)));
    }
    const confirmed = ledger.ends.applied - applied;
    await old.mongod.kill();
    await held.off();
    t.ok((await flowsAgain(ledger)) < 15_000, "writes flow again");
    await old.mongod.start();
    await until(async () => (await set.secondaries()).includes(old), 60);
    await flowsAgain(ledger);
    t.comment(`${confirmed} were confirmed while the secondaries were held back`);
    t.same(await close(t, ledger, writers), []);
  });

  t.test("F20 without a majority writes end as unknown after their time, and pile up nowhere", async (t) => {
    const ledger = new Ledger("held-back", galley.send);
    const writers = startWriters(ledger, "w", 20, 6);
    await until(() => ledger.ends.applied >= 100);
    const held = await set.holdBack(t);
    const settled = performance.now();
    await until(() => performance.now() - settled > 2000); // What was under way when the secondaries stopped has its end.
    const { applied } = ledger.ends;
    const one = await galley.send("PUT", "/v1/documents/held-back/held", { held: true }, "held");
    t.match(one, { status: /503|504/, body: { error: { details: { outcome: "unknown" } } } });
    t.equal(ledger.ends.applied, applied, "no write was confirmed meanwhile");
    t.equal(await galley.status("health"), 200);
    const read = await galley.send("GET", "/v1/documents/held-back/held", undefined, undefined);
    t.match(read?.status, /404|503|504/, "what no majority has is shown to nobody");
    await held.off();
    t.ok((await flowsAgain(ledger)) < 15_000, "everything flows");
    const again = await galley.send("PUT", "/v1/documents/held-back/held", { held: true }, "held");
    t.match(again?.status, /200|201/);
    t.match(await galley.send("GET", "/v1/documents/held-back/held", undefined, undefined), { body: { held: true } });
    t.same(await close(t, ledger, writers), []);
    t.ok(ledger.slowest < TIME_LIMIT_MS, `the slowest answer took ${ledger.slowest.toFixed(0)} ms`);
  });
}
