import t from "tap";
import { createLease } from "../../server/stores/mongodb/lease.ts";

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
