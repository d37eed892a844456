/** Limits of networks, in memory: accounts.md 8, N01. */
import t from "tap";
import type { Principal } from "../../server/access/principal.ts";
import { ROLES } from "../../server/access/scopes.ts";
import { createNetworkLimits, limitedNetwork } from "../../server/accounts/limits/network-limits.ts";
import { RateTable } from "../../server/accounts/limits/rate-table.ts";
import { createRequestLimits } from "../../server/accounts/limits/request-limits.ts";
import type { LimitSettings } from "../../server/accounts/settings/settings.ts";
import { settingsOf } from "../../server/accounts/settings/settings-input.ts";
import { keyPrincipal } from "../support/services.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const { limits: DEFAULTS } = settingsOf({});
const ADDRESS = "192.0.2.1";
const limited = (retryAfter: number) => ({
  code: "rate_limited" as const,
  details: { retryAfter, outcome: "not_applied" as const },
});

function networks() {
  const time = { now: Date.UTC(2026, 0, 31) };
  return {
    time,
    limits: createNetworkLimits(
      () => DEFAULTS,
      () => time.now,
    ),
  };
}

t.test("a network may do each thing as often as is set, and then as fast as time passes", (t) => {
  for (const [kind, times, seconds] of [
    ["sign-up", 100, 3600],
    ["guest", 300, 3600],
    ["mail", 20, 3600],
    ["code", 60, 3600],
  ] as const) {
    const { time, limits } = networks();
    for (let i = 0; i < times; i++) limits.take(kind, ADDRESS);
    const each = seconds / times;
    t.throws(() => limits.take(kind, ADDRESS), limited(each), kind);
    limits.take(kind, "192.0.2.2");
    time.now += each * SECOND - 1;
    t.throws(() => limits.take(kind, ADDRESS), limited(1), kind);
    time.now += 1;
    limits.take(kind, ADDRESS);
    t.throws(() => limits.take(kind, ADDRESS), limited(each), "what was refused took nothing");
    time.now += seconds * SECOND;
    for (let i = 0; i < times; i++) limits.take(kind, ADDRESS);
    t.throws(() => limits.take(kind, ADDRESS), limited(each), "and no more than at first comes back");
  }
  t.end();
});

t.test("failures alone are counted where success costs nothing", (t) => {
  for (const [kind, times] of [
    ["sign-in", 100],
    ["refresh", 300],
    ["auth", 300],
    ["key", 20],
  ] as const) {
    const { time, limits } = networks();
    for (let i = 0; i < 1000; i++) limits.demand(kind, ADDRESS);
    for (let i = 1; i < times; i++) limits.failed(kind, ADDRESS);
    limits.demand(kind, ADDRESS);
    limits.failed(kind, ADDRESS);
    t.throws(() => limits.demand(kind, ADDRESS), limited(Math.ceil(60 / times)), kind);
    limits.demand(kind, "192.0.2.2");
    time.now += MINUTE / times;
    limits.demand(kind, ADDRESS);
    // Requests that ran side by side have all failed: they have to be waited for.
    for (let i = 0; i < 10 * times; i++) limits.failed(kind, ADDRESS);
    t.throws(() => limits.demand(kind, ADDRESS), { code: "rate_limited" });
    time.now += MINUTE;
    t.throws(() => limits.demand(kind, ADDRESS), { code: "rate_limited" });
    time.now += MINUTE;
    limits.demand(kind, ADDRESS);
  }
  t.end();
});

t.test("kinds are apart, settings hold at once, and a clock that is set back locks nobody out", (t) => {
  const time = { now: Date.UTC(2026, 0, 31) };
  let settings: LimitSettings = DEFAULTS;
  const limits = createNetworkLimits(
    () => settings,
    () => time.now,
  );
  for (let i = 0; i < 20; i++) limits.take("mail", ADDRESS);
  t.throws(() => limits.take("mail", ADDRESS), { code: "rate_limited" });
  limits.take("code", ADDRESS);
  settings = { ...DEFAULTS, network: { ...DEFAULTS.network, mailsPerHour: 40 } };
  time.now += HOUR / 40;
  limits.take("mail", ADDRESS);
  t.throws(() => limits.take("mail", ADDRESS), { code: "rate_limited" });
  time.now -= 1000 * DAY;
  limits.take("mail", ADDRESS);
  t.end();
});

t.test("requests for data have no limit until one is set, and none for keys and admins", (t) => {
  const time = { now: Date.UTC(2026, 0, 31) };
  let settings: LimitSettings = DEFAULTS;
  const limits = createRequestLimits(
    () => settings,
    () => time.now,
  );
  const anyone: Principal = { kind: "anonymous", address: ADDRESS };
  const session = { session: "s", provedAt: 0, address: ADDRESS };
  const person = { kind: "user", guest: false, email: undefined, roles: [], claims: {}, ...session } as const;
  const key = keyPrincipal();
  const owner: Principal = { kind: "admin", id: "a", role: "owner", scopes: ROLES.owner, ...session };
  const ask = (principal: Principal, times: number) => {
    for (let i = 0; i < times; i++) limits.take(principal);
  };
  for (const principal of [anyone, { ...person, id: "u1" }, key, owner]) ask(principal, 5000);
  settings = { ...DEFAULTS, anonymous: 60, user: 600 };
  ask(anyone, 60);
  t.throws(() => limits.take(anyone), limited(1));
  t.throws(() => limits.take({ ...anyone, address: `::ffff:${ADDRESS}` }), limited(1));
  limits.take({ ...anyone, address: "192.0.2.2" });
  ask({ ...person, id: "u1" }, 600);
  t.throws(() => limits.take({ ...person, id: "u1" }), limited(1), "from wherever they come");
  t.throws(() => limits.take({ ...person, id: "u1", address: "192.0.2.2" }), limited(1));
  limits.take({ ...person, id: "u2" });
  limits.takeBatch({ ...person, id: "u2" }, 500);
  t.throws(() => limits.takeBatch({ ...person, id: "u2" }, 500), limited(40));
  t.throws(() => limits.takeBatch({ ...person, id: "u3" }, 601), { code: "payload_too_large" });
  for (const principal of [key, owner]) {
    ask(principal, 5000);
    limits.takeBatch(principal, 500);
  }
  time.now += MINUTE;
  ask(anyone, 60);
  settings = DEFAULTS;
  ask(anyone, 60);
  t.end();
});

t.test("a network is an IPv4 address, however a socket shows it, or the /64 of an IPv6 one", (t) => {
  for (const same of [
    ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:192.0.2.1", "::ffff:c000:201", "0:0:0:0:0:ffff:c000:0201"],
    ["2001:db8::1", "2001:DB8::2", "2001:0db8:0:0:ffff:ffff:ffff:ffff", "2001:db8:0:0::", "2001:db8::192.0.2.1%eth0"],
    ["2001:db8:0:1::1", "2001:db8:0:1:1::"],
    ["::1", "::", "::ffff:0:192.0.2.1", "::192.0.2.1"],
    ["", "unix:", "192.0.2", "fe80::zz"],
  ]) {
    t.equal(new Set(same.map(limitedNetwork)).size, 1, `${same[0]}: ${same.map(limitedNetwork)}`);
  }
  const different = ["192.0.2.1", "192.0.2.2", "2001:db8::", "2001:db8:0:1::", "2001:db8:1::", "2001:db9::", "::1", ""];
  t.equal(new Set(different.map(limitedNetwork)).size, different.length);
  t.end();
});

t.test("a million made-up networks take bounded memory, and make nothing of one that failed a lot forgotten", (t) => {
  const rate = { times: 100, seconds: 3600 };
  const table = new RateTable();
  const now = Date.UTC(2026, 0, 31);
  for (let i = 0; i < 100; i++) table.count("stubborn", rate, now);
  for (let i = 0; i < 51; i++) table.count("busy", rate, now);
  for (let i = 0; i < 1_000_000; i++) table.count(`network ${i}`, rate, now);
  t.equal(table.size, 100_000);
  t.equal(table.wait("stubborn", rate, now), 36_000, "its bucket is as empty as it was");
  for (let i = 0; i < 49; i++) table.count("busy", rate, now);
  t.equal(table.wait("busy", rate, now), 36_000);

  const small = new RateTable(3);
  for (const key of ["a", "b", "c", "d"]) for (let i = 0; i < 60; i++) small.count(key, rate, now);
  t.equal(small.size, 3);
  for (let i = 0; i < 40; i++) small.count("e", rate, now);
  t.equal(small.size, 3, "where all have failed a lot, the one idle longest is forgotten for a new one");
  for (let i = 0; i < 60; i++) small.count("e", rate, now);
  t.equal(small.wait("e", rate, now), 36_000, "whose bucket can be emptied");
  t.end();
});
