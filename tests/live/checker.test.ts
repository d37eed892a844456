/** Live queries on real sockets, held against the commits of the store at every position: promises.md P5 to P9, T6. */
import t from "tap";
import { CLOSE } from "#protocol/frames";
import { onEachEngine, SQLITE } from "../support/engines.ts";
import { check } from "../support/live-checker/check.ts";
import { checkedApp } from "../support/live-checker/in-process.ts";
import { MISTAKES, plant } from "../support/live-checker/mistakes.ts";
import { makeHolders, record, runChecked } from "../support/live-checker/run.ts";
import { chooseSeed } from "../support/seeded.ts";
import { Random } from "../support/trap-pool.ts";

const COMMITS = 600;
/** A query may take longer than it may on a busy machine, and says so. */
const errors = ["timeout", "unavailable"];
/** Places for each mistake. */
const PLACES = 3;

t.test("the checker finds each mistake that a server could make", async (t) => {
  const seed = chooseSeed();
  t.comment(`seed ${seed}`);
  const checked = await checkedApp(t, SQLITE);
  const holders = await makeHolders(checked.send, 2, checked.key);
  const input = await record(checked, { seed, commits: 200, holders, sockets: 4, publishes: 0, quietMs: 1100 });
  t.same(check(input).faults, [], `an honest server, seed ${seed}`);
  const random = new Random(seed);
  for (const [name, mistake] of Object.entries(MISTAKES)) {
    const missed: string[] = [];
    let planted = 0;
    for (const transcript of input.transcripts.toSorted(() => random.below(3) - 1)) {
      const wrong = planted < PLACES ? plant(mistake, transcript, random) : undefined;
      if (!wrong) continue;
      planted++;
      if (check({ ...input, transcripts: [wrong] }).faults.length === 0) missed.push(wrong.name);
    }
    // One that a right which goes at that moment excuses is no mistake.
    t.ok(missed.length < Math.max(planted, 1), `${name}, ${planted} times, missed ${missed.length}`);
  }
});

onEachEngine(t, async (t, engine) => {
  t.test("every result is right at every position that its socket has reached", async (t) => {
    const seed = chooseSeed();
    t.comment(`seed ${seed}`);
    const checked = await checkedApp(t, engine);
    const holders = await makeHolders(checked.send, 3, checked.key);
    const options = { seed, commits: COMMITS, holders, sdk: 2, outruns: 1, errors };
    const { faults, tally, commits, states } = await runChecked(checked, options);
    t.comment(`${commits} commits, ${states} states of the SDK, ${JSON.stringify(tally)}`);
    t.same(faults.slice(0, 5), [], `no differences, seed ${seed}`);
    t.ok((tally.closes[CLOSE.slow] ?? 0) > 0, "who was too slow was closed, and has missed nothing");
  });
});
