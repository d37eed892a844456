/** Keeps the benchmarks working: each runs in its short form and every answer it gets is right. Times are not judged. */
import t from "tap";
import { createSharedMongod, type SharedMongod } from "./harness/engines.ts";
import { leaveWithoutCleanUp } from "./harness/leave.ts";
import { WORKLOADS } from "./workloads.ts";

leaveWithoutCleanUp();
const mongod = createSharedMongod();
t.teardown(() => mongod.close());
/** The others measure on MongoDB what they do on the embedded store, by the same code. */
const ON_MONGODB = new Set(["read", "page"]);
const NONE: SharedMongod = { open: async () => undefined, close: async () => {} };

/** The long proofs, which run by name only, have tests of their own in place of a short form here. */
for (const workload of WORKLOADS.filter(({ byNameOnly }) => !byNameOnly)) {
  t.test(`the benchmark ${workload.name} runs and its answers are right`, { timeout: 120_000 }, async (t) => {
    const rows = await workload.run({ smoke: true, mongod: ON_MONGODB.has(workload.name) ? mongod : NONE });
    t.ok(rows.length > 0);
    for (const row of rows) {
      t.ok(Number.isFinite(row.ratio) && row.ratio >= 0, row.what);
      t.notMatch(row.note ?? "", /wrong [1-9]/, `${row.what}: ${row.note ?? ""}`);
      t.ok(
        workload.covers.some((number) => row.what.startsWith(number)),
        `${row.what} begins with what ${workload.name} covers`,
      );
    }
  });
}
