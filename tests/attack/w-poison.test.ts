/** attack-cases.md W10 W11: rules that have nothing to go by deny, and rules that cannot be judged say so. */
import t from "tap";
import { GalleyError } from "#protocol/errors";
import { createAuthorizer } from "../../server/access/authorize.ts";
import { parseRules } from "../../server/access/parsing/rules.ts";
import type { Principal } from "../../server/access/principal.ts";
import { createRights } from "../../server/access/rights.ts";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { startServices } from "../support/services.ts";

const NOBODY: Principal = { kind: "anonymous", address: "192.0.2.1" };
/** Signed in, and without any claim, role or proven address. */
const BARE: Principal = {
  ...{ kind: "user", id: "u1", session: "s1", provedAt: 0, address: "192.0.2.1" },
  ...{ guest: false, email: undefined, roles: [], claims: {} },
};

function rulesOf(rules: object) {
  const { rules: set, faults } = parseRules(rules, 1);
  if (faults.length > 0) throw new Error(JSON.stringify(faults));
  return set;
}

/** Where the store holds nothing that could be asked for. */
const EMPTY = {
  tail: () => ({ close() {} }),
  distinct: () => Promise.reject(new Error("is not asked")),
} as unknown as DocumentStore;

function authorizerOf(rules: () => ReturnType<typeof rulesOf>, store = EMPTY) {
  return createAuthorizer(createRights({ store, clock: () => 0, rules, renewed: (principal) => principal }));
}

t.test("W10 a variable without a value denies by every operator, negated or not, whatever the owner is", (t) => {
  const operators: Record<string, (variable: string) => object> = {
    $eq: (variable) => ({ $eq: variable }),
    $ne: (variable) => ({ $ne: variable }),
    ...Object.fromEntries(
      ["$gt", "$gte", "$lt", "$lte"].map((name) => [name, (variable: string) => ({ [name]: variable })]),
    ),
    $in: (variable) => ({ $in: [variable, "x"] }),
    $nin: (variable) => ({ $nin: [variable, "x"] }),
    $all: (variable) => ({ $all: [variable] }),
    ...Object.fromEntries(
      ["$startsWith", "$endsWith", "$contains"].map((name) => [name, (variable: string) => ({ [name]: variable })]),
    ),
    "$elemMatch $eq": (variable) => ({ $elemMatch: { $eq: variable } }),
    "$elemMatch $ne": (variable) => ({ $elemMatch: { $ne: variable } }),
    "$elemMatch object": (variable) => ({ $elemMatch: { a: { $ne: variable } } }),
  };
  const owners = [null, undefined, "", "x", 0, false, [], [null], ["x"], {}, { a: null }, [{ a: "x" }], [{}]];
  const cases: [Principal, string][] = [
    [NOBODY, "$auth.id"],
    [NOBODY, "$auth.claims.tenant"],
    [NOBODY, "$auth.email"],
    [BARE, "$auth.email"],
    [BARE, "$auth.claims.tenant"],
    [BARE, "$request.origin"],
    [BARE, "$lookup.mine"],
    [NOBODY, "$lookup.mine"],
  ];
  const lookups = { mine: { from: "members", where: { tenant: "$auth.claims.tenant" }, select: "teamId" } };
  const opened: string[] = [];
  let asked = 0;
  for (const [principal, variable] of cases) {
    for (const [name, operand] of Object.entries(operators)) {
      const spread = variable.startsWith("$lookup");
      if (spread && name !== "$in" && name !== "$nin") continue;
      const plain = { owner: spread ? { [name]: variable } : operand(variable) };
      const forms = [
        plain,
        { owner: { $not: plain.owner } },
        { $nor: [plain] },
        { $nor: [{ $nor: [plain] }] },
        { $or: [plain, plain] },
      ];
      for (const rule of forms) {
        const set = rulesOf({
          format: 1,
          shared: { lookups },
          collections: { posts: { list: rule, get: rule, create: rule, update: rule, delete: rule } },
        });
        const scope = authorizerOf(() => set).scope(principal, "posts");
        const at = `${principal.kind} ${JSON.stringify(rule)}`;
        if (scope.filter.kind !== "false") opened.push(`list ${at}`);
        for (const owner of owners) {
          const value = { _id: "p", _v: 1, ...(owner === undefined ? {} : { owner }) };
          const image = { value } as never;
          for (const action of ["get", "create", "update", "delete"] as const) {
            asked++;
            if (scope.allows(action, { image })) opened.push(`${action} ${at} ${JSON.stringify(owner)}`);
          }
        }
      }
    }
  }
  t.strictSame(opened, []);
  t.ok(asked > 10_000, `${asked}`);
  t.end();
});

t.test("W11 lookups that fail answer 503, that overflow deny, that have nothing to go by deny", async (t) => {
  const broken = { on: false };
  const lookups = {
    teams: { from: "members", where: { userId: "$auth.id" }, select: "teamId", max: 3 },
    member: { from: "members", where: { userId: "$auth.id", teamId: "$doc.teamId" } },
  };
  const every = (rule: object, documents = rule) => ({
    list: rule,
    get: documents,
    create: documents,
    update: documents,
    delete: documents,
  });
  const collections = {
    inside: every({ teamId: { $in: "$lookup.teams" } }),
    outside: every({ teamId: { $nin: "$lookup.teams" } }),
    nor: every({ $nor: [{ teamId: { $in: "$lookup.teams" } }] }),
    has: every({ a: 1 }, { $has: "member" }),
    hasnot: every({ a: 1 }, { $nor: [{ $has: "member" }] }),
  };
  const set = rulesOf({ format: 1, shared: { lookups }, collections });
  const services = await startServices({
    rules: () => set,
    between: (store) =>
      new Proxy(store, {
        get(target, name, receiver) {
          const method = Reflect.get(target, name, receiver);
          if (name !== "distinct" && name !== "find") return method;
          return (query: { collection: string }) =>
            broken.on && query.collection === "members" ? Promise.reject(new Error("the disk is gone")) : method(query);
        },
      }),
  });
  t.teardown(() => services.close());
  const { access, documents, store, definitions } = services;
  for (const name of [...Object.keys(collections), "members"]) await definitions.declare(name);
  const put = (collection: string, id: string, value: object) => {
    const version = store.nextVersion(0);
    const text = JSON.stringify({ _id: id, _v: version, ...value });
    return store.commit([{ kind: "put", collection, id, expect: 0, version, text }]);
  };
  for (const name of Object.keys(collections)) await put(name, "d", { teamId: "t1", a: 1 });
  const act = (collection: string, principal: Principal) => {
    const scope = () => access.scope({ ...principal }, collection);
    return {
      list: async () => (await documents.find(scope(), {})).documents.length > 0,
      get: async () => (await documents.get(scope(), "d", {})) !== undefined,
      create: async () => (await documents.create(scope(), { teamId: "t1" }, {})).created,
      update: async () => (await documents.update(scope(), "d", { n: 1 }, {})).version > 0,
      delete: async () => documents.delete(scope(), "d", {}).then(() => true),
      batch: async () =>
        (
          await documents.batch(
            scope,
            { operations: [{ op: "set", collection, id: "d", document: { teamId: "t1" } }] },
            {},
          )
        ).results.length > 0,
    };
  };
  const verdicts = async (principal: Principal) => {
    const found: Record<string, Set<string>> = {};
    for (const name of Object.keys(collections)) {
      found[name] = new Set();
      for (const [action, run] of Object.entries(act(name, principal))) {
        // What a list can ask of the last two is not about lookups.
        if (action === "list" && name.startsWith("has")) continue;
        const verdict = await run().then(
          (allowed) => (allowed ? "allowed" : "denied"),
          (error: unknown) =>
            error instanceof GalleyError && error.status < 500 ? "denied" : String((error as GalleyError).code),
        );
        found[name].add(verdict);
      }
    }
    return Object.fromEntries(Object.entries(found).map(([name, all]) => [name, [...all].join()]));
  };
  const all = (verdict: string) => Object.fromEntries(Object.keys(collections).map((name) => [name, verdict]));
  await t.test("a store that fails", async (t) => {
    broken.on = true;
    t.strictSame(await verdicts(BARE), all("unavailable"));
    broken.on = false;
  });
  await t.test("nobody, whom no lookup can go by", async (t) => t.strictSame(await verdicts(NOBODY), all("denied")));
  await t.test("more values than may be", async (t) => {
    for (let i = 0; i < 4; i++) await put("members", `m${i}`, { userId: "u1", teamId: `other${i}` });
    const found = await verdicts(BARE);
    t.match(found, { inside: "denied", outside: "denied", nor: "denied", has: "denied" });
  });
  await t.test("a rule that goes wrong is refused when it is published", (t) => {
    const bad: [object, string][] = [
      [{ macros: { a: { $use: "b" }, b: { $use: "a" } }, list: { $use: "a" } }, "macro_cycle"],
      [
        {
          macros: { a: { $use: "b" }, b: { $use: "c" }, c: { $use: "d" }, d: { $use: "e" }, e: { x: 1 } },
          list: { $use: "a" },
        },
        "too_deep",
      ],
      [{ list: { $or: Array.from({ length: 101 }, (_, i) => ({ a: i })) } }, "too_many"],
      [
        { lookups: Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`l${i}`, { from: "m", where: {} }])) },
        "too_large",
      ],
      [{ lookups: { l: { from: "m", where: {}, select: "a", max: 100_000 } } }, "bad_value"],
    ];
    for (const [posts, code] of bad) {
      const { faults } = parseRules({ format: 1, collections: { posts } }, 1);
      t.ok(faults.length > 0, `${JSON.stringify(posts).slice(0, 60)} ${code} ${JSON.stringify(faults[0])}`);
    }
    t.end();
  });
});
