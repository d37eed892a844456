/**
 * What befell servers like this one, by the ids of the published advisories: each is guarded here, on every engine, beside
 * the cases of attack-cases.md that stand for its class. Titles begin with the ids and say whose they were.
 */
import t from "tap";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { peopleOf } from "../support/people.ts";
import { guardLimits } from "./advisories-limits.ts";
import { guardSecrets } from "./advisories-secrets.ts";
import { guardSessions } from "./advisories-sessions.ts";

onEachEngine(t, async (t, engine) => {
  const time = { now: Date.parse("2026-03-01T00:00:00Z") };
  const env = { GALLEY_TRUSTED_PROXIES: "127.0.0.1" };
  const app = await startApp({ engine, clock: () => time.now, env });
  t.teardown(() => app.close());
  const world = { app, time, people: peopleOf(app, time) };
  guardSecrets(t, world);
  guardSessions(t, world);
  guardLimits(t, world);
});
