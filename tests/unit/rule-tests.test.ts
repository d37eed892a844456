/** Rule tests as `rules.tests.json` brings them, run on a throw-away store: access-rules.md 11. */

import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { ObjectValue } from "#protocol/values";
import type { Declared } from "../../server/access/lints/lint.ts";
import { createLints } from "../../server/access/lints/lints.ts";
import { parseRules } from "../../server/access/parsing/rules.ts";
import type { TestRun } from "../../server/access/publishing/rule-findings.ts";
import type { RulesBody } from "../../server/access/publishing/rules-contract.ts";
import { createTestRunner } from "../../server/access/rule-tests/runner.ts";
import { readSuite } from "../../server/access/rule-tests/suite-reader.ts";
import { withheldPaths } from "../../server/access/rule-tests/withheld.ts";
import { withTemplate } from "../../server/access/templates/merge.ts";
import { templateOf } from "../../server/access/templates/template.ts";
import { Schema } from "../../server/documents/schema/schema.ts";
import { missingIndex } from "../../server/rule-lints.ts";
import { createTestGalleys } from "../../server/rule-test-galley.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";
import { ROOT } from "../support/own-modules.ts";

// A place of this file's own, to see that nothing is left in it.
process.env.TMPDIR = mkdtempSync(join(tmpdir(), "galley-rule-tests-"));
t.teardown(() => rmSync(tmpdir(), { recursive: true }));

const log = { debug() {}, info() {}, warn() {}, error() {} };
const typed = new Schema({
  type: "object",
  required: ["n"],
  properties: { n: { type: "number" }, open: { default: false }, tags: { default: [{ kind: "new" }] } },
});
const open = createTestGalleys({
  openStore: (folder, clock) => openSqliteStore({ folder, clock }),
  clock: Date.now,
  random: (bytes) => randomBytes(bytes),
  log,
  schemaOf: (name) => (name === "typed" ? typed : undefined),
});
const run = createTestRunner({ open, clock: Date.now });

/** The rules and tests of access-rules.md 2 and 11. */
const RULES = {
  format: 1,
  collections: {
    posts: {
      lookups: { myTeams: { from: "team_members", where: { userId: "$auth.id" }, select: "teamId" } },
      macros: { member: { teamId: { $in: "$lookup.myTeams" } }, author: { authorId: "$auth.id" } },
      list: { $or: [{ published: true }, { $use: "member" }] },
      get: "list",
      create: { $use: ["author", "member"] },
      update: { before: { $use: "author" }, after: { $use: "member" } },
      delete: { $or: [{ $use: "author" }, { "$auth.roles": "moderator" }] },
      fields: {
        authorId: { default: "$auth.id", immutable: true },
        score: { write: false },
        notes: { read: { authorId: "$auth.id" } },
      },
    },
  },
};
const SUITE = {
  users: { ann: { id: "u1" }, bob: { id: "u2", roles: ["editor"] }, mod: { id: "u3", roles: ["moderator"] } },
  documents: {
    posts: [
      { _id: "p1", authorId: "u1", teamId: "t1", published: true, notes: "x", log: [{ at: 1 }] },
      { _id: "p2", authorId: "u1", teamId: "t1" },
    ],
    team_members: [{ teamId: "t1", userId: "u1" }],
  },
};
const GREEN = [
  { name: "an author edits her post", as: "ann", can: "update", in: "posts", id: "p1", with: { title: "b" } },
  {
    name: "a",
    as: "ann",
    cannot: "update",
    in: "posts",
    id: "p1",
    with: { authorId: "u2" },
    because: "fields.authorId",
  },
  { name: "strangers see what is published", as: null, lists: ["p1"], in: "posts" },
  { name: "members see all", as: "ann", lists: ["p2", "p1"], in: "posts" },
  { name: "notes are the author's", as: "bob", gets: "p1", in: "posts", hides: ["notes"] },
  { name: "the author sees all", as: "ann", gets: "p1", in: "posts", hides: [] },
  { name: "b", as: "bob", cannot: "get", in: "posts", id: "p2", because: "posts.list" },
  { name: "c", as: "ann", can: "create", in: "posts", with: { teamId: "t1", at: { $date: "2026-01-31T10:00:00Z" } } },
  { name: "d", as: "ann", cannot: "create", in: "posts", with: { teamId: "t2" }, because: "create.$use(member)" },
  { name: "e", as: null, cannot: "create", in: "posts", with: {} },
  {
    name: "f",
    as: "bob",
    cannot: "update",
    in: "posts",
    id: "p1",
    with: { a: 1 },
    because: "before.$use(author).authorId",
  },
  { name: "g", as: "ann", cannot: "update", in: "posts", id: "p1", with: { $set: { teamId: "t2" } }, because: "after" },
  { name: "h", as: "mod", can: "delete", in: "posts", id: "p1" },
  { name: "i", as: "bob", cannot: "delete", in: "posts", id: "p1", because: "delete" },
  { name: "deleted above, and still there", as: null, can: "get", in: "posts", id: "p1" },
  { name: "k", as: "ann", cannot: "list", in: "drafts" },
];

async function outcome(rules: object, suite: object): Promise<TestRun> {
  const { rules: set, faults } = parseRules(rules, 1);
  if (faults.length > 0) throw new Error(faults[0]?.message);
  return run({ source: rules, rules: set }, suite);
}

t.test("tests are judged as requests are, and none sees what another wrote", async (t) => {
  const { results, observations } = await outcome(RULES, { ...SUITE, tests: GREEN });
  t.strictSame(
    results.filter(({ passed }) => !passed),
    [],
  );
  t.equal(results.length, GREEN.length);
  t.strictSame(observations.clauses.get("posts.delete.$or[1].$auth.roles"), { held: true, failed: true });
  t.strictSame(observations.listedOnly, []);
  t.strictSame(
    readdirSync(tmpdir()).filter((name) => name.startsWith("galley-rule-tests-")),
    [],
    "nothing is left",
  );
});

t.test("defaults of a schema are filled in before rules judge, and nothing else of it applies", async (t) => {
  const rules = { collections: { typed: { create: { open: false, "tags.kind": "new" } } } };
  const create = (name: string, body: object) => ({ name, as: null, in: "typed", with: body });
  const tests = [
    { ...create("what is left out is as it will be stored", {}), can: "create" },
    { ...create("a wrong type is the schema's to refuse", { n: "no number" }), can: "create" },
    { ...create("what is said is judged", { open: true }), cannot: "create", because: "create.open" },
  ];
  const { results } = await outcome(rules, { users: {}, documents: {}, tests });
  t.strictSame(
    results.filter(({ passed }) => !passed),
    [],
  );
});

t.test("a red test says what came instead", async (t) => {
  const red = [
    [
      { as: "bob", can: "update", in: "posts", id: "p1", with: { a: 1 } },
      /refused: permission_denied because of posts\.update\.before/,
    ],
    [{ as: "bob", can: "get", in: "posts", id: "p2" }, /refused: not_found because of posts\.list/],
    [{ as: "ann", cannot: "update", in: "posts", id: "p1", with: { a: 1 } }, /^was allowed$/],
    [
      { as: "ann", cannot: "update", in: "posts", id: "p1", with: { $inc: { a: "x" } } },
      /^failed, and not by a rule: /,
    ],
    [
      { as: "ann", cannot: "update", in: "posts", id: "p1", with: { score: 1 }, because: "fields.authorId" },
      /because of posts\.fields\.score, not of fields\.authorId/,
    ],
    [{ as: null, lists: ["p2"], in: "posts" }, /^does not list p2, and lists p1 too$/],
    [{ as: null, lists: [], in: "drafts" }, /^was refused: permission_denied because of drafts\.list/],
    [
      { as: "bob", gets: "p1", in: "posts", hides: ["title", "log.at"] },
      /^does not hide title, log\.at, and hides notes too$/,
    ],
    [{ as: "bob", gets: "p2", in: "posts" }, /^was refused: not_found/],
  ] as const;
  const tests = red.map(([test], i) => ({ name: `red ${i}`, ...test }));
  const { results } = await outcome(RULES, { ...SUITE, tests });
  t.strictSame(
    results.map(({ name, passed, message }, i) => [name, passed, red[i]?.[1].test(message ?? "") || message]),
    red.map((_, i) => [`red ${i}`, false, true]),
  );
});

t.test("time stands still where a suite says when it is, and addresses and origins come with a test", async (t) => {
  const rules = {
    collections: {
      posts: {
        list: { $and: [{ _createdAt: { $gt: { $now: "-15m" } } }, { "$request.ip": "10.0.0.1" }] },
        get: { "$request.origin": "https://a.test" },
      },
    },
  };
  const posts = [
    { _id: "old", _createdAt: { $date: "2026-01-31T09:00:00Z" } },
    { _id: "new", _createdAt: { $date: "2026-01-31T09:50:00Z" } },
  ];
  const { results, observations } = await outcome(rules, {
    now: "2026-01-31T10:00:00Z",
    documents: { posts },
    tests: [
      { name: "a", as: null, request: { ip: "10.0.0.1" }, lists: ["new"], in: "posts" },
      { name: "b", as: null, request: { origin: "https://a.test" }, gets: "old", in: "posts" },
      { name: "c", as: null, cannot: "get", id: "old", in: "posts", because: "get.$request.origin" },
    ],
  });
  t.strictSame(
    results.map(({ message }) => message),
    [undefined, undefined, undefined],
  );
  t.strictSame(observations.listedOnly, [], "nobody came from there");
});

t.test("what is wrong with tests is told by path, all at once", async (t) => {
  const faulty = (suite: unknown) => readSuite(suite).faults.map(({ message }) => message);
  const test = (more: object) => ({ name: "x", as: null, in: "posts", ...more });
  const { documents } = SUITE;
  t.strictSame(
    faulty({
      now: "soon",
      users: { ann: { id: 1, roles: "a", claims: [], guest: 1, mail: "x" } },
      documents: { posts: [{ _id: "p1" }, { _id: "p1" }, 7, { _id: "p3", _x: 1 }], "a.b": [], team: {} },
      tests: [7, test({}), test({ as: "anne", can: "get", id: "p1" }), test({ can: "updat", id: "p1" })],
    }).map((message) => message.split(":")[0]),
    [
      ...["tests.users.ann.mail", "tests.users.ann.id", "tests.users.ann.roles", "tests.users.ann.claims"],
      ...["tests.users.ann.guest", "tests.documents.posts[1]._id", "tests.documents.posts[2]"],
      ...["tests.documents.posts[3]._x", "tests.documents.a.b", "tests.documents.team", "tests.tests[0]"],
      ...["tests.tests[1]", "tests.tests[2].as", "tests.tests[3].can", "tests.now"],
    ],
  );
  const one = (more: object) => faulty({ documents, users: SUITE.users, tests: [test(more)] })[0];
  t.match(one({ as: "anna", can: "list" }), /no user "anna" in tests\.users\. Did you mean "ann"\?/);
  t.match(one({ as: undefined, can: "list" }), /expects the name of a user, or null/);
  t.match(one({ can: "get", id: "p9" }), /no document "p9" in tests\.documents\.posts/);
  t.match(
    one({ in: "post", can: "get", id: "p1" }),
    /no documents of "post" in tests\.documents\. Did you mean "posts"\?/,
  );
  t.match(one({ can: "get", id: "p1", because: "x" }), /says nothing beside can/);
  t.match(one({ can: "create", id: "p1", with: {} }), /is there already/);
  t.match(one({ can: "update", id: "p1" }), /\.with: expects what is changed/);
  t.match(one({ can: "list", lists: [] }), /expects one of can, cannot, lists, gets, got can and lists/);
  t.match(one({ gets: "p1", hides: "notes" }), /\.hides: expects a list of paths/);
  const deep = JSON.parse(`${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`);
  t.match(faulty({ documents: { posts: [deep] }, tests: [] })[0], /levels/);
  t.strictSame(faulty({ tests: {} }).length + faulty(7).length, 3);
  t.match(faulty({ tests: Array(1001).fill(test({ can: "list" })) })[0], /at most 1000 tests/);
  const many = Array.from({ length: 201 }, (_, i) => test({ can: "list", in: `c${i}` }));
  t.match(faulty({ tests: many }), ["tests: speaks of more than 200 collections"]);
  await t.rejects(outcome(RULES, { tests: [test({})] }), {
    code: "invalid_argument",
    details: { faults: [{ path: "tests.tests[0]" }] },
  });
});

t.test("what was withheld is found wherever it stood", async (t) => {
  const stored: ObjectValue = { a: 1, b: { c: 1, d: 2 }, list: [{ x: 1, y: 2 }, { x: 3 }], gone: { z: 1 } };
  t.strictSame(withheldPaths(stored, { b: { c: 1 }, list: [{ y: 2 }, {}] }), ["a", "b.d", "gone", "list.x"]);
  t.strictSame(withheldPaths(stored, stored), []);
});

t.test("a run ends in time, whatever is asked of it", async (t) => tooMany(t));

t.test("every template is green by its own tests, clean once it is declared, and fits what is there", async (t) => {
  let current: RulesBody = { rules: null, tests: null };
  const declared = new Map<string, Declared>();
  const lints = createLints({ declared: async (name) => declared.get(name), missingIndex });
  for (const [name, collection, field] of [
    ["owner", "todos", "ownerId"],
    ["public-read", "posts", "author"],
    ["team", "notes", "teamId"],
    ["team", "tasks", "group"],
  ] as const) {
    const template = templateOf(name, collection, field);
    for (const { name: one, ...declaration } of template.declarations)
      declared.set(one, { ...declaration, documents: 0 });
    current = withTemplate(current, collection, template);
  }
  const { rules, faults } = parseRules(current.rules, 1);
  t.strictSame(faults, []);
  const checked = { source: current.rules, rules };
  const { results, observations } = await run(checked, current.tests);
  t.strictSame(
    results.filter(({ passed }) => !passed),
    [],
  );
  t.equal(results.length, 12 + 9 + 14 + 14);
  const found = await lints(checked, observations);
  t.strictSame([...new Set(found.filter(({ level }) => level !== "note").map(({ message }) => message))], []);
  t.throws(() => withTemplate(current, "todos", templateOf("owner", "todos", "ownerId")), { code: "already_exists" });
  const other = { rules: { shared: { macros: { team: { a: 1 } } } } };
  t.throws(() => withTemplate(other, "notes", templateOf("team", "notes", "teamId")), {
    code: "failed_precondition",
    message: /^shared\.macros\.team: /,
  });
});

t.test("docs/access-rules.md: its rules are legal, its tests green, its tables whole", async (t) => {
  const page = readFileSync(join(ROOT, "docs/access-rules.md"), "utf8");
  const blocks = (kind: string) =>
    [...page.matchAll(new RegExp(`\`\`\`json ${kind}\\n([^\`]*)\`\`\``, "g"))].map(([, text]) =>
      JSON.parse(text as string),
    );
  const sets: object[] = [...blocks("rules"), ...blocks("collection").map((posts) => ({ collections: { posts } }))];
  t.equal(sets.length, 4);
  for (const set of sets) t.strictSame(parseRules(set, 1).faults, []);
  const [tests] = blocks("tests");
  const { results } = await outcome(sets[0] ?? {}, tests);
  t.strictSame(
    results.filter(({ passed }) => !passed),
    [],
  );
  const folder = join(ROOT, "server/access/lints");
  const source = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
  const fired = new Set(
    source.flatMap((text) => [...text.matchAll(/\bid: "([a-z_]+)",\s+level/g)].map(([, id]) => id as string)),
  );
  const section = page.split("## Lints")[1]?.split("## ")[0] ?? "";
  t.strictSame([...section.matchAll(/^\| `([a-z_]+)` /gm)].map(([, id]) => id as string).sort(), [...fired].sort());
});

async function tooMany(t: Test): Promise<void> {
  let now = 0;
  const hasty = createTestRunner({ open, clock: () => (now += 200) });
  const tests = Array.from({ length: 100 }, (_, i) => ({ name: `${i}`, as: null, can: "list", in: "posts" }));
  const { rules } = parseRules(RULES, 1);
  const { results } = await hasty({ source: RULES, rules }, { ...SUITE, tests });
  t.equal(results.length, 100);
  t.match(results[0], { passed: true });
  t.match(results.at(-1), { passed: false, message: /did not run: all tests together take more than 10 s/ });
}
