/** fault-cases.md F11 and the primary's end in every form: what a set of three must ride out. */
import t from "tap";
import { describeRounds, type Fault, faultRounds } from "../support/fault-rounds.ts";
import { startGalleyOn } from "../support/galley-on-mongodb.ts";
import { heavyFaults } from "../support/mongodb-faults.ts";
import { useReplicaSet } from "../support/replica-set.ts";
import { chooseSeed } from "../support/seeded.ts";

const STEP_DOWNS = 2;
/** A read before a write has 6 s, a write 12 s and 2 s more to take it back; a busy machine takes its share of the 30 s of the SDK. */
const TIME_LIMIT_MS = 25_000;

const set = await useReplicaSet(t);
if (set) {
  const galley = await startGalleyOn(t, set.url);
  for (const [name, rounds] of [
    ["the primary steps down", STEP_DOWNS],
    ["the primary is killed", 1],
    ["the primary stalls until another takes over", 1],
    ["a secondary is killed", 1],
    ["Galley alone loses sight of the primary", 1],
    ["the primary is far away", 1],
    ["Galley is killed", 1],
  ] as const) {
    t.test(`F11 ${name} under load: the ledger holds, readers keep up, writes flow again`, async (t) => {
      const faults = { [name]: heavyFaults(set, galley)[name] as Fault };
      const seed = chooseSeed();
      const ledger = name.toLowerCase().replaceAll(" ", "-");
      const report = await faultRounds({ url: () => galley.url, faults, rounds, seed, writers: 5, name: ledger });
      t.comment(describeRounds(seed, report));
      t.same(report.breaches, []);
      t.ok(report.slowestRecovery < 15_000, "writes flow again within 15 s");
      t.ok(report.slowestAnswer < TIME_LIMIT_MS, "no request hung");
    });
  }
}
