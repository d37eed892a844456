/** Limits of accounts on both engines, on MongoDB with two nodes: accounts.md 8, U05 and U20. */
import { createHash, randomBytes } from "node:crypto";
import t, { type Test } from "tap";
import type { GalleyError } from "#protocol/errors";
import { decideAndCommit } from "../../server/accounts/commit.ts";
import { createLimits, LIMITS_RECORDS, type Limits } from "../../server/accounts/limits/limits.ts";
import { settingsOf } from "../../server/accounts/settings/settings-input.ts";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { sweepExpired } from "../../server/stores/expired.ts";
import { onEachEngine } from "../support/engines.ts";
import { openTwoStores } from "../support/two-stores.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const { limits: DEFAULTS } = settingsOf({});
const random = (bytes: number) => randomBytes(bytes);
const limited = (retryAfter: number) => ({
  code: "rate_limited" as const,
  details: { retryAfter, outcome: "not_applied" as const },
});
const ADDRESS = "192.0.2.1";

/** What limits are told of an account. */
function account(name = randomBytes(9).toString("hex")): string {
  return createHash("sha256").update(`user ${name}`).digest("hex");
}

/** Limits on two nodes, and a clock for both. */
async function openNodes(t: Test, [store, other]: readonly [DocumentStore, DocumentStore]) {
  const time = { now: Date.UTC(2026, 0, 31) };
  await store.ensureCollection(LIMITS_RECORDS);
  const open = (on: DocumentStore, settings = DEFAULTS): Limits =>
    createLimits({ store: on, clock: () => time.now, random, settings: () => settings });
  return { t, time, store, first: open(store), second: open(other), open };
}

function network(i: number): { readonly address: string } {
  return { address: `10.0.${i >> 8}.${i & 255}` };
}

onEachEngine(t, async (t, engine) => {
  const stores = await openTwoStores(t, engine);

  t.test("five passwords are free, then each waits twice as long, up to 15 minutes", async (t) => {
    const { time, first, second } = await openNodes(t, stores);
    const who = account();
    for (let i = 0; i < 5; i++) await (i % 2 ? first : second).tryPassword(who, { address: ADDRESS });
    for (const wait of [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]) {
      await t.rejects(second.tryPassword(who, { address: ADDRESS }), limited(wait));
      time.now += wait * SECOND - 1;
      await t.rejects(first.tryPassword(who, { address: ADDRESS }), limited(1), "what was refused changed nothing");
      time.now += 1;
      await first.tryPassword(who, { address: ADDRESS });
    }
    await first.tryPassword(who, { address: "192.0.2.2" });
    await first.tryPassword(who, { device: "d1" });
    await first.tryPassword(account(), { address: ADDRESS });
    await t.rejects(first.tryPassword(who, { address: `::ffff:${ADDRESS}` }), limited(900), "U05, N01: one network");
    time.now += 17 * 15 * MINUTE;
    for (let i = 0; i < 5; i++) await second.tryPassword(who, { address: ADDRESS });
    await t.rejects(first.tryPassword(who, { address: ADDRESS }), limited(1), "long after, it begins anew");
  });

  t.test("U05: of 200 guesses at once, on two nodes, each network has at most five judged", async (t) => {
    const { first, second } = await openNodes(t, stores);
    for (const [networks, judged] of [
      [1, 5],
      [10, 50],
      [50, 100],
    ] as const) {
      const who = account();
      const tries = Array.from({ length: 200 }, (_, i) =>
        (i % 2 ? first : second).tryPassword(who, network(i % networks)).then(
          () => i % networks,
          (error: GalleyError) => error,
        ),
      );
      const ends = await Promise.all(tries);
      const judgedOnes = ends.filter((end) => typeof end === "number");
      t.equal(judgedOnes.length, judged, `${networks} networks`);
      for (let i = 0; i < networks; i++) t.ok(judgedOnes.filter((of) => of === i).length <= 5);
      for (const end of ends) {
        if (typeof end === "number") continue;
        t.match(end, { code: "rate_limited", details: { outcome: "not_applied" } });
        t.ok(Number.isInteger(end.details.retryAfter) && Number(end.details.retryAfter) >= 1);
      }
    }
  });

  t.test("a hundred failures in a row close passwords to all but known devices, until a reset", async (t) => {
    const { time, store, first, second } = await openNodes(t, stores);
    const who = account();
    const tries = [];
    for (let i = 0; i < 100; i++) tries.push(await (i % 2 ? first : second).tryPassword(who, network(i)));
    t.strictSame(
      tries.map(({ closes }) => closes),
      [...Array(99).fill(false), true],
      "the last one tells",
    );
    await t.rejects(first.tryPassword(who, network(100)), limited(900));
    time.now += 1000 * DAY;
    await sweepExpired({ store, clock: () => time.now, collections: [LIMITS_RECORDS.name] });
    await t.rejects(second.tryPassword(who, network(100)), limited(900), "also long after");

    // The owner, on a device that has signed in before: it gets in, and strangers still do not.
    const known = await first.tryPassword(who, { device: "laptop" });
    t.notOk(known.closes);
    await store.commit(known.cleared());
    await t.rejects(second.tryPassword(who, network(100)), limited(900));
    for (let i = 0; i < 5; i++) await second.tryPassword(who, { device: "laptop" });
    await t.rejects(first.tryPassword(who, { device: "laptop" }), limited(1), "it has a counter of its own");
    await first.tryPassword(who, { device: "phone" });
    await t.rejects(first.tryPassword(who, network(100)), limited(900));

    await store.commit(await second.reopened(who));
    for (let i = 0; i < 5; i++) await first.tryPassword(who, network(1));
    for (let i = 0; i < 5; i++) await second.tryPassword(who, { device: "laptop" });
    await t.rejects(first.tryPassword(who, { device: "laptop" }), limited(1));
    t.strictSame(await first.reopened(account()), [], "where nothing is, nothing is to be done");
  });

  t.test("a row is forgotten after as many quiet days as it has failures, and no sooner", async (t) => {
    const { time, open, store } = await openNodes(t, stores);
    const limits = open(store, { ...DEFAULTS, account: { ...DEFAULTS.account, passwordFailuresInARow: 10 } });
    const [patient, hasty] = [account(), account()];
    for (const who of [patient, hasty]) for (let i = 0; i < 9; i++) await limits.tryPassword(who, network(i));
    time.now += 9 * DAY - 1;
    t.ok((await limits.tryPassword(hasty, network(0))).closes);
    time.now += 1;
    for (let i = 0; i < 9; i++) t.notOk((await limits.tryPassword(patient, network(i))).closes);
    t.ok((await limits.tryPassword(patient, network(9))).closes);
  });

  t.test("success takes away its source's failures and the row, and nothing else", async (t) => {
    const { time, store, first, second } = await openNodes(t, stores);
    const who = account();
    for (let i = 0; i < 98; i++) await first.tryPassword(who, network(i % 49));
    for (let i = 0; i < 3; i++) {
      if (i > 0) time.now += HOUR;
      const right = await second.tryPassword(who, network(0));
      await store.commit(right.cleared());
      t.strictSame(right.cleared(), [], "once");
      for (let j = 0; j < 5; j++) await first.tryPassword(who, network(0));
      await t.rejects(second.tryPassword(who, network(0)), limited(1), "its own begin anew");
    }
    const others = account();
    for (let i = 0; i < 5; i++) await first.tryPassword(others, network(1));
    const right = await first.tryPassword(others, network(2));
    const between = await second.tryPassword(others, network(3));
    await store.commit(right.cleared());
    await t.rejects(second.tryPassword(others, network(1)), limited(1), "another network waits on");
    t.notOk(between.closes);
    // One failure came after the success: with it, 99 more close.
    for (let i = 0; i < 98; i++) t.notOk((await second.tryPassword(others, network(100 + i))).closes);
    t.ok((await second.tryPassword(others, network(300))).closes);
  });

  t.test("no number of wrong guesses makes a sign-in's commit fail, nor a reset's", async (t) => {
    const { store, first, second } = await openNodes(t, stores);
    for (const end of ["sign-in", "reset"] as const) {
      const who = account();
      for (let i = 0; i < 10; i++) await second.tryPassword(who, network(i));
      const right = await first.tryPassword(who, { device: "laptop" });
      const writes = end === "sign-in" ? right.cleared() : await first.reopened(who);
      const guesses = Array.from({ length: 40 }, (_, i) => second.tryPassword(who, network(20 + i)));
      const [committed] = await Promise.all([store.commit(writes), ...guesses]);
      t.type(committed, "string");
      // Those that came meanwhile still count: at most 41 can have come before.
      for (let i = 0; i < 59; i++) await first.tryPassword(who, network(100 + i));
    }
  });

  t.test("two successes at once both get in", async (t) => {
    const { store, first, second } = await openNodes(t, stores);
    const who = account();
    for (let i = 0; i < 4; i++) await first.tryPassword(who, network(0));
    const tries = [await first.tryPassword(who, network(0)), await second.tryPassword(who, network(1))];
    await Promise.all(
      tries.map((one, i) =>
        decideAndCommit({ store: stores[i] ?? store, random }, async () => ({ writes: one.cleared(), answer: i })),
      ),
    );
    t.pass("neither fails");
    for (let i = 0; i < 3; i++) await first.tryPassword(who, network(1));
  });

  t.test("U20: an account has 20 wrong codes a day, a known device its own, and success begins anew", async (t) => {
    const { time, store, first, second } = await openNodes(t, stores);
    const who = account();
    const invalid = { code: "unauthenticated", details: { reason: "secret_invalid", outcome: "not_applied" } } as const;
    const ends = await Promise.allSettled(
      Array.from({ length: 60 }, (_, i) => (i % 2 ? first : second).tryCode(who, undefined)),
    );
    t.equal(ends.filter(({ status }) => status === "fulfilled").length, 20);
    for (const end of ends) if (end.status === "rejected") t.match(end.reason, invalid);
    for (let i = 0; i < 20; i++) await second.tryCode(who, "laptop");
    await t.rejects(first.tryCode(who, "laptop"), invalid);
    await first.tryCode(account(), undefined);
    await store.commit(await second.codeWorked(who, "laptop"));
    await first.tryCode(who, "laptop");
    time.now += DAY - 1;
    await t.rejects(second.tryCode(who, undefined), invalid);
    time.now += 1;
    for (let i = 0; i < 20; i++) await second.tryCode(who, undefined);
    await t.rejects(second.tryCode(who, undefined), invalid);
    t.strictSame(await first.codeWorked(account(), undefined), []);
  });

  t.test("an account is mailed once a minute and five times an hour, whoever asks", async (t) => {
    const { time, first, second } = await openNodes(t, stores);
    const who = account();
    const asked = Array.from({ length: 20 }, (_, i) => (i % 2 ? first : second).takeMail(who));
    const ends = await Promise.allSettled(asked);
    t.equal(ends.filter(({ status }) => status === "fulfilled").length, 1);
    for (let i = 0; i < 4; i++) {
      await t.rejects(first.takeMail(who), limited(60));
      time.now += MINUTE;
      await second.takeMail(who);
    }
    time.now += MINUTE;
    await t.rejects(first.takeMail(who), limited(55 * 60));
    await first.takeMail(account());
    time.now += 55 * MINUTE - 1;
    await t.rejects(first.takeMail(who), limited(1));
    time.now += 1;
    await first.takeMail(who);
  });

  t.test("what cannot be counted is not let through", async (t) => {
    const { open, store } = await openNodes(t, stores);
    const failing = (method: "get" | "commit") => {
      const broken = { [method]: () => Promise.reject(new Error(`${method} fails`)) };
      return open(Object.assign(Object.create(store), broken) as DocumentStore);
    };
    for (const limits of [failing("get"), failing("commit")]) {
      const who = account();
      for (const call of [
        () => limits.tryPassword(who, { address: ADDRESS }),
        () => limits.tryPassword(who, { device: "d1" }),
        () => limits.tryCode(who, undefined),
        () => limits.takeMail(who),
      ]) {
        await t.rejects<unknown>(call(), { code: "unavailable", details: { outcome: "not_applied" } });
      }
    }
  });

  t.test("the store's work tells not whose account it is, and ends when what it keeps is of no use", async (t) => {
    const { time, store, open } = await openNodes(t, stores);
    const calls: string[] = [];
    const limits = open(
      Object.assign(Object.create(store), {
        get: (collection: string, ids: readonly string[]) => {
          calls.push(`get ${ids.length}`);
          return store.get(collection, ids);
        },
        commit: (writes: Parameters<DocumentStore["commit"]>[0]) => {
          calls.push(`commit ${writes.map(({ kind }) => kind)}`);
          return store.commit(writes);
        },
      }) as DocumentStore,
    );
    const tried = async (who: string) => {
      calls.length = 0;
      await limits.tryPassword(who, { address: "192.0.2.9" });
      return [...calls];
    };
    const owner = account();
    const right = await limits.tryPassword(owner, { address: ADDRESS });
    await store.commit(right.cleared());
    t.strictSame(await tried(owner), ["get 2", "commit put"]);
    t.strictSame(await tried(account()), ["get 2", "commit put"], "as of one that nobody has");

    time.now += 200 * DAY;
    const sweep = () => sweepExpired({ store, clock: () => time.now, collections: [LIMITS_RECORDS.name] });
    await sweep();
    const before = (await store.stats(LIMITS_RECORDS.name))?.documents ?? 0;
    for (let i = 0; i < 50; i++) {
      await limits.tryPassword(account(), network(i));
      await limits.takeMail(account());
      await limits.tryCode(account(), undefined);
    }
    t.equal((await store.stats(LIMITS_RECORDS.name))?.documents, before + 150);
    time.now += DAY + SECOND;
    t.equal(await sweep(), 150, "a day after one try each, nothing is left");
  });

  t.test("a session refreshes 30 times a minute", async (t) => {
    const { time, first } = await openNodes(t, stores);
    for (let i = 0; i < 30; i++) first.demandRefresh("s1");
    for (let i = 0; i < 30; i++) first.refreshed("s1");
    t.throws(() => first.demandRefresh("s1"), limited(2));
    first.demandRefresh("s2");
    time.now += 2 * SECOND;
    first.demandRefresh("s1");
  });
});
