import t from "tap";
import { type Node, type Term, Variable } from "#protocol/ast";
import { Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { NO_RULES, parseRules } from "../../server/access/parsing/rules.ts";
import type { CollectionRules, RuleNode, RuleSet } from "../../server/access/rule-tree.ts";
import { randomFilter } from "../support/filter-generator.ts";
import { EXAMPLE_RULES, RULE_TEMPLATES } from "../support/rule-examples.ts";
import { Random } from "../support/trap-pool.ts";

/** Reads rules that have no fault. */
function read(input: unknown): RuleSet {
  const { rules, faults } = parseRules(input, 1);
  if (faults.length > 0) throw new Error(faults.map(({ message }) => message).join("\n"));
  return rules;
}

function collection(rules: object, shared: object = {}, name = "posts"): CollectionRules {
  const found = read({ format: 1, shared, collections: { [name]: rules } }).collections.get(name);
  if (!found) throw new Error(`no ${name}`);
  return found;
}

const eq = (path: string, value: Term) => ({ kind: "compare", op: "eq", path: path.split("."), value });
const v = (name: string, options = {}) => new Variable(name, options);

t.test("every example and template of the design is read without a fault", async (t) => {
  for (const [name, rules] of Object.entries(RULE_TEMPLATES)) {
    const { rules: set, faults } = parseRules(rules, 1);
    t.strictSame(faults, [], name);
    t.ok(set.collections.size > 0, name);
  }
});

t.test("a set has its version, its collections and the collections that its lookups read", async (t) => {
  const { rules } = parseRules(EXAMPLE_RULES, 12);
  t.equal(rules.version, 12);
  t.strictSame([...rules.collections.keys()], ["posts"]);
  t.strictSame([...rules.buckets.keys()], ["avatars"]);
  t.strictSame([...rules.rightsCollections], ["team_members"]);
  t.strictSame([...read({ ...RULE_TEMPLATES.team }).rightsCollections].sort(), ["team_members", "teams"]);
  t.equal(NO_RULES.version, 0);
  t.equal(NO_RULES.collections.size + NO_RULES.buckets.size + NO_RULES.rightsCollections.size, 0);
});

t.test("what has no rule is closed; true and false are what they say", async (t) => {
  const { list, get, create, update, delete: remove, fields } = collection({ list: true, get: false });
  t.strictSame(
    [list, get, create, update.before, update.after, remove].map(({ node }) => node.kind),
    ["true", "false", "false", "false", "false", "false"],
  );
  t.strictSame(fields, []);
  t.equal(read({ collections: { a: {} } }).collections.has("b"), false);
});

t.test("get and list may name each other", async (t) => {
  const byList = collection({ list: { a: 1 }, get: "list" });
  t.equal(byList.get, byList.list);
  t.equal(byList.get.at, "posts.list");
  const byGet = collection({ list: "get", get: { a: 1 } });
  t.equal(byGet.list, byGet.get);
  t.equal(byGet.list.at, "posts.get");
});

t.test("update judges both images: by one filter, by one each, by one that stands for both", async (t) => {
  const a = eq("a", 1);
  const rows: [update: unknown, before: unknown, after: unknown][] = [
    [{ a: 1 }, a, a],
    [{ before: { a: 1 }, after: { b: 2 } }, a, eq("b", 2)],
    [{ before: { a: 1 } }, a, a],
    [{ after: { a: 1 } }, a, a],
    [{ before: { a: 1 }, after: true }, a, { kind: "true" }],
    [{ before: false, after: true }, { kind: "false" }, { kind: "true" }],
    [{ before: 1, after: 2, a: 1 }, { kind: "and" }, { kind: "and" }],
    [{ $and: [{ before: 1 }] }, { kind: "and", of: [eq("before", 1)] }, { kind: "and" }],
    [true, { kind: "true" }, { kind: "true" }],
  ];
  for (const [update, before, after] of rows) {
    const rules = collection({ update }).update;
    t.match(rules.before.node, before as object, JSON.stringify(update));
    t.match(rules.after.node, after as object, JSON.stringify(update));
  }
});

t.test("a variable is a whole operand, or one element of a list", async (t) => {
  const now = v("$now", { offset: -900_000 });
  const id = v("$auth.id");
  const rows: [filter: object, node: object][] = [
    [{ a: "$auth.id" }, eq("a", id)],
    [{ a: { $eq: "$auth.email" } }, { op: "eq", value: v("$auth.email") }],
    [{ a: { $ne: "$auth.id" } }, { kind: "not", of: eq("a", id) }],
    [{ a: { $gt: "$now" } }, { op: "gt", value: v("$now") }],
    [{ a: { $gte: { $now: "-15m" } } }, { op: "gte", value: now }],
    [{ a: { $lt: { $now: "+2d" } } }, { op: "lt", value: v("$now", { offset: 172_800_000 }) }],
    [{ a: { $lte: { $now: "0s" } } }, { op: "lte", value: v("$now") }],
    [{ a: { $now: "-15m" } }, eq("a", now)],
    [{ a: { $in: ["$auth.id", 1] } }, { kind: "in", values: [id, 1] }],
    [{ a: { $nin: ["$auth.kind"] } }, { kind: "not", of: { kind: "in", values: [v("$auth.kind")] } }],
    [{ a: { $in: "$lookup.mine" } }, { kind: "in", values: [v("$lookup.mine", { spread: true })] }],
    [{ a: { $nin: "$auth.roles" } }, { of: { kind: "in", values: [v("$auth.roles", { spread: true })] } }],
    [{ a: { $in: "$auth.claims.teams" } }, { values: [v("$auth.claims.teams", { spread: true })] }],
    [{ a: { $all: ["$auth.id", "x"] } }, { kind: "and", of: [eq("a", id), eq("a", "x")] }],
    [{ a: { $startsWith: "$auth.claims.prefix" } }, { kind: "text", at: "start", text: v("$auth.claims.prefix") }],
    [{ a: { $endsWith: "$auth.email" } }, { kind: "text", at: "end", text: v("$auth.email") }],
    [{ a: { $contains: "$request.ip" } }, { kind: "text", at: "any", text: v("$request.ip") }],
    [{ a: { $elemMatch: { $eq: "$auth.id" } } }, { kind: "elementValue", of: [{ op: "eq", path: [], value: id }] }],
    [{ a: { $elemMatch: { by: "$auth.id" } } }, { kind: "elementObject", of: eq("by", id) }],
    [{ a: { $not: { $gt: "$now" } } }, { kind: "not", of: { op: "gt", value: v("$now") } }],
    [{ a: { $literal: "$5" } }, eq("a", "$5")],
    [{ a: { $ne: { $literal: ["$auth.id"] } } }, { kind: "not", of: eq("a", ["$auth.id"]) }],
    [{ a: { $in: [{ $literal: "$x" }] } }, { kind: "in", values: ["$x"] }],
    [{ a: { $contains: { $literal: "$" } } }, { kind: "text", text: "$" }],
    [{ a: { $date: 5 } }, eq("a", new Date(5))],
  ];
  const lookups = { mine: { from: "m", where: { u: "$auth.id" }, select: "t" } };
  for (const [filter, node] of rows) {
    t.match(collection({ lookups, list: filter }).list.node, node, JSON.stringify(filter));
  }
  t.match(collection({ update: { before: true, after: { a: "$before.b.c" } } }).update.after.node, {
    value: v("$before.b.c"),
  });
});

t.test("a key tests the caller, with any operator of a leaf", async (t) => {
  const rows: [filter: object, node: object][] = [
    [{ "$auth.kind": "user" }, eq("$auth.kind", "user")],
    [{ "$auth.roles": { $in: ["editor", "owner"] } }, { kind: "in", path: ["$auth", "roles"] }],
    [{ "$auth.id": { $exists: false } }, { kind: "not", of: { kind: "exists", path: ["$auth", "id"] } }],
    [{ "$auth.claims.plan.level": { $gte: 2 } }, { op: "gte", path: ["$auth", "claims", "plan", "level"] }],
    [{ "$request.ip": { $startsWith: "10." } }, { kind: "text", path: ["$request", "ip"] }],
    [{ "$auth.email": { $not: { $endsWith: "@a.b" } } }, { kind: "not", of: { kind: "text" } }],
    [{ "$auth.id": { $in: "$lookup.staff" } }, { kind: "in", path: ["$auth", "id"] }],
  ];
  const lookups = { staff: { from: "staff", where: { u: "$auth.id" }, select: "u" } };
  for (const [filter, node] of rows) {
    t.match(collection({ lookups, list: filter }).list.node, node, JSON.stringify(filter));
  }
});

t.test("a rule tells which of the caller's variables and which lookups it uses", async (t) => {
  const lookups = {
    orgs: { from: "org_members", where: { userId: "$auth.id" }, select: "orgId" },
    teams: { from: "teams", where: { orgId: { $in: "$lookup.orgs" } }, select: "_id", max: 5 },
    runs: { from: "m", where: { teamId: "$doc.teamId", userId: "$auth.id", at: { $lt: "$now" } } },
  };
  const rules = collection({
    lookups,
    list: { $or: [{ teamId: { $in: "$lookup.teams" } }, { "$auth.roles": "x" }, { a: { $gt: { $now: "-1h" } } }] },
    create: { $or: [{ $has: "runs" }, { a: { $elemMatch: { b: "$request.origin", c: "$auth.id" } } }] },
    update: { before: true, after: { a: "$before.a" } },
    delete: { a: 1 },
  });
  t.strictSame(rules.list.variables, ["$auth.roles", "$lookup.teams", "$now"]);
  t.strictSame([...rules.list.lookups.keys()], ["teams", "orgs"], "and those that their where uses");
  t.strictSame(rules.list.lookups.get("teams")?.variables, ["$lookup.orgs"]);
  t.strictSame(rules.create.variables, ["$auth.id", "$request.origin"]);
  t.strictSame(rules.create.lookups.get("runs")?.variables, ["$auth.id", "$now"], "without $doc");
  t.match(rules.create.lookups.get("runs"), { at: "posts.lookups.runs", from: "m", select: undefined, max: 1000 });
  t.match(rules.list.lookups.get("teams"), { select: ["_id"], max: 5 });
  t.strictSame(rules.update.after.variables, []);
  const perDocument = [rules.list, rules.create, rules.update.before, rules.update.after, rules.delete];
  t.strictSame(
    perDocument.map((rule) => rule.perDocument),
    [false, true, false, true, false],
  );
  t.match(rules.create.node, { of: [{ kind: "exists", path: ["$has", "runs"] }, {}] });
  t.equal(rules.delete.lookups.size, 0);
});

t.test("macros are expanded in place, and a collection's own name wins over a shared one", async (t) => {
  const shared = {
    macros: {
      mine: { by: "$auth.id" },
      open: { $or: [{ public: true }, { $use: "mine" }] },
      same: { a: "$before.a" },
    },
    lookups: { teams: { from: "m", where: { u: "$auth.id" }, select: "t" } },
  };
  const {
    list,
    create,
    update,
    delete: remove,
  } = collection(
    {
      list: { $use: "open" },
      create: { $use: ["mine", "open"], x: 1 },
      update: { before: true, after: { $use: "same" } },
      delete: { $nor: [{ $use: "open" }] },
    },
    shared,
  );
  const or = { kind: "or", of: [eq("public", true), eq("by", v("$auth.id"))] };
  t.match(list.node, or);
  t.match(create.node, { kind: "and", of: [{ kind: "and", of: [eq("by", v("$auth.id")), or] }, eq("x", 1)] });
  t.match(update.after.node, eq("a", v("$before.a")));
  t.match(remove.node, { kind: "and", of: [{ kind: "and", of: [{ kind: "not", of: eq("public", true) }, {}] }] });
  const own = collection(
    {
      macros: { mine: { owner: 1 } },
      lookups: { teams: { from: "x", where: {}, select: "y" } },
      list: { $use: "open" },
      get: { t: { $in: "$lookup.teams" } },
    },
    shared,
  );
  t.match(own.list.node, { of: [eq("public", true), eq("owner", 1)] });
  t.equal(own.get.lookups.get("teams")?.from, "x");
});

t.test("a required macro stands in the top-level AND, or the collection is exempt", async (t) => {
  const shared = {
    macros: { tenant: { tenantId: "$auth.claims.tenant" }, wrap: { $use: "tenant", a: 1 } },
    require: ["tenant"],
  };
  const use = { $use: "tenant" };
  for (const rule of [
    use,
    { $use: ["tenant", "wrap"] },
    { ...use, b: 1 },
    { $use: "wrap" },
    { $and: [{ b: 1 }, use] },
    false,
  ]) {
    const rules = collection({ list: rule, get: "list", update: { before: rule } }, shared);
    t.ok(rules, JSON.stringify(rule));
  }
  t.ok(collection({ exempt: ["tenant"], list: true, update: { a: 1 } }, shared));
  t.ok(collection({ fields: { a: { read: { b: 1 }, write: true } } }, shared), "masks only narrow");
});

t.test("masks have their rules, and a default is a literal or a variable", async (t) => {
  const { fields } = collection({
    fields: {
      "a.b": { read: { by: "$auth.id" }, write: false },
      c: { default: "$auth.id", immutable: true },
      d: { default: { $now: "+1d" } },
      e: { default: { $literal: "$x" } },
      f: { default: [1, { $date: 0 }], write: { "$auth.roles": "editor" } },
      _updatedAt: { read: false },
    },
  });
  t.match(fields, [
    { at: "posts.fields.a.b", path: ["a", "b"], immutable: false, default: undefined },
    { path: ["c"], immutable: true, default: v("$auth.id"), write: undefined, read: { node: { kind: "true" } } },
    { default: v("$now", { offset: 86_400_000 }) },
    { default: "$x" },
    { default: [1, new Date(0)], write: { variables: ["$auth.roles"] } },
    { path: ["_updatedAt"], read: { node: { kind: "false" } } },
  ]);
  t.match(fields[0]?.read, { at: "posts.fields.a.b.read", variables: ["$auth.id"], node: eq("by", v("$auth.id")) });
  t.match(fields[0]?.write, { node: { kind: "false" } });
});

t.test("a bucket has actions as a collection, or is judged by the document of its file", async (t) => {
  const { buckets } = read({
    shared: { macros: { mine: { owner: "$auth.id" } } },
    buckets: { a: { list: "get", get: "document", create: { $use: "mine" }, update: "document" } },
  });
  t.match(buckets.get("a"), {
    name: "a",
    list: "document",
    get: "document",
    create: { at: "buckets.a.create", node: eq("owner", v("$auth.id")) },
    update: "document",
    delete: { node: { kind: "false" } },
  });
});

/** Every node under a node, itself included. */
function* nodesOf(node: RuleNode): Generator<RuleNode> {
  yield node;
  if (node.kind === "and" || node.kind === "or" || node.kind === "elementValue")
    for (const of of node.of) yield* nodesOf(of);
  else if (node.kind === "not" || node.kind === "elementObject") yield* nodesOf(node.of);
}

t.test("every node knows where it stands", async (t) => {
  const rules = read({
    collections: {
      posts: {
        lookups: { mine: { from: "m", where: { u: "$auth.id" }, select: "t" } },
        macros: {
          author: { authorId: "$auth.id" },
          both: { $use: "author", $or: [{ x: 1 }, { $has: "isAdmin" }] },
          none: {},
        },
        list: { $or: [{ a: { $gt: 1, $lt: 9 } }, { $nor: [{ $or: [{ b: 1 }, { c: 2, d: { $ne: 3 } }] }] }] },
        create: {
          tags: { $all: ["x", "y"] },
          m: { $elemMatch: { a: 1, b: { $in: [2] } } },
          n: { $all: [] },
          $use: "none",
        },
        update: { before: { $use: "author" }, after: { a: { $not: { $gte: 1, $elemMatch: { $gt: 2, $ne: 3 } } } } },
      },
    },
    buckets: { a: { get: { "$auth.kind": "user" } } },
    shared: { lookups: { isAdmin: { from: "admins", where: { _id: "$auth.id" } } } },
  });
  const posts = rules.collections.get("posts");
  const places = (node: RuleNode | undefined) => (node ? [...nodesOf(node)].map((n) => rules.placeOf(n)) : []);
  t.strictSame(places(posts?.list.node), [
    "posts.list.$or",
    ...["posts.list.$or[0].a", "posts.list.$or[0].a.$gt", "posts.list.$or[0].a.$lt"],
    ...["posts.list.$or[1].$nor", "posts.list.$or[1].$nor[0].$or"],
    ...["posts.list.$or[1].$nor[0].$or[0].b", "posts.list.$or[1].$nor[0].$or[0].b", "posts.list.$or[1].$nor[0].$or[1]"],
    ...["posts.list.$or[1].$nor[0].$or[1].c", "posts.list.$or[1].$nor[0].$or[1].c"],
    "posts.list.$or[1].$nor[0].$or[1].d.$ne",
  ]);
  t.strictSame(places(posts?.create.node), [
    "posts.create",
    ...["posts.create.tags.$all", "posts.create.tags.$all[0]", "posts.create.tags.$all[1]"],
    ...["posts.create.m.$elemMatch", "posts.create.m.$elemMatch", "posts.create.m.$elemMatch.a"],
    ...["posts.create.m.$elemMatch.b.$in", "posts.create.n.$all", "posts.create.$use(none)"],
  ]);
  t.equal(rules.placeOf(posts?.update.before.node as RuleNode), "posts.update.before.$use(author).authorId");
  t.strictSame(new Set(places(posts?.update.after.node)).has(undefined), false);
  const bucket = rules.buckets.get("a");
  t.equal(bucket?.get === "document" ? undefined : places(bucket?.get.node)[0], "buckets.a.get.$auth.kind");
  t.equal(rules.placeOf({ kind: "true" }), undefined);
});

t.test("a rule without variables is the node that a client's filter is", async (t) => {
  const random = new Random(20_261_126);
  const wrong: unknown[] = [];
  for (let i = 0; i < 400; i++) {
    const filter = randomFilter(random, 3);
    const faults = new Faults();
    const node = parseFilter(filter, "filter", faults);
    const { rules, faults: found } = parseRules({ collections: { a: { list: filter } } }, 1);
    if (faults.any || found.length > 0) {
      if (faults.any !== found.length > 0) wrong.push({ filter, found });
    } else if (!same(rules.collections.get("a")?.list.node, node)) wrong.push({ filter });
  }
  t.strictSame(wrong, []);
});

function same(a: RuleNode | undefined, b: Node): boolean {
  const text = (node: unknown) => JSON.stringify(node, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
  return text(a) === text(b);
}

t.test("in a client's filter the same text is just a string", async (t) => {
  const faults = new Faults();
  const strings = ["$auth.id", "$now", "$lookup.mine", "$nothing"];
  const leaf = parseFilter({ a: { $in: strings }, b: "$auth.id", c: { $startsWith: "$auth.id" } }, "filter", faults);
  t.match(leaf, { of: [{ values: strings }, eq("b", "$auth.id"), { text: "$auth.id" }] });
  t.strictSame(faults.list, []);
  for (const filter of [
    { "$auth.id": "x" },
    { $use: "m" },
    { $has: "m" },
    { a: { $now: "-1m" } },
    { a: { $literal: 1 } },
  ]) {
    const refused = new Faults();
    parseFilter(filter, "filter", refused);
    t.match(refused.list, [{ code: "unknown_operator" }], JSON.stringify(filter));
  }
});

t.test("what is read is frozen, and shares nothing with the input", async (t) => {
  const input = structuredClone(EXAMPLE_RULES);
  const { rules } = parseRules(input, 1);
  t.strictSame(input, EXAMPLE_RULES);
  const seen: unknown[] = [rules, ...rules.collections.values(), ...rules.buckets.values()];
  let thawed = 0;
  for (const item of seen) {
    if (typeof item !== "object" || item === null || item instanceof Map || item instanceof Set) continue;
    if (!Object.isFrozen(item)) thawed++;
    seen.push(...Object.values(item));
  }
  t.equal(thawed, 0);
  t.ok(seen.length > 50);
});
