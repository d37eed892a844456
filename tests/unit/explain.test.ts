/** Traces of access rules: each clause has the judge's own verdict, and what is named as the reason is one. */
import t from "tap";
import type { Document, ObjectValue } from "#protocol/values";
import { createAuthorizer } from "../../server/access/authorize.ts";
import type { RuledPrincipal } from "../../server/access/caller.ts";
import { createDenials } from "../../server/access/explaining/denials.ts";
import { createTimedLookups, simulateRights } from "../../server/access/explaining/simulated-rights.ts";
import { type Trace, traceRule } from "../../server/access/explaining/trace.ts";
import { inWords, reasonsOf } from "../../server/access/explaining/trace-reasons.ts";
import { parseRules } from "../../server/access/parsing/rules.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";
import { randomDocument, randomFilter } from "../support/filter-generator.ts";
import { chooseSeed } from "../support/seeded.ts";
import { Random } from "../support/trap-pool.ts";

const NOBODY: RuledPrincipal = { kind: "anonymous", address: "192.0.2.1" };
const ANN: RuledPrincipal = {
  ...{ kind: "user", id: "u1", session: "", provedAt: 0, address: "192.0.2.1", guest: false },
  ...{ email: undefined, roles: ["editor"], claims: { level: 2, teams: ["t1", "t2"] } },
};
const NOW = Date.UTC(2026, 0, 31, 10);
const store = {
  find: () => Promise.reject(new Error("nothing is read here")),
  distinct: () => Promise.reject(new Error("nothing is read here")),
};

function judged(rule: unknown, principal: RuledPrincipal, fields: ObjectValue) {
  const { rules, faults } = parseRules({ collections: { c: { get: rule } } }, 1);
  if (faults.length > 0) return undefined;
  const rights = simulateRights({ store, cache: createTimedLookups(store), rules, principal, now: NOW });
  const value: Document = { _id: "d1", _v: 1, _createdAt: new Date(NOW), _updatedAt: new Date(NOW), ...fields };
  const images = { image: { value } };
  const allowed = createAuthorizer(rights).scope(principal, "c").allows("get", images);
  const get = rules.collections.get("c")?.get;
  if (!get) throw new Error("no rule");
  return { allowed, tree: traceRule({ rules, rule: get, caller: rights.caller, images, ticks: false }) };
}

t.test("reasons and words tell what would have to be otherwise", async (t) => {
  const rows: [rule: unknown, fields: ObjectValue, by: RuledPrincipal, because: string[], words: string][] = [
    [{ a: "$auth.id" }, { a: "u2" }, ANN, ["c.get.a"], 'a is "u2"; the caller is "u1"'],
    [{ a: "$auth.id" }, {}, ANN, ["c.get.a"], 'a is missing; the caller is "u1"'],
    [{ a: { $ne: "$auth.id" } }, { a: ["u1", "u3"] }, ANN, ["c.get.a.$ne"], 'a holds "u1", "u3"; the caller is "u1"'],
    [
      { a: { $ne: "$auth.id" } },
      { a: "u2" },
      NOBODY,
      ["c.get.a.$ne"],
      "a is compared with $auth.id, which counts for nothing here: the caller is not signed in",
    ],
    [
      { a: "$auth.email" },
      { a: "u2" },
      ANN,
      ["c.get.a"],
      "a is compared with $auth.email, which counts for nothing here: the address is not proven",
    ],
    [{ a: 1, b: 2 }, { a: 2, b: 3 }, ANN, ["c.get.a", "c.get.b"], "a is 2; must be 1; b is 3; must be 2"],
    [{ a: 1, b: 2 }, { a: 1, b: 3 }, ANN, ["c.get.b"], "b is 3; must be 2"],
    [{ $or: [{ a: 1, b: 2 }, { a: 3 }] }, { a: 2, b: 3 }, ANN, ["c.get.$or[1].a"], "a is 2; must be 3"],
    [
      { $or: [{ a: 2 }, { b: 3 }] },
      { a: 2, b: 3 },
      ANN,
      ["c.get.$or[0].a", "c.get.$or[1].b"],
      "a is 2; must be 2; b is 3; must be 3",
    ],
    [{ "$auth.roles": "moderator" }, {}, ANN, ["c.get.$auth.roles"], '$auth.roles is "editor"; must be "moderator"'],
    [
      { a: { $in: "$auth.claims.teams" } },
      { a: "t3" },
      ANN,
      ["c.get.a.$in"],
      'a is "t3"; must be one of $auth.claims.teams ("t1", "t2")',
    ],
    [{ a: { $exists: true } }, {}, ANN, ["c.get.a.$exists"], "a is missing"],
    [{ a: { $exists: false } }, { a: 1 }, ANN, ["c.get.a.$exists"], "a is there"],
    [
      { a: { $not: { $startsWith: "x" } } },
      { a: "xy" },
      ANN,
      ["c.get.a.$not.$startsWith"],
      'a is "xy"; must not start with "x"',
    ],
    [
      { a: { $gt: { $now: "-1h" } } },
      { a: new Date(0) },
      ANN,
      ["c.get.a.$gt"],
      "a is 1970-01-01T00:00:00.000Z; must be above $now (2026-01-31T09:00:00.000Z)",
    ],
    [false, {}, ANN, ["c.get"], "c.get is false, so nobody may"],
  ];
  const found = rows.map(([rule, fields, by]) => {
    const { tree } = judged(rule, by, fields) ?? {};
    const reasons = tree ? reasonsOf(tree) : [];
    return [reasons.map(({ path }) => path), inWords(reasons)];
  });
  t.strictSame(
    found,
    rows.map(([, , , because, words]) => [because, words]),
  );
});

t.test("values that are many or long are shown in part", async (t) => {
  const { tree } = judged({ a: "x" }, ANN, { a: Array.from({ length: 50 }, (_, i) => `${i}`.repeat(600)) }) ?? {};
  const [leaf] = tree?.children ?? [];
  t.equal(leaf?.found?.length, 20);
  t.ok(leaf?.found?.every((value) => typeof value === "string" && value.length <= 501));
});

t.test("ten denials a second are recorded, and kept for a day", async (t) => {
  const folder = t.testdir();
  const time = { now: NOW };
  const clock = () => time.now;
  const embedded = await openSqliteStore({ folder, clock });
  t.teardown(() => embedded.close());
  const told: string[] = [];
  const denials = await createDenials({
    ...{ store: embedded, clock, rulesVersion: () => 7 },
    warn: (_, message) => told.push(message),
  });
  const takes = () => Array.from({ length: 12 }, () => denials.take()).filter((asOf) => asOf !== undefined);
  const [first = 0, ...others] = takes();
  t.equal(others.length, 9);
  time.now += 1000;
  t.equal(takes().length, 10, "and ten in the next one");
  const about = { action: "get", collection: "c", id: "d", code: "not_found", asOf: first } as const;
  denials.note({ ...about, requestId: "r1", principal: { ...NOBODY, origin: "o".repeat(600) } });
  denials.note({ ...about, requestId: "r2", principal: ANN, payload: "ab" });
  t.match(await denials.find("r1"), {
    ...{ requestId: "r1", rulesVersion: 7, asOf: first, at: new Date(time.now), id: "d" },
    principal: { kind: "anonymous", address: "192.0.2.1", origin: "o".repeat(512) },
  });
  t.match(await denials.find("r2"), { principal: { kind: "user", id: "u1" }, payload: "ab" });
  t.strictSame([await denials.find("none"), await denials.find("../\ud800")], [undefined, undefined]);
  const [row] = await embedded.get("_denials", ["r1"]);
  t.strictSame(row?.value.expiresAt, new Date(time.now + 24 * 60 * 60 * 1000));
  await denials.close();
  t.equal(denials.take(), undefined, "nothing more once it is closed");
  t.strictSame(told, []);
});

/** What a group says, of what its clauses say: to hold the judge's own verdicts against. */
function combined({ op, children, value }: Trace, verdictOf: (child: Trace) => boolean): boolean {
  if (!children) return value === true;
  return op === "and" ? children.every(verdictOf) : children.some(verdictOf);
}

t.test(
  "over random rules, documents and callers a trace agrees with the verdict, and its reasons would turn it",
  async (t) => {
    const seed = chooseSeed();
    const random = new Random(seed);
    const operands = ["$auth.id", "$auth.email", "$auth.kind", "$now", "$auth.claims.level"];
    const wrong: unknown[] = [];
    let compared = 0;
    for (let round = 0; round < 400; round++) {
      const rule = random.chance(60)
        ? { $or: [randomFilter(random, 2), { a: random.pick(operands) }], b: { $ne: random.pick(operands) } }
        : { $and: [randomFilter(random, 2), { $nor: [{ a: random.pick(operands) }, randomFilter(random, 1)] }] };
      const fields = { ...randomDocument(random), ...(random.chance(30) && { a: "u1" }) };
      const by = random.pick([ANN, NOBODY]);
      const verdict = judged(rule, by, fields);
      if (!verdict) continue;
      compared++;
      const { allowed, tree } = verdict;
      const turned = new Set(reasonsOf(tree).map(({ path }) => path));
      const consistent = (node: Trace): boolean =>
        combined(node, (child) => child.value === true) === node.value && (node.children ?? []).every(consistent);
      const after = (node: Trace): boolean =>
        turned.has(node.path) && !node.children ? node.value === false : combined(node, after);
      if (tree.value !== allowed || !consistent(tree) || after(tree) === allowed)
        wrong.push({ rule, fields, by: by.kind, tree });
    }
    t.ok(compared > 100, `${compared} rules were judged`);
    t.strictSame(wrong.slice(0, 2), [], `seed ${seed}`);
  },
);
