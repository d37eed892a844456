/** Promise P15 by method T2 and T3: worlds that differ only in what is hidden answer alike, and what is hidden shows nowhere. */
import t from "tap";
import { SQLITE } from "../support/engines.ts";
import { chooseSeed } from "../support/seeded.ts";
import { openTwoWorlds } from "../support/two-worlds.ts";

const SESSIONS = 100;

t.test("two worlds that differ only in what is hidden answer alike, and show none of it", async (t) => {
  const seed = chooseSeed();
  const worlds = await openTwoWorlds(SQLITE);
  t.teardown(() => worlds.close());
  const { report } = worlds;
  t.comment(`sessions ${seed} to ${seed + SESSIONS - 1}`);
  for (let i = 0; i < SESSIONS && report.faults.length < 5; i++) await worlds.run(seed + i);
  t.same(report.faults, []);
  const { answers, normalised, clashes } = report;
  t.comment(JSON.stringify({ answers, normalised, clashes }));
  for (const status of [200, 201, 204, 403, 404]) t.ok((answers[status] ?? 0) > 5, `${status}: ${answers[status]}`);
});
