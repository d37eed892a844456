/** Promise P15 by method T2 and T3: worlds that differ only in what is hidden answer alike, and what is hidden shows nowhere. */
import t from "tap";
import { onEachEngine } from "../support/engines.ts";
import { chooseSeed } from "../support/seeded.ts";
import { openTwoWorlds } from "../support/two-worlds.ts";

/** What is judged is the same code on both; of MongoDB's own there is less to find, and a session there costs more. */
const SESSIONS = { sqlite: 82, mongodb: 18 };
/** Each fourth of them watches questions, too. */
const LIVE = 4;
/** Sessions that once told: of what is taken, by which operation of a batch is refused. */
const KNOWN = [30383];
/** Answers of each status that a session has at least, taken over all of them. */
const LEAST = 0.03;

onEachEngine(t, (t, engine) => {
  t.test("two worlds that differ only in what is hidden answer alike, and show none of it", async (t) => {
    const sessions = SESSIONS[engine.name];
    const seed = chooseSeed();
    const worlds = await openTwoWorlds(engine);
    t.teardown(() => worlds.close());
    const { report } = worlds;
    for (const known of KNOWN) await worlds.run(known);
    t.comment(`sessions ${seed} to ${seed + sessions - 1}`);
    for (let i = 0; i < sessions && report.faults.length < 5; i++) await worlds.run(seed + i, i % LIVE === 0);
    t.same(report.faults, []);
    const { answers, normalised, clashes, frames } = report;
    t.comment(JSON.stringify({ answers, normalised, clashes, frames }));
    t.ok(frames > sessions, `${frames} lines told over sockets`);
    const most = sessions * LEAST;
    for (const status of [200, 201, 204, 403, 404])
      t.ok((answers[status] ?? 0) > most, `${status}: ${answers[status]}`);
  });
});
