import t from "tap";
import { createLease, leaseClock } from "../../server/stores/mongodb/lease.ts";

t.test("a lease counts from when the report was sent that came back, whatever the order", async (t) => {
  const time = { now: 1000 };
  const changes: boolean[] = [];
  const lease = createLease(
    () => time.now,
    (held) => changes.push(held),
  );
  t.notOk(lease.held(), "not before a report came back");
  const first = lease.send();
  time.now += 3999;
  t.notOk(lease.held());
  lease.came(first);
  t.ok(lease.held());
  time.now += 1;
  t.notOk(lease.held(), "4 s after it was sent");
  t.strictSame(changes, [false], "the first is no news");
  time.now += 300;
  t.equal(lease.lostFor(), 300);

  const [second, third] = [lease.send(), lease.send()];
  time.now += 100;
  lease.came(third);
  t.ok(lease.held());
  time.now += 1000;
  lease.came(second);
  t.equal(lease.age, 1100, "an older one takes nothing back");
  lease.came(99);
  lease.came(Number.NaN);
  t.equal(lease.age, 1100);
  t.strictSame(changes, [false, true]);
});

t.test("a lease that nobody looked at was lost all the same before the next one", async (t) => {
  const time = { now: 0 };
  const changes: boolean[] = [];
  const lease = createLease(
    () => time.now,
    (held) => changes.push(held),
  );
  lease.came(lease.send());
  time.now += 60_000;
  lease.came(lease.send());
  t.strictSame(changes, [false, true], "what was under way has to know");
  time.now += 3000;
  const late = lease.send();
  time.now += 10_000;
  lease.came(late);
  t.notOk(lease.held(), "a report that took too long gives none");
});

t.test("the clock of a lease runs on while the machine is suspended, and never back", async (t) => {
  const machine = { monotonic: 500, wall: 1_800_000_000_000 };
  const clock = leaseClock(
    () => machine.monotonic,
    () => machine.wall,
  );
  const after = (monotonic: number, wall: number) => {
    machine.monotonic += monotonic;
    machine.wall += wall;
    return clock();
  };
  t.equal(after(0, 0), 0);
  for (let i = 0; i < 1000; i++) after(0.9, i % 2);
  t.ok(Math.abs(after(0, 0) - 900) < 1, "ticks of the coarser clock do not add up");
  const before = clock();
  t.equal(after(10, 3_600_000), before + 3_600_000, "it was suspended");
  t.equal(after(10, -7_200_000), before + 3_600_010, "a clock that is set back stops nothing");
  t.equal(after(4000, 4000), before + 3_604_010);
});
