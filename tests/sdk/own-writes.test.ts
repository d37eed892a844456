/** Live results show this client's own writes before they are answered; sdk.md 6. */
import t from "tap";
import { type Report, runSession } from "../support/own-writes/session.ts";
import { chooseSeed } from "../support/seeded.ts";

const SESSIONS = Number(process.env.GALLEY_OWN_SESSIONS ?? 600);

// Full jitter may also be none: the waits between tries are not what is tested here.
const { random } = Math;
t.before(() => {
  Math.random = () => 0;
});
t.teardown(() => {
  Math.random = random;
});

t.test("whatever comes in whatever order: never too much, never fallen back, at rest what is stored", async (t) => {
  const seed = chooseSeed();
  t.comment(`seed ${seed}`);
  const report: Report = { events: 0, states: 0, faults: [] };
  for (let n = 0; n < SESSIONS && report.faults.length < 5; n++) await runSession(seed + n, report);
  t.comment(`${report.events} events, ${report.states} states`);
  t.same(report.faults.slice(0, 3), []);
});
