import type { Test } from "tap";
import { describeRounds, faultRounds } from "../support/fault-rounds.ts";
import type { GalleyOnMongodb } from "../support/galley-on-mongodb.ts";
import { Ledger } from "../support/ledger.ts";
import { lightFaults } from "../support/mongodb-faults.ts";
import { chooseSeed } from "../support/seeded.ts";
import type { TcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";
import { startWriters } from "../support/writers.ts";

const ROUNDS = 12;
/** A read before a write has 6 s, a write 12 s and 2 s more to take it back; a busy machine takes its share of the 30 s of the SDK. */
const TIME_LIMIT_MS = 25_000;

/**
 * fault-cases.md F13, and rounds of light faults.
 *
 * @param host of the server, past the proxy
 */
export function testFaults(t: Test, host: string, proxy: TcpProxy, galley: GalleyOnMongodb): void {
  t.test(`${ROUNDS} rounds of light faults: the ledger holds, and nothing hangs`, async (t) => {
    const seed = chooseSeed();
    const faults = lightFaults(t, host, proxy);
    const report = await faultRounds({ url: () => galley.url, faults, rounds: ROUNDS, seed });
    t.comment(describeRounds(seed, report));
    t.same(report.breaches, []);
    // Whether any end stays unknown is up to the schedule: Galley resolves most of them before it answers.
    t.ok(report.refused + report.unknown > 0, "the faults hit writes");
    t.ok(report.slowestAnswer < TIME_LIMIT_MS, `the slowest answer took ${report.slowestAnswer.toFixed(0)} ms`);
  });

  for (const [name, ways] of [
    ["answers only are lost", { answer: { swallow: true } }],
    ["requests only are lost", { request: { swallow: true } }],
    ["everything is lost", { answer: { swallow: true }, request: { swallow: true } }],
  ] as const) {
    t.test(`F13 ${name} for as long as it takes: no request outlasts its time limit, none counts twice`, async (t) => {
      const collection = name.replaceAll(" ", "-");
      const ledger = new Ledger(collection, galley.send);
      const writers = startWriters(ledger, "w", 10, 1);
      await until(() => ledger.ends.applied >= 50);
      proxy.harm({ app: "galley", ...ways });
      const stuck = galley.send("POST", `/v1/documents/${collection}/query`, {}, undefined);
      await writers.stop(); // Each writer has an answer although nothing gets through.
      t.match((await stuck)?.status, /503|504/, "a read ends too");
      t.equal(await galley.status("health"), 200);
      t.equal(await galley.status("ready"), 503);
      await proxy.heal();
      await until(async () => (await galley.status("ready")) === 200, 20);
      t.comment(`${JSON.stringify(ledger.ends)}, slowest answer ${ledger.slowest.toFixed(0)} ms`);
      t.ok(ledger.slowest < TIME_LIMIT_MS, `the slowest answer took ${ledger.slowest.toFixed(0)} ms`);
      await ledger.settle();
      t.same(await ledger.breaches(), []);
    });
  }
}
