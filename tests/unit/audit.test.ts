import { randomBytes } from "node:crypto";
import t, { type Test } from "tap";
import { GalleyError } from "#protocol/errors";
import { authorizeAdmin } from "../../server/access/authorize.ts";
import { AUDIT, type AuditLine, type AuditQuestion, createAudit } from "../../server/accounts/audit/audit.ts";
import type { DocumentStore, Write } from "../../server/stores/document-store.ts";
import { sweepExpired } from "../../server/stores/expired.ts";
import { onEachEngine } from "../support/engines.ts";
import { keyPrincipal } from "../support/services.ts";
import { openTwoStores } from "../support/two-stores.ts";
import { until } from "../support/until.ts";

const DAY = 24 * 60 * 60 * 1000;
const scope = authorizeAdmin(keyPrincipal(), "audit", "read");
const visit = { address: "192.0.2.7", userAgent: "curl/8", requestId: "r-1" };

/** Every line of a question, page by page. */
async function allPages(audit: ReturnType<typeof createAudit>, question: AuditQuestion): Promise<AuditLine[]> {
  const lines: AuditLine[] = [];
  for (let after: string | undefined; ; ) {
    const page = await audit.list(scope, { ...question, after });
    lines.push(...page.lines);
    if (page.next === undefined) return lines;
    after = page.next;
  }
}

onEachEngine(t, async (t, engine) => {
  const time = { now: Date.UTC(2026, 0, 31) };
  const clock = () => time.now;
  const [kept] = await openTwoStores(t, engine);

  /**
   * An audit log without a line.
   * @param commit stands between it and the store
   */
  async function open(t: Test, commit?: (writes: readonly Write[]) => Promise<unknown>) {
    await kept.dropCollection(AUDIT.name);
    await kept.ensureCollection(AUDIT);
    const commits: (readonly Write[])[] = [];
    const store: DocumentStore = {
      ...kept,
      async commit(writes) {
        commits.push(writes);
        await commit?.(writes);
        return kept.commit(writes);
      },
    };
    const logged: string[] = [];
    const log = { debug() {}, info() {}, warn: noted, error: noted };
    function noted(event: object, message: string) {
      logged.push(`${message} ${JSON.stringify(event)}`);
    }
    const audit = createAudit({ store, clock, random: (bytes) => randomBytes(bytes), log });
    t.teardown(() => audit.close());
    const list = async (question: AuditQuestion = {}) => (await audit.list(scope, question)).lines;
    const actions = async (question?: AuditQuestion) => (await list(question)).map(({ action }) => action);
    return { commits, logged, audit, list, actions };
  }

  t.test("a line is part of the commit of what it tells, and says who, for whom, what and from where", async (t) => {
    const { audit, list } = await open(t);
    const event = { action: "user-disabled", by: "owner", for: "ada", visit, details: { reason: "spam", tries: 3 } };
    const blocked: Write = { kind: "check", collection: AUDIT.name, id: "nobody", expect: 7 };
    await t.rejects(kept.commit([audit.line(event), blocked]), { code: "version_conflict" });
    t.same(await list(), []);
    await kept.commit([audit.line(event)]);
    const [line] = await list();
    t.match(line, {
      at: new Date(time.now).toISOString(),
      ...{ action: "user-disabled", by: "owner", for: "ada", network: "192.0.2.0/24" },
      ...visit,
      details: { reason: "spam", tries: 3 },
    });
  });

  t.test("without a visit or a person the line says so", async (t) => {
    const { audit, list } = await open(t);
    await kept.commit([audit.line({ action: "owner-made", by: "start" })]);
    await kept.commit([audit.line({ action: "sign-in-failed", by: "anonymous", details: { role: undefined } })]);
    const [failed, made] = await list();
    t.match(failed, { by: "anonymous", for: null, network: null, address: null, requestId: null, details: {} });
    t.match(made, { by: "start", for: "start", userAgent: null });
  });

  t.test("a note is stored within a second, beside the request, and many at once", async (t) => {
    const { audit, commits, actions } = await open(t);
    for (let i = 0; i < 100; i++) audit.note({ action: `failed-${i}`, by: "anonymous", visit });
    t.equal(commits.length, 0, "nobody waited");
    const started = performance.now();
    await until(async () => (await actions({ limit: 1000 })).length === 100, 10);
    t.ok(performance.now() - started < 10_000);
    t.equal(commits.length, 1);
    audit.note({ action: "last", by: "anonymous" });
    await audit.close();
    t.equal((await actions())[0], "last", "closing stores what was noted");
  });

  t.test("pages go from the newest line to the oldest, also within a millisecond, each line once", async (t) => {
    const { audit } = await open(t);
    const told: string[] = [];
    for (let i = 0; i < 40; i++) {
      told.unshift(`a${i}`);
      await kept.commit([audit.line({ action: `a${i}`, by: "ada" })]);
      if (i % 10 === 9) time.now++;
    }
    for (const limit of [1, 7, 40, 1000]) {
      const lines = await allPages(audit, { limit });
      t.same(
        lines.map(({ action }) => action),
        told,
        `${limit} a page`,
      );
    }
    t.equal((await audit.list(scope, {})).lines.length, 40);
    t.equal((await audit.list(scope, { limit: 40 })).next, undefined, "no page follows the last line");
  });

  t.test("lines of one person, whoever did it, and of one action", async (t) => {
    const { audit, actions } = await open(t);
    await kept.commit([
      audit.line({ action: "sign-in", by: "ada" }),
      audit.line({ action: "sign-in", by: "bob" }),
      audit.line({ action: "disabled", by: "bob", for: "ada" }),
      audit.line({ action: "sign-in-failed", by: "anonymous", for: "ada" }),
      audit.line({ action: "sign-in-failed", by: "anonymous" }),
    ]);
    t.same(await actions({ user: "ada" }), ["sign-in-failed", "disabled", "sign-in"]);
    t.same(await actions({ user: "bob" }), ["disabled", "sign-in"]);
    t.same(await actions({ user: "ada", action: "sign-in" }), ["sign-in"]);
    t.same(await actions({ action: "sign-in" }), ["sign-in", "sign-in"]);
    t.same(await actions({ user: "anonymous" }), ["sign-in-failed", "sign-in-failed"]);
    t.same(await actions({ user: "nobody" }), []);
    const lines = await allPages(audit, { user: "ada", limit: 1 });
    t.equal(lines.length, 3, "pages of a question are of that question");
  });

  t.test("a person's lines are read by an index, a page at a time", async (t) => {
    const { audit } = await open(t);
    const lines = Array.from({ length: 300 }, (_, i) =>
      audit.line({ action: "sign-in", by: i % 3 === 0 ? "ada" : "bob" }),
    );
    await kept.commit(lines);
    await until(async () => {
      const { indexes = [] } = (await kept.stats(AUDIT.name)) ?? {};
      return indexes.length > 0 && indexes.every(({ state }) => state === "ready");
    });
    const examined: number[] = [];
    const find: DocumentStore["find"] = async (query) => {
      const result = await kept.find(query);
      examined.push(result.examined);
      return result;
    };
    const quiet = { debug() {}, info() {}, warn() {}, error() {} };
    const counting = createAudit({
      store: { ...kept, find },
      clock: () => 0,
      random: (n) => randomBytes(n),
      log: quiet,
    });
    await counting.list(scope, { user: "ada", limit: 10 });
    await counting.list(scope, { action: "sign-in", limit: 10 });
    await counting.list(scope, { limit: 10 });
    t.ok(
      examined.every((count) => count <= 11),
      `looked at ${examined.join(", ")} of 300`,
    );
  });

  t.test("a wrong limit or a cursor of another question is refused", async (t) => {
    const { audit } = await open(t);
    await kept.commit(["a", "b", "c"].map((action) => audit.line({ action, by: "ada" })));
    const { next } = await audit.list(scope, { user: "ada", limit: 1 });
    t.type(next, "string");
    const mismatch = { code: "cursor_mismatch" };
    await t.rejects(audit.list(scope, { user: "bob", after: next }), mismatch);
    await t.rejects(audit.list(scope, { after: next }), mismatch);
    for (const after of ["", "x", `${next}x`, "WyJhIiwiYiJd", "x".repeat(100_000)]) {
      await t.rejects(audit.list(scope, { user: "ada", after }), mismatch);
    }
    for (const limit of [0, -1, 1.5, 1001, Number.NaN]) {
      await t.rejects(audit.list(scope, { limit }), {
        code: "invalid_argument",
        details: { faults: [{ path: "limit" }] },
      });
    }
  });

  t.test("texts from outside are bounded and make no second line", async (t) => {
    const { audit, list } = await open(t);
    const userAgent = `\u001b[31m\r\nforged ${"é".repeat(1_000_000)}`;
    const ids = Array.from({ length: 5000 }, (_, i) => `id-${i}`);
    const line = audit.line({
      ...{ action: "x", by: "b".repeat(1_000_000), for: `${"f".repeat(511)}😀`, visit: { ...visit, userAgent } },
      details: { name: "half \ud83d", ids, none: null, on: true },
    });
    t.ok(line.kind === "put" && line.text.length < 10_000 && !/\p{Cc}/u.test(line.text));
    await kept.commit([line]);
    const [read] = await list();
    t.equal(read?.userAgent?.length, 513);
    t.match(read?.details, { name: "half \ufffd", none: null, on: true });
    t.equal((read?.details.ids as string[] | undefined)?.length, 100);
    t.ok(read?.for?.isWellFormed());
  });

  t.test("a line is kept for a year", async (t) => {
    const { audit, actions } = await open(t);
    const sweep = () => sweepExpired({ store: kept, clock: () => time.now, collections: [AUDIT.name] });
    await kept.commit([audit.line({ action: "old", by: "ada" })]);
    time.now += DAY;
    await kept.commit([audit.line({ action: "new", by: "ada" })]);
    time.now += 364 * DAY;
    t.equal(await sweep(), 0);
    time.now += 1;
    t.equal(await sweep(), 1);
    t.same(await actions(), ["new"]);
  });

  t.test("notes wait while the store fails, and are stored once though nobody knows how a commit ended", async (t) => {
    let failures = 0;
    const unknown = () => new GalleyError("unavailable", "gone", { outcome: "unknown" });
    const { audit, logged, actions } = await open(t, async (writes) => {
      if (++failures > 2) return;
      // The first is lost on its way, of the second only the answer.
      if (failures === 2) await kept.commit(writes);
      throw unknown();
    });
    audit.note({ action: "a", by: "ada" });
    await until(() => failures === 1);
    audit.note({ action: "b", by: "ada" });
    await until(() => failures === 2);
    await audit.close();
    t.same(await actions(), ["b", "a"]);
    t.equal(logged.length, 1, "told once, not at every try");
  });

  t.test("what the store never takes is told when it ends, and a flood is counted", async (t) => {
    let gone = true;
    const { audit, logged } = await open(t, async () => {
      if (gone) throw new GalleyError("unavailable", "gone", { outcome: "not_applied" });
    });
    for (let i = 0; i < 10_007; i++) audit.note({ action: "flood", by: "anonymous", visit });
    await audit.close();
    t.match(logged.at(-1), /are lost.*10001/, "those held, and the count of the others");
    gone = false;
    await audit.close();
    const lines = await allPages(audit, { limit: 1000 });
    t.equal(lines.length, 10_001);
    const count = lines.find(({ action }) => action === "audit-lines-lost");
    t.match(count, { by: "server", details: { lines: 7 } });
  });

  t.test("a note fails nobody, whatever it is given", async (t) => {
    const { audit, logged, actions } = await open(t);
    const hostile = { action: "x", by: undefined } as unknown as Parameters<typeof audit.note>[0];
    t.doesNotThrow(() => audit.note(hostile));
    t.match(logged[0], /could not be made/);
    t.same(await actions(), []);
  });
});
