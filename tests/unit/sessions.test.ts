/** Sessions and refresh tokens on both engines, on MongoDB with two nodes: accounts.md 5.2, U06 and U07. */
import t, { type Test } from "tap";
import { fresh } from "../../server/accounts/record.ts";
import { formatRefreshToken, macOf, parseRefreshToken } from "../../server/accounts/sessions/refresh-token.ts";
import { SESSIONS, type SessionRecord } from "../../server/accounts/sessions/sessions.ts";
import { signedIn } from "../../server/accounts/sessions/signed-in.ts";
import { findUser, type Pool, removeUser, type UserRecord, writeUser } from "../../server/accounts/users.ts";
import type { Write } from "../../server/stores/document-store.ts";
import { onEachEngine } from "../support/engines.ts";
import { addUser, openNodes, type SessionNodes, signIn, startNode, VISIT } from "../support/session-nodes.ts";
import { claimsOf, openTable, type Table } from "../support/session-tables.ts";
import { until } from "../support/until.ts";

const SECOND = 1000;
const DAY = 24 * 60 * 60 * SECOND;
const ended = { code: "unauthenticated", details: { reason: "session_ended", outcome: "not_applied" } } as const;
const invalid = { code: "unauthenticated", details: { reason: "token_invalid", outcome: "not_applied" } } as const;

onEachEngine(t, async (t, engine) => {
  const nodes = await openNodes(t, engine);

  t.test("the newest token gives its successor, and the one before gives the same again for 30 seconds", async (t) => {
    const { time, first, second } = nodes;
    const { session, token: r1 } = await comeIn(nodes);
    time.now += 10 * SECOND;
    const { session: rotated, refreshToken: r2 } = await first.sessions.rotate(r1, VISIT);
    t.not(r2, r1);
    t.equal(rotated.generation, 2);
    for (const wait of [0, 30 * SECOND]) {
      time.now = rotated.rotatedAt.getTime() + wait;
      for (const { sessions } of [first, second]) {
        const again = await sessions.rotate(r1, VISIT);
        t.equal(again.refreshToken, r2);
        t.strictSame(again.session, rotated, "and nothing is written");
      }
    }
    const { refreshToken: r3, session: newest } = await second.sessions.rotate(r2, VISIT);
    t.notOk([r1, r2].includes(r3));
    t.strictSame(await first.sessions.find(session.id), newest, "what is answered is what is stored");
    t.equal(nodes.reuses.length, 0);
  });

  t.test("U06: the one before comes too late: its session ends, with all that is of it", async (t) => {
    const { time, first, reuses } = nodes;
    const { session, token: r1 } = await comeIn(nodes);
    const { refreshToken: r2 } = await first.sessions.rotate(r1, VISIT);
    time.now += 30 * SECOND + 1;
    await t.rejects(first.sessions.rotate(r1, { ...VISIT, address: "198.51.100.9" }), ended);
    t.same(reuses.splice(0), [{ session: session.id, address: "198.51.100.9" }]);
    t.equal(await nodes.notes(), 1, "what is told of it is stored in that commit");
    has(t, await first.sessions.find(session.id), { endedAt: new Date(time.now) });
    await t.rejects(first.sessions.rotate(r2, VISIT), ended);
    await t.rejects(first.sessions.rotate(r1, VISIT), ended);
    t.equal(reuses.length, 0, "once");
  });

  t.test("an older one ends its session at once; 20 at a time do it once", async (t) => {
    const { first, second, reuses } = nodes;
    const { token: r1 } = await comeIn(nodes);
    const { refreshToken: r2 } = await first.sessions.rotate(r1, VISIT);
    const { refreshToken: r3 } = await first.sessions.rotate(r2, VISIT);
    const before = (await nodes.notes()) ?? 0;
    const tries = Array.from({ length: 20 }, (_, i) => (i % 2 ? first : second).sessions.rotate(r1, VISIT));
    for (const { status } of await Promise.allSettled(tries)) t.equal(status, "rejected");
    t.equal(await nodes.notes(), before + 1);
    reuses.length = 0;
    await t.rejects(second.sessions.rotate(r3, VISIT), ended);
  });

  t.test("U07: of 20 at once, on two nodes, all get one successor, 50 times over", async (t) => {
    const { first, second } = nodes;
    const { session, token } = await comeIn(nodes);
    let newest = token;
    const successors = new Set<string>();
    let refused = 0;
    for (let round = 0; round < 50; round++) {
      const tries = Array.from({ length: 20 }, (_, i) => (i % 2 ? first : second).sessions.rotate(newest, VISIT));
      const tokens = new Set<string>();
      for (const result of await Promise.allSettled(tries)) {
        if (result.status === "fulfilled") tokens.add(result.value.refreshToken);
        else refused++;
      }
      const [successor = ""] = tokens;
      if (tokens.size !== 1) t.fail(`round ${round}: ${tokens.size} successors`);
      successors.add(successor);
      newest = successor;
    }
    t.equal(refused, 0);
    t.equal(successors.size, 50);
    t.match(await first.sessions.find(session.id), { generation: 51 });
    t.equal((await first.sessions.find(session.id))?.endedAt, undefined, "no try was taken for reuse");
  });

  t.test("a forged token is refused and ends nothing", async (t) => {
    const { first, keys, epoch } = nodes;
    const { session, token } = await comeIn(nodes);
    const other = await comeIn(nodes);
    const { refreshToken: newest } = await first.sessions.rotate(token, VISIT);
    const forged = (generation: number, source: object = {}, key = keys.of("refresh")[0]) => {
      const mac = macOf(key, { epoch, session: session.id, generation, salt: session.salt, ...source });
      return formatRefreshToken({ session: session.id, generation, mac });
    };
    t.equal(forged(2), newest, "the frame of this test makes good ones");
    const mac = parseRefreshToken(newest)?.mac ?? "";
    const texts = [
      forged(3),
      forged(99),
      formatRefreshToken({ session: session.id, generation: 1, mac }),
      formatRefreshToken({ session: session.id, generation: 3, mac }),
      formatRefreshToken({ session: other.session.id, generation: 1, mac: parseRefreshToken(token)?.mac ?? "" }),
      forged(1, { salt: other.session.salt }),
      forged(1, { epoch: "e0" }),
      forged(1, {}, keys.of("access")[0]),
      forged(2, { session: other.session.id }),
      `${newest.slice(0, -2)}xx`,
      newest.replace(session.id, "x".repeat(22)),
    ];
    for (const text of texts) await t.rejects(first.sessions.rotate(text, VISIT), ended);
    for (const text of texts.slice(2)) t.equal(await first.sessions.holderOf(text), undefined);
    for (const text of ["", "gr_", `${newest}x`, newest.slice(3), "x".repeat(1e5), "ey.ey.x", "gd_1_x_x"]) {
      await t.rejects(first.sessions.rotate(text, VISIT), invalid);
      t.equal(await first.sessions.holderOf(text), undefined);
    }
    t.equal(nodes.reuses.length, 0);
    t.match(await first.sessions.rotate(newest, VISIT), { session: { id: session.id, generation: 3 } });
    t.match(await first.sessions.rotate(other.token, VISIT), { session: { id: other.session.id, generation: 2 } });
  });

  t.test("a session ends idle or after its longest life; only a rotation is a sign of life", async (t) => {
    const { time, first } = nodes;
    const { session, token: r1 } = await comeIn(nodes);
    const began = time.now;
    has(t, session, { lastUsedAt: new Date(began), idleEndsAt: new Date(began + 30 * DAY), generation: 1 });
    has(t, session, { endsAt: new Date(began + 90 * DAY), expiresAt: new Date(began + 60 * DAY) });
    time.now += 30 * DAY - 1;
    await first.sessions.holderOf(r1);
    const phone = { ...VISIT, address: "2001:db8:7::1", userAgent: "okhttp/4.12.0" };
    const { session: used, refreshToken: r2 } = await first.sessions.rotate(r1, phone);
    has(t, used, { network: "2001:db8:7::/48", device: { name: "desk", os: "", app: "okhttp" } });
    has(t, used, { lastUsedAt: new Date(time.now), idleEndsAt: new Date(time.now + 30 * DAY) });
    has(t, used, { endsAt: session.endsAt, provedAt: session.provedAt, expiresAt: new Date(time.now + 60 * DAY) });
    time.now += SECOND;
    t.strictSame((await first.sessions.rotate(r1, VISIT)).session, used);
    time.now += 29 * DAY;
    const { refreshToken: r3 } = await first.sessions.rotate(r2, VISIT);
    time.now += 29 * DAY;
    const { session: last, refreshToken: r4 } = await first.sessions.rotate(r3, VISIT);
    has(t, last, { idleEndsAt: session.endsAt, expiresAt: new Date(session.endsAt.getTime() + 30 * DAY) });
    time.now = session.endsAt.getTime();
    await t.rejects(first.sessions.rotate(r4, VISIT), ended);
    const idle = await comeIn(nodes);
    time.now += 30 * DAY;
    await t.rejects(first.sessions.rotate(idle.token, VISIT), ended);
    t.equal(nodes.reuses.length, 0);
  });

  t.test("who is disabled or gone refreshes nothing, whoever is faster", async (t) => {
    const { store, first } = nodes;
    const { user, token } = await comeIn(nodes);
    const disabled = { ...user, disabledAt: new Date() };
    await store.commit([writeUser(store, disabled, 0)]);
    await t.rejects(first.sessions.rotate(token, VISIT), ended);
    const stored = await findUser(store, "user", user.id);
    if (stored) await store.commit([removeUser(stored)]);
    await t.rejects(first.sessions.rotate(token, VISIT), ended);

    for (let round = 0; round < 20; round++) {
      const { user, session, token } = await comeIn(nodes);
      const off = [writeUser(store, { ...user, disabledAt: new Date() }, 0), first.sessions.end(session)];
      const [rotation, end] = await Promise.allSettled([first.sessions.rotate(token, VISIT), store.commit(off)]);
      t.not(rotation.status, end.status, "one of the two");
    }
  });

  t.test("an ended session is known by its token, and kept for 30 days in its person's list", async (t) => {
    const { store, time, first } = nodes;
    const { user, session, token } = await comeIn(nodes);
    time.now += SECOND;
    const { token: later } = await signIn(nodes, user);
    t.match(await first.sessions.holderOf(later), { user: user.id });
    await store.commit([first.sessions.end(session)]);
    await t.rejects(first.sessions.rotate(token, VISIT), ended);
    has(t, await first.sessions.holderOf(token), { id: session.id, expiresAt: new Date(time.now + 30 * DAY) });
    const listed = await first.sessions.ofUser("user", user.id);
    t.same(
      listed.map(({ endedAt }) => endedAt !== undefined),
      [false, true],
      "newest first",
    );
    t.same(await first.sessions.ofUser("admin", user.id), []);
    await store.commit(listed.map((one) => first.sessions.remove(one)));
    t.same(await first.sessions.ofUser("user", user.id), []);
    for (const id of ["", ".", "..", "x", "x".repeat(1000), `${session.id.slice(1)}/`, session.id]) {
      t.equal(await first.sessions.find(id), undefined);
    }
  });

  t.test("the oldest ends beyond the most that a person may have; a new one ends the one it replaces", async (t) => {
    const { store, time, first, lives } = nodes;
    const user = await addUser(nodes);
    const made: SessionRecord[] = [];
    for (let i = 0; i < lives.most + 2; i++) {
      time.now += SECOND;
      made.push((await signIn(nodes, user)).session);
    }
    const live = async () => {
      const all = await first.sessions.ofUser("user", user.id);
      return all.filter(({ endedAt }) => !endedAt).map(({ id }) => id);
    };
    t.same(
      await live(),
      made
        .slice(2)
        .map(({ id }) => id)
        .reverse(),
    );
    const [, , third, fourth] = made;
    if (!third || !fourth) throw new Error("expects four sessions");
    const replaced = await signIn(nodes, user, { replaces: fourth });
    t.equal((await live()).length, lives.most, "the place of the one it replaces is free");
    t.ok((await live()).includes(third.id));
    t.notOk((await live()).includes(fourth.id));
    const again = await signIn(nodes, user, { replaces: { ...fourth, endedAt: new Date() } });
    t.notOk((await live()).includes(third.id));
    const stranger = await comeIn(nodes);
    const { session, writes } = await first.sessions.start({
      ...{ pool: "user", user: user.id, visit: VISIT, proofs: ["password"], endsOthers: true },
      replaces: stranger.session,
    });
    t.equal(new Set(writes.map(({ id }) => id)).size, writes.length, "no document twice");
    await store.commit(writes);
    t.same(await live(), [session.id]);
    t.match(await first.sessions.find(stranger.session.id), { endedAt: Date });
    t.ok([replaced, again].every(({ session: { id } }) => id !== session.id));
  });

  t.test("a person's sessions are looked through only if there may be too many of them", async (t) => {
    const { first, lives } = nodes;
    const user = await addUser(nodes);
    const request = { pool: "user", user: user.id, visit: VISIT, proofs: ["password"] } as const;
    await signIn(nodes, user);
    t.match(await first.sessions.start({ ...request, atMost: lives.most - 1 }), { atMost: lives.most });
    t.match(await first.sessions.start({ ...request, atMost: lives.most }), { atMost: 2, ends: false });
  });

  t.test("signing in all day leaves no more than 100 ended sessions behind", async (t) => {
    const { store, first } = nodes;
    const user = await addUser(nodes);
    const session = (await signIn(nodes, user)).session;
    const ended = Array.from({ length: 105 }, (_, i) => {
      const id = `${i}`.padStart(22, "e");
      return first.sessions.end({ ...session, ...fresh(id, session.createdAt.getTime() - (i + 1) * SECOND) });
    });
    await store.commit(ended);
    await signIn(nodes, user);
    const ids = (await first.sessions.ofUser("user", user.id)).map(({ id }) => id);
    t.equal(ids.length, 102);
    t.ok(ids.includes("99".padStart(22, "e")), "the newest stay");
  });

  t.test("a token that an older secret made is taken, and the next is made by the newest", async (t) => {
    const { store, secrets } = nodes;
    const old = startNode(nodes, store, secrets.slice(1));
    const { token } = await comeIn({ ...nodes, first: old });
    const { refreshToken } = await nodes.first.sessions.rotate(token, VISIT);
    await t.rejects(old.sessions.rotate(refreshToken, VISIT), ended);
    t.match(await nodes.second.sessions.rotate(refreshToken, VISIT), { session: { generation: 3 } });
  });

  t.test("the database alone yields no token, and no token is in it", async (t) => {
    const { store, first } = nodes;
    const { session, token } = await comeIn(nodes);
    const { refreshToken } = await first.sessions.rotate(token, VISIT);
    const [row] = await store.get(SESSIONS.name, [session.id]);
    for (const one of [token, refreshToken]) t.notOk(row?.text.includes(parseRefreshToken(one)?.mac ?? ""));
    t.equal(Buffer.from(session.salt, "base64url").length, 32);
    t.equal(Buffer.from(session.id, "base64url").length, 16);
  });

  t.test("who is held is known at once, without asking the store, as exactly whom the token names", async (t) => {
    const { time, lives } = nodes;
    const { user, session } = await comeIn(nodes);
    const asked: string[] = [];
    const table = openTable(t, nodes, {
      ...nodes.store,
      get: (collection, ids) => {
        asked.push(collection);
        return nodes.store.get(collection, ids);
      },
    });
    const claims = claimsOf(session);
    const both = await Promise.all([table.of(claims), table.of(claims)]);
    t.same(asked.sort(), ["_sessions", "_users"], "callers at once share what is read");
    const expected = signedIn(user, session);
    for (const found of [...both, table.of(claims)]) t.match(found, expected);
    t.notOk(table.of(claims) instanceof Promise);
    t.equal(asked.length, 2);

    const other = await comeIn(nodes);
    await table.of(claimsOf(other.session));
    await addUser(nodes, { pool: "admin", id: user.id });
    for (const wrong of [
      { pool: "admin" },
      { user: other.user.id },
      { session: other.session.id },
      { session: "x" },
    ] as const) {
      await t.rejects(async () => table.of({ ...claims, ...wrong }), ended, JSON.stringify(wrong));
    }
    time.now = session.createdAt.getTime() + lives.idleSeconds * SECOND - 1;
    t.ok(table.of(claims));
    time.now++;
    t.throws(() => table.of(claims), ended, "time ends it as well");
  });

  t.test("P9: once a change is confirmed nobody is judged by what was before, on any node", async (t) => {
    const { store, first } = nodes;
    const tables = [openTable(t, nodes, store), openTable(t, nodes, nodes.other)];
    const changes: readonly ((user: UserRecord, session: SessionRecord) => Write)[] = [
      (_, session) => first.sessions.end(session),
      (_, session) => first.sessions.remove(session),
      (user) => writeUser(store, { ...user, disabledAt: new Date() }, 0),
      (user) => removeUser(user),
    ];
    for (let round = 0; round < 32; round++) {
      const { user, session } = await comeIn(nodes, round % 2 ? "user" : "admin");
      const claims = claimsOf(session);
      const ask = (table: Table) =>
        Promise.resolve(claims)
          .then(table.of)
          .catch(() => undefined);
      for (const table of round % 3 ? tables : []) await ask(table);
      // Reads that are under way when it happens must not bring back what was before.
      const racing = tables.map(ask);
      const change = changes[(round >> 1) % changes.length] as (typeof changes)[number];
      const confirmed = store.commit([change(user, session)]).then((position) => store.barrier(position));
      racing.push(...tables.map(ask));
      await confirmed;
      await Promise.all(racing);
      for (const table of tables) await t.rejects(async () => table.of(claims), ended, `round ${round}`);
    }
    const { user, session } = await comeIn(nodes);
    for (const table of tables) t.strictSame((await table.of(claimsOf(session))).roles, []);
    const editor = writeUser(store, { ...user, roles: ["editor"] }, 0);
    await store.barrier(await store.commit([editor]));
    for (const table of tables) t.strictSame((await table.of(claimsOf(session))).roles, ["editor"]);
  });

  t.test("a read that a change overtakes is done again; a lost history clears the table", async (t) => {
    const { store, first } = nodes;
    const { session } = await comeIn(nodes);
    const seen = { reads: 0, lost: () => {}, inTouch: true, touch: () => {}, go: () => {} };
    const going = new Promise<void>((resolve) => Object.assign(seen, { go: resolve }));
    const touch = () => new Promise<void>((resolve) => Object.assign(seen, { touch: resolve }));
    const table = openTable(t, nodes, {
      ...store,
      nodes: Object.defineProperty({ ...store.nodes, touch }, "inTouch", { get: () => seen.inTouch }),
      tail: (from, listener, lost = () => {}) => store.tail(from, listener, Object.assign(seen, { lost }).lost),
      get: async (collection, ids) => {
        const rows = await store.get(collection, ids);
        seen.reads++;
        await going;
        return rows;
      },
    });
    const early = table.of(claimsOf(session));
    await until(() => seen.reads === 2);
    await store.passed(await store.commit([first.sessions.end(session)]));
    seen.go();
    await t.rejects(async () => early, ended, "what it had read was true before");

    const { session: next } = await comeIn(nodes);
    await table.of(claimsOf(next));
    const { reads } = seen;
    await seen.lost();
    await table.of(claimsOf(next));
    t.equal(seen.reads, reads + 2, "both are read anew");

    seen.inTouch = false;
    const waiting = table.of(claimsOf(next));
    t.ok(waiting instanceof Promise, "out of touch nobody is judged by what is held");
    seen.inTouch = true;
    seen.touch();
    t.match(await waiting, { session: next.id });
  });
});

/** Not by tap's `match`, which takes any date for any other. */
function has(t: Test, session: SessionRecord | undefined, fields: Partial<SessionRecord>): void {
  const given = Object.keys(fields).map((name) => [name, session?.[name as keyof SessionRecord]]);
  t.strictSame(Object.fromEntries(given), fields);
}

async function comeIn(nodes: SessionNodes, pool: Pool = "user") {
  const user = await addUser(nodes, { pool });
  return { user, ...(await signIn(nodes, user)) };
}
