/** Lints of access rules: each fires on the mistake it is for, and not on the same thing done well (access-rules.md 11). */
import t from "tap";
import type { Declared } from "../../server/access/lints/lint.ts";
import { createLints } from "../../server/access/lints/lints.ts";
import { parseRules } from "../../server/access/parsing/rules.ts";
import type { Finding } from "../../server/access/publishing/rule-findings.ts";
import type { Observations } from "../../server/access/rule-tests/observations.ts";
import { missingIndex } from "../../server/rule-lints.ts";
import { RULE_TEMPLATES } from "../support/rule-examples.ts";

type Collections = Readonly<Record<string, Partial<Declared>>>;

async function lint(rules: object, declared: Collections = {}, seen?: Observations): Promise<readonly Finding[]> {
  const { rules: set, faults } = parseRules(rules, 1);
  if (faults.length > 0) throw new Error(faults.map(({ message }) => message).join("\n"));
  const lints = createLints({
    declared: async (name) => declared[name] && { schema: undefined, indexes: [], documents: 0, ...declared[name] },
    missingIndex,
  });
  return lints({ source: rules, rules: set }, seen);
}

interface Row {
  readonly id: string;
  readonly level?: Finding["level"];
  /** Rules of the collection posts, or a whole set. */
  readonly bad: object;
  readonly at: string;
  readonly good: object;
  readonly declared?: Collections;
  readonly goodDeclared?: Collections;
}

const mine = { ownerId: "$auth.id" };
const typed: Collections = { posts: { schema: { properties: { ownerId: { type: "string" } } } } };
const members = (rules: object, where: object = {}) => ({
  shared: {
    lookups: { boss: { from: "team_members", where: { userId: "$auth.id", teamId: "$doc.teamId", ...where } } },
  },
  collections: { posts: { update: { $has: "boss" } }, team_members: rules },
});
const limit = (from: string) => ({
  collections: {
    posts: { lookups: { mine: { from, where: { by: "$auth.id" } } }, create: { $nor: [{ $has: "mine" }] } },
  },
});

const ROWS: readonly Row[] = [
  { id: "open_write", bad: { create: true }, at: "posts.create", good: { create: { "$auth.id": { $exists: true } } } },
  {
    id: "open_write",
    bad: { update: { "$auth.id": { $exists: false } } },
    at: "posts.update",
    good: { update: { before: true, after: mine } },
  },
  { id: "open_read", level: "note", bad: { list: true }, at: "posts.list", good: { list: { published: true } } },
  {
    id: "list_wider_than_get",
    bad: { list: { published: true }, get: mine },
    at: "posts.list",
    good: { list: { published: true, ...mine }, get: { $or: [mine, { a: 1 }] } },
  },
  {
    id: "self_granting_lookup",
    bad: members({ create: { userId: "$auth.id" } }),
    at: "shared.lookups.boss",
    good: members({ create: { $has: "boss" } }),
  },
  {
    id: "self_granting_lookup",
    bad: members({ update: { userId: "$auth.id" } }, { role: "admin" }),
    at: "shared.lookups.boss",
    good: members(
      {
        update: { userId: "$auth.id" },
        fields: { role: { write: { "$auth.roles": "admin" } }, teamId: { immutable: true } },
      },
      { role: "admin" },
    ),
  },
  {
    id: "client_writable_role",
    bad: { update: { before: mine, after: { title: { $exists: true } } } },
    at: "posts.update.before.ownerId",
    good: { update: mine },
  },
  {
    id: "client_writable_role",
    bad: { update: { editors: "$auth.id" }, delete: mine },
    at: "posts.delete.ownerId",
    good: { update: { editors: "$auth.id" }, delete: mine, fields: { ownerId: { immutable: true } } },
  },
  {
    id: "owner_not_scalar",
    bad: { create: mine },
    at: "posts.create.ownerId",
    good: { create: mine },
    goodDeclared: typed,
  },
  {
    id: "owner_not_scalar",
    bad: { delete: mine },
    at: "posts.delete.ownerId",
    good: { delete: { $and: [mine, { ownerId: { $not: { $type: "array" } } }] } },
  },
  {
    id: "owner_not_scalar",
    bad: { create: mine },
    at: "posts.create.ownerId",
    good: { create: mine },
    declared: { posts: { schema: { properties: { ownerId: { type: ["string", "array"] } } } } },
    goodDeclared: { posts: { schema: { properties: { ownerId: { type: "array" } } } } },
  },
  {
    id: "role_by_part",
    bad: { get: { $or: [mine, { $nor: [{ "$auth.roles": { $contains: "admin" } }] }] } },
    at: "posts.get.$or[1].$nor[0].$auth.roles.$contains",
    good: { get: { $or: [mine, { "$auth.roles": "admin" }, { "$auth.email": { $endsWith: "@a.test" } }] } },
  },
  {
    id: "role_by_part",
    bad: members({}, { "$auth.roles": { $startsWith: "admin" } }),
    at: "shared.lookups.boss.where.$auth.roles.$startsWith",
    good: members({}, { "$auth.roles": { $in: ["admin"] } }),
  },
  {
    id: "negated_caller",
    bad: { delete: { ownerId: { $ne: "$auth.id" } } },
    at: "posts.delete.ownerId.$ne",
    good: { delete: { "$auth.id": { $exists: false } } },
  },
  {
    id: "negated_caller",
    bad: { get: { "$auth.roles": { $nin: ["banned"] } } },
    at: "posts.get.$auth.roles.$nin",
    good: { get: { ownerId: { $ne: "x" } } },
  },
  { id: "negated_caller", bad: limit("bans"), at: "posts.create.$nor[0].$has", good: limit("posts") },
  {
    id: "negated_caller",
    bad: { fields: { score: { write: { "$auth.roles": { $ne: "guest" } } } } },
    at: "posts.fields.score.write.$auth.roles.$ne",
    good: { fields: { score: { write: { "$auth.roles": "judge" } } } },
  },
  {
    id: "unindexed_rule",
    bad: {
      lookups: { t: { from: "teams", where: { by: "$auth.id" }, select: "name" } },
      fields: { a: { read: { b: { $in: "$lookup.t" } } } },
    },
    at: "posts.lookups.t",
    good: { fields: { a: { read: { b: "$auth.id" } } } },
  },
  { id: "limit_by_lookup", bad: limit("posts"), at: "posts.create.$nor[0].$has", good: limit("bans") },
  {
    id: "hidden_but_writable",
    bad: { fields: { notes: { read: mine, write: true } } },
    at: "posts.fields.notes.write",
    good: { fields: { notes: { read: mine, write: { ...mine, open: true } }, seen: { read: false, write: false } } },
  },
  {
    id: "hidden_but_unique",
    level: "note",
    bad: { fields: { code: { read: mine } } },
    at: "posts.fields.code",
    good: { fields: { code: { read: mine } } },
    declared: { posts: { indexes: [{ paths: ["-code.a"], unique: true }] } },
    goodDeclared: { posts: { indexes: [{ paths: ["code"] }] } },
  },
  {
    id: "unindexed_rule",
    bad: { list: { $or: [mine, { "$auth.roles": "moderator" }] } },
    at: "posts.list",
    good: { list: { $or: [mine, { "$auth.roles": "moderator" }] } },
    goodDeclared: { posts: { indexes: [{ paths: ["ownerId", "title"] }] } },
  },
  {
    id: "unindexed_rule",
    level: "error",
    bad: members({}),
    at: "shared.lookups.boss",
    good: members({}),
    declared: { team_members: { documents: 1001 } },
    goodDeclared: { team_members: { documents: 1001, indexes: [{ paths: ["userId"] }] } },
  },
  { id: "unindexed_rule", bad: members({}), at: "shared.lookups.boss", good: { list: true } },
  {
    id: "origin_is_weak",
    bad: { delete: { "$request.origin": "https://a.test" } },
    at: "posts.delete.$request.origin",
    good: { list: { "$request.origin": "https://a.test" } },
  },
  {
    id: "unknown_field",
    level: "note",
    bad: { get: { "team.name": "x" } },
    at: "posts.get.team.name",
    good: { get: { "team.id": "x", "list.a": 1, "open.x": 1, _createdAt: { $exists: true } } },
    declared: { posts: { schema: { properties: { team: { properties: { id: {} } } } } } },
    goodDeclared: {
      posts: {
        schema: {
          properties: { team: { properties: { id: {} } }, list: { items: { properties: { a: {} } } }, open: {} },
        },
      },
    },
  },
  {
    id: "unknown_field",
    level: "note",
    bad: members({}, { rol: "admin" }),
    at: "shared.lookups.boss.where.rol",
    good: members({}, { role: "admin" }),
    declared: { team_members: { schema: { properties: { userId: {}, teamId: {}, role: {} } } } },
  },
  {
    id: "bucket_not_served",
    level: "note",
    bad: { collections: {}, buckets: { avatars: { get: true } } },
    at: "buckets.avatars",
    good: { get: true },
  },
  {
    id: "unused",
    level: "note",
    bad: { shared: { macros: { a: mine } }, collections: { posts: { macros: { a: mine }, get: { $use: "a" } } } },
    at: "shared.macros.a",
    good: {
      shared: { macros: { a: mine } },
      collections: { posts: { macros: { b: mine }, get: { $use: ["a", "b"] } } },
    },
  },
  {
    id: "unused",
    level: "note",
    bad: { lookups: { t: { from: "teams", where: { a: 1 }, select: "b" } }, get: { a: { $literal: "x" } } },
    at: "posts.lookups.t",
    good: { lookups: { t: { from: "teams", where: { a: 1 }, select: "b" } }, get: { a: { $in: "$lookup.t" } } },
  },
  {
    id: "always_false",
    level: "note",
    bad: { get: { $or: [{ published: true }, { "$auth.kind": "admin" }] } },
    at: "posts.get.$or[1].$auth.kind",
    good: { get: { $or: [{ published: true }, { "$auth.kind": "guest" }] } },
  },
  {
    id: "always_false",
    level: "note",
    bad: { fields: { a: { read: { roles: { $contains: "$auth.roles" } } } } },
    at: "posts.fields.a.read.roles.$contains",
    good: { fields: { a: { read: { roles: { $in: "$auth.roles" } } } } },
  },
  {
    id: "always_false",
    level: "note",
    bad: { get: { "$auth.kind": "anonymous", ownerId: "$auth.id" } },
    at: "posts.get",
    good: { get: { "$auth.id": { $exists: false }, published: true } },
  },
];

t.test("each lint fires on its mistake, says what to do, and is silent where it was made well", async (t) => {
  const wrong: unknown[] = [];
  for (const { id, level = "warning", bad, at, good, declared, goodDeclared = declared } of ROWS) {
    const whole = (rules: object) => ("collections" in rules ? rules : { collections: { posts: rules } });
    const fired = (await lint(whole(bad), declared)).filter((finding) => finding.id === id);
    const [first] = fired;
    const right = first?.path === at && first.level === level && first.message.startsWith(`${at}: `);
    if (!right || fired.length !== 1) wrong.push({ id, at, fired });
    const still = (await lint(whole(good), goodDeclared)).filter((finding) => finding.id === id);
    if (still.length > 0) wrong.push({ id, still });
  }
  t.strictSame(wrong, []);
});

t.test("what tests saw tells of clauses and lists", async (t) => {
  const rules = {
    collections: {
      posts: { list: { published: true }, get: { $has: "x" }, lookups: { x: { from: "a", where: { b: 1 } } } },
    },
  };
  t.strictSame(
    ids(await lint(rules)).includes("list_wider_than_get"),
    false,
    "an exists lookup tells nothing by its shape",
  );
  const seen: Observations = {
    clauses: new Map([["posts.list.published", { held: true, failed: true }]]),
    listedOnly: [{ collection: "posts", id: "p1", user: "u1" }],
  };
  const found = await lint(rules, {}, seen);
  t.match(found.find(({ id }) => id === "list_wider_than_get")?.message, /p1 is listed for the user u1/);
  t.strictSame(
    found.filter(({ id }) => id === "untested_clause").map(({ path }) => path),
    ["posts.get.$has"],
  );
  const held: Observations = {
    clauses: new Map([["posts.list.published", { held: true, failed: false }]]),
    listedOnly: [],
  };
  t.match((await lint(rules, {}, held)).filter(({ id }) => id === "untested_clause")[0], {
    path: "posts.list.published",
    message: "posts.list.published: no test saw it fail; add one that does",
  });
});

t.test("what is public is told without what is hidden of it, and a field that was meant is named", async (t) => {
  const posts = { get: true, list: { titl: "x" }, fields: { notes: { read: false }, title: { write: false } } };
  const schema = { properties: { title: {}, notes: {} } };
  const messages = (await lint({ collections: { posts } }, { posts: { schema } })).map(({ message }) => message);
  t.ok(messages.includes("posts.get: is true for everybody, signed in or not: all is public but notes"), `${messages}`);
  t.ok(messages.includes('posts.list.titl: the schema of posts has no titl. Did you mean "title"?'));
});

t.test("the worst comes first, with a fix where one can be written", async (t) => {
  const found = await lint(
    {
      collections: {
        posts: {
          list: true,
          get: "list",
          create: { ownerId: "$auth.id" },
          update: { $has: "b" },
          lookups: { b: { from: "b", where: { c: "$auth.id" } } },
        },
      },
    },
    { b: { documents: 5000 } },
  );
  t.strictSame(
    found.map(({ level, id, fix }) => [level, id, fix]),
    [
      ["error", "unindexed_rule", { index: { paths: ["c"] } }],
      ["warning", "owner_not_scalar", { ownerId: { $not: { $type: "array" } } }],
      ["note", "open_read", undefined],
    ],
  );
});

t.test("the examples of the design are clean but for what their schemas and indexes would mend", async (t) => {
  const expected: Record<string, string[]> = {};
  for (const [name, rules] of Object.entries(RULE_TEMPLATES))
    expected[name] = [...new Set(ids(await lint(rules)))].sort();
  t.matchOnlyStrict(expected, {
    example: ["bucket_not_served", "open_read", "owner_not_scalar", "unindexed_rule"],
    owner: ["owner_not_scalar", "unindexed_rule"],
    publicRead: ["open_read", "owner_not_scalar"],
    team: ["owner_not_scalar", "unindexed_rule"],
    invitation: ["owner_not_scalar", "unindexed_rule"],
    tenant: ["unindexed_rule"],
    fieldLevel: ["open_read"],
    editWindow: ["owner_not_scalar"],
  });
});

function ids(findings: readonly Finding[]): string[] {
  return findings.map(({ id }) => id);
}
