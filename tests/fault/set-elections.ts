import type { Test } from "tap";
import { describeRounds, type Fault, faultRounds } from "../support/fault-rounds.ts";
import type { GalleyOnMongodb } from "../support/galley-on-mongodb.ts";
import { heavyFaults } from "../support/mongodb-faults.ts";
import type { ReplicaSet } from "../support/replica-set.ts";
import { chooseSeed } from "../support/seeded.ts";

/** A read before a write has 6 s, a write 12 s and 2 s more to take it back; a busy machine takes its share of the 30 s of the SDK. */
const TIME_LIMIT_MS = 25_000;

/** fault-cases.md F11, and the primary's end in every form. */
export function testElections(t: Test, set: ReplicaSet, galley: GalleyOnMongodb): void {
  for (const name of [
    "the primary steps down",
    "the primary is killed",
    "the primary stalls until another takes over",
    "a secondary is killed",
    "Galley alone loses sight of the primary",
    "the primary is far away",
    "Galley is killed",
  ]) {
    t.test(`F11 ${name} under load: the ledger holds, readers keep up, writes flow again`, async (t) => {
      const faults = { [name]: heavyFaults(set, galley)[name] as Fault };
      const seed = chooseSeed();
      const ledger = name.toLowerCase().replaceAll(" ", "-");
      const report = await faultRounds({ url: () => galley.url, faults, rounds: 1, seed, writers: 5, name: ledger });
      t.comment(describeRounds(seed, report));
      t.same(report.breaches, []);
      t.ok(report.slowestRecovery < 15_000, "writes flow again within 15 s");
      t.ok(report.slowestAnswer < TIME_LIMIT_MS, "no request hung");
    });
  }
}
