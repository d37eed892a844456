/** A rule is a filter, on every engine: what a list under a rule finds is what the judge allows of what a list finds. */
import t from "tap";
import { Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { and, normalise } from "#protocol/normalise";
import { encodeValue, type ObjectValue, type Value } from "#protocol/values";
import { createAuthorizer } from "../../server/access/authorize.ts";
import { factsOf } from "../../server/access/caller.ts";
import type { RequestLookups } from "../../server/access/lookups.ts";
import { parseRules } from "../../server/access/parsing/rules.ts";
import type { Principal } from "../../server/access/principal.ts";
import { createRights } from "../../server/access/rights.ts";
import { bindRule, type Caller } from "../../server/access/rule-binder.ts";
import type { CollectionRules, Rule } from "../../server/access/rule-tree.ts";
import type { DocumentStore, Write } from "../../server/stores/document-store.ts";
import { onEachEngine } from "../support/engines.ts";
import { randomDocument, randomFilter } from "../support/filter-generator.ts";
import { chooseSeed } from "../support/seeded.ts";
import { Random } from "../support/trap-pool.ts";
import { openTwoStores } from "../support/two-stores.ts";

const DOCUMENTS = 60;
const PAIRS = 150;
const VARIABLES = ["$auth.id", "$auth.email", "$auth.roles", "$auth.claims.a", "$auth.claims.b", "$auth.claims.none"];
const CLAIMS: readonly Value[] = [1, "a", 2, 1.5, true, [1, "a"], ["a", null], { b: 1 }, new Date(0), 1n];
const BUDGET = { candidates: 10_000, milliseconds: 60_000 };
const SORT = [{ path: ["_id"], descending: false }];

onEachEngine(t, async (t, engine) => {
  const seed = chooseSeed();
  const [store] = await openTwoStores(t, engine);
  const random = new Random(seed);
  await store.ensureCollection({
    name: "docs",
    indexes: [{ paths: ["a"] }, { paths: ["b", "a"] }, { paths: ["a.b"] }],
  });
  await store.ensureCollection({ name: "teams", indexes: [] });
  for (let i = 0; i < DOCUMENTS; i++) await put(store, "docs", `d${i}`, randomDocument(random));
  for (const [i, a] of [1, "a", null, 2].entries()) await put(store, "teams", `t${i}`, { user: "a", a });

  t.test("a rule that compares with the caller reads what its index names", async (t) => {
    await store.ensureCollection({ name: "owned", indexes: [{ paths: ["ownerId"] }, { paths: ["teamId", "n"] }] });
    const writes = Array.from({ length: 400 }, (_, i) => ({ ownerId: `u${i % 80}`, teamId: `t${i % 40}`, n: i }));
    for (const [i, fields] of writes.entries()) await put(store, "owned", `o${i}`, fields);
    for (const team of ["t1", "t2"]) await put(store, "teams", `of-${team}`, { user: "u1", a: team });
    const principal: Principal = {
      ...{ kind: "user", id: "u1", session: "s", provedAt: 0, address: "192.0.2.1", guest: false },
      ...{ email: undefined, roles: [], claims: {} },
    };
    const lookups = { mine: { from: "teams", where: { user: "$auth.id" }, select: "a" } };
    for (const [list, filter, most] of [
      [{ ownerId: "$auth.id" }, {}, 5],
      [{ ownerId: "$auth.id" }, { n: { $gte: 0 } }, 5],
      [{ ownerId: "$auth.id", n: { $lt: 1000 } }, {}, 5],
      [{ teamId: { $in: "$lookup.mine" } }, {}, 20],
      [{ $or: [{ ownerId: "$auth.id" }, { teamId: { $in: "$lookup.mine" } }] }, {}, 25],
    ] as const) {
      const { rules } = parseRules({ format: 1, collections: { owned: { lookups, list } } }, 1);
      const rights = createRights({ store, clock: () => 0, rules: () => rules, renewed: (one) => one });
      const scope = createAuthorizer(rights).scope({ ...principal }, "owned");
      const rule = await scope
        .settle()
        .then(() => scope.filter)
        .catch(() => scope.settle().then(() => scope.filter));
      const query = {
        collection: "owned",
        filter: and(parsedFilter(filter) ?? rule, rule),
        sort: SORT,
        limit: 1000,
        budget: BUDGET,
      };
      const { rows, examined } = await store.find(query);
      rights.close();
      t.ok(rows.length > 0 && examined <= most, `${JSON.stringify(list)}: ${examined} for ${rows.length}`);
    }
  });

  t.test("find(F and R) is find(F) judged by R", async (t) => {
    const differ: string[] = [];
    let [asked, allowed, refused] = [0, 0, 0];
    while (asked < PAIRS) {
      const filter = randomFilter(random, 2);
      const rule = withVariables(random, randomFilter(random, 2));
      const { rules, faults } = parseRules(rulesWith(rule), 1);
      const parsed = parsedFilter(filter);
      // A variable may stand where the language lets no such value stand.
      if (faults.length > 0 || !parsed) continue;
      asked++;
      const principal = aPrincipal(random);
      const rights = createRights({ store, clock: () => 0, rules: () => rules, renewed: (one) => one });
      const scope = createAuthorizer(rights).scope(principal, "docs");
      const settled = async <T>(run: () => T): Promise<T> => {
        try {
          return run();
        } catch {
          await scope.settle();
          return run();
        }
      };
      const closed = await settled(() => scope.filter);
      const find = async (node: typeof parsed) =>
        (await store.find({ collection: "docs", filter: node, sort: SORT, limit: 1000, budget: BUDGET })).rows;
      const together = (await find(and(parsed, closed))).map(({ id }) => id);
      const all = await find(parsed);
      const one: string[] = [];
      for (const row of all) if (await settled(() => scope.allows("get", { image: row }))) one.push(row.id);
      rights.close();
      allowed += one.length;
      refused += all.length - one.length;
      if (together.join() === one.join()) continue;
      differ.push(`${JSON.stringify({ filter, rule })} ${encodeValue(claimsOf(principal))}: ${together} | ${one}`);
    }
    t.same(differ.slice(0, 3), [], `seed ${seed}`);
    t.ok(allowed > 50 && refused > 50, `seed ${seed}: ${allowed} allowed, ${refused} refused`);
  });
});

t.test("a rule is bound once for all whom it cannot tell from each other", (t) => {
  const { rules, faults } = parseRules(
    {
      format: 1,
      collections: {
        docs: { list: { open: true }, get: { "$auth.roles": "editor", open: true }, create: { ownerId: "$auth.id" } },
      },
    },
    1,
  );
  t.strictSame(faults, []);
  const docs = rules.collections.get("docs") as CollectionRules;
  const callers = Array.from({ length: 20 }, (_, i): Caller => {
    const principal = {
      kind: "user",
      id: `u${i}`,
      session: "s",
      provedAt: 0,
      address: `192.0.2.${i}`,
      guest: false,
    } as const;
    const roles = i % 2 === 0 ? ["editor"] : [];
    // No lookup is asked for.
    const lookups = {} as RequestLookups;
    return { facts: factsOf({ ...principal, email: undefined, roles, claims: { i } }), now: i * 60_000, lookups };
  });
  const made = (rule: Rule) => new Set(callers.map((caller) => bindRule(rule, caller))).size;
  t.equal(made(docs.list), 1, "without variables");
  t.equal(made(docs.get), 2, "of roles: once per set of roles");
  t.equal(made(docs.create), 20, "of the caller's id");
  t.equal(made(docs.create), 20);
  t.equal(bindRule(docs.create, callers[3] as Caller), bindRule(docs.create, callers[3] as Caller), "and kept");
  t.end();
});

function rulesWith(rule: unknown): object {
  const lookups = { mine: { from: "teams", where: { user: "$auth.id" }, select: "a" } };
  return { format: 1, collections: { docs: { lookups, list: rule, get: "list" } } };
}

function parsedFilter(filter: object) {
  const faults = new Faults();
  const node = parseFilter(filter, "filter", faults);
  return faults.any ? undefined : normalise(node);
}

function aPrincipal(random: Random): Principal {
  if (random.chance(15)) return { kind: "anonymous", address: "192.0.2.1" };
  const claims = Object.fromEntries(["a", "b"].map((name) => [name, random.pick(CLAIMS)]));
  const email = random.chance(50) ? "a" : undefined;
  const session = { session: "s", provedAt: 0, address: "192.0.2.1", guest: false };
  return {
    kind: "user",
    id: random.pick(["a", "ab"]),
    ...session,
    email,
    roles: random.some(["a", "b"], random.below(3)),
    claims,
  };
}

function claimsOf(principal: Principal): ObjectValue {
  return principal.kind === "user" ? { id: principal.id, roles: [...principal.roles], ...principal.claims } : {};
}

/** Some operands of a filter become variables. */
function withVariables(random: Random, filter: unknown): unknown {
  if (Array.isArray(filter)) return filter.map((part) => withVariables(random, part));
  if (typeof filter !== "object" || filter === null) return filter;
  const entries = Object.entries(filter).map(([key, value]) => {
    if (["$in", "$nin"].includes(key) && random.chance(20)) return [key, "$lookup.mine"];
    if (["$in", "$nin"].includes(key) && random.chance(20)) return [key, random.pick(VARIABLES)];
    if (["$in", "$nin", "$all"].includes(key)) return [key, (value as unknown[]).map((one) => variableOr(random, one))];
    if (["$type", "$size", "$mod", "$exists"].includes(key)) return [key, value];
    if (Array.isArray(value) || (typeof value === "object" && value !== null))
      return [key, withVariables(random, value)];
    return [key, variableOr(random, value)];
  });
  return Object.fromEntries(entries);
}

function variableOr(random: Random, value: unknown): unknown {
  return random.chance(30) ? random.pick(VARIABLES) : value;
}

async function put(store: DocumentStore, collection: string, id: string, fields: ObjectValue): Promise<void> {
  const version = store.nextVersion(0);
  const text = encodeValue({ _id: id, _v: version, ...fields });
  const write: Write = { kind: "put", collection, id, expect: 0, version, text };
  // Indexes refuse some.
  await store.commit([write]).catch(() => {});
}
