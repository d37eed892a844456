import t from "tap";
import { parseRules } from "../../server/access/parsing/rules.ts";
import { faultsOf, posts, type Row, refuses, SHARED } from "../support/rule-refusals.ts";

t.test("a name that nobody knows is refused with the one that was meant", async (t) => {
  refuses(t, [
    [posts({ updates: true }), "unknown_key", 'posts.updates: no such action. Did you mean "update"?'],
    [{ format: 1, colections: {} }, "unknown_key", 'colections: no such key. Did you mean "collections"?'],
    [{ x: 1 }, "unknown_key", "x: no such key; expects one of format shared collections buckets"],
    [posts({}, { macro: {} }), "unknown_key", 'shared.macro: no such key. Did you mean "macros"?'],
    [
      posts({ fields: { a: { reads: true } } }),
      "unknown_key",
      'posts.fields.a.reads: no such key. Did you mean "read"?',
    ],
    [
      posts({ lookups: { u: { from: "a", where: {}, selects: "b" } } }),
      "unknown_key",
      'posts.lookups.u.selects: no such key. Did you mean "select"?',
    ],
    [
      { buckets: { a: { fields: {} } } },
      "unknown_key",
      "buckets.a.fields: no such action; expects one of list get create update delete macros lookups exempt",
    ],
    [
      posts({ list: { ownerId: "$auth.uid" } }),
      "unknown_variable",
      'posts.list.ownerId: "$auth.uid" is not a variable. Did you mean "$auth.id"?',
    ],
    [
      posts({ list: { price: "$5" } }),
      "unknown_variable",
      'posts.list.price: "$5" is not a variable: those are $auth.…, $now, $request.…, $before.…, $doc.… and $lookup.…; as data it is {"$literal": "$5"}',
    ],
    [
      posts({ list: { "$auth.role": "x" } }),
      "unknown_variable",
      'posts.list.$auth.role: "$auth.role" is not a variable. Did you mean "$auth.roles"?',
    ],
    [
      posts({ list: { $auth: { $exists: true } } }),
      "unknown_variable",
      'posts.list.$auth: "$auth" is not a variable: those are $auth.…, $now, $request.…, $before.…, $doc.… and $lookup.…; as data it is {"$literal": "$auth"}',
    ],
    [
      posts({ list: { a: { $in: ["x", "$nw"] } } }),
      "unknown_variable",
      'posts.list.a.$in[1]: "$nw" is not a variable. Did you mean "$now"?',
    ],
    [posts({ list: { $use: "autor" } }), "unknown_macro", 'posts.list.$use: no macro "autor". Did you mean "author"?'],
    [posts({ list: { $use: "constructor" } }), "unknown_macro", 'posts.list.$use: no macro "constructor"'],
    [
      posts({ list: { a: { $in: "$lookup.myTeam" } } }),
      "unknown_lookup",
      'posts.list.a.$in: no lookup "myTeam". Did you mean "myTeams"?',
    ],
    [
      posts({ get: { $has: "isAdmn" } }),
      "unknown_lookup",
      'posts.get.$has: no lookup "isAdmn". Did you mean "isAdmin"?',
    ],
    [posts({}, { require: ["tenant"] }), "unknown_macro", 'shared.require[0]: no shared macro "tenant"'],
    [
      posts({ exempt: ["autor"] }, { ...SHARED, require: ["author"] }),
      "unknown_macro",
      'posts.exempt[0]: "autor" is not required by shared.require. Did you mean "author"?',
    ],
  ]);
});

t.test("an operator that is none, or not for rules, is refused with what to use", async (t) => {
  refuses(t, [
    [
      posts({ list: { title: { $regex: "^a" } } }),
      "operator_not_allowed",
      "posts.list.title.$regex: not allowed in rules; use $startsWith, $endsWith or $contains",
    ],
    [posts({ list: { $search: "a" } }), "operator_not_allowed", "posts.list.$search: $search is not available yet"],
    [
      posts({ list: { a: { $startWith: "x" } } }),
      "unknown_operator",
      'posts.list.a.$startWith: no such operator. Did you mean "$startsWith"?',
    ],
    [
      posts({ list: { $hass: "isAdmin" } }),
      "unknown_operator",
      'posts.list.$hass: no such operator. Did you mean "$has"?',
    ],
    [
      posts({ list: { $where: "1" } }),
      "unknown_operator",
      "posts.list.$where: no such operator; expects a path, $auth.…, $request.… or one of $and $or $nor $use $has",
    ],
    [
      posts({ get: { a: { $elemMatch: { b: 1, $has: "isAdmin" } } } }),
      "operator_not_allowed",
      "posts.get.a.$elemMatch.$has: does not test an element: put it beside $elemMatch",
    ],
    [
      posts({ list: { a: { $elemMatch: { b: 1, "$auth.mfa": true } } } }),
      "operator_not_allowed",
      "posts.list.a.$elemMatch.$auth.mfa: does not test an element: put it beside $elemMatch",
    ],
  ]);
});

t.test("a variable is refused where it has no meaning", async (t) => {
  const before = "$before exists only in update.after";
  const doc = "$doc exists only in the where of an exists lookup";
  const lookup = (where: object, more: object = {}) => posts({ lookups: { u: { from: "a", where, ...more } } });
  const here = (input: unknown, message: string): Row => [input, "variable_not_here", message];
  refuses(t, [
    here(posts({ list: { a: "$before.a" } }), `posts.list.a: ${before}`),
    here(posts({ create: { a: { $ne: "$before.a" } } }), `posts.create.a.$ne: ${before}`),
    here(posts({ update: { a: { $in: ["$before.a"] } } }), `posts.update.a.$in: ${before}`),
    here(posts({ update: { after: { a: "$before.a" } } }), `posts.update.after.a: ${before}`),
    here(posts({ update: { before: { a: "$before.a" }, after: true } }), `posts.update.before.a: ${before}`),
    here(posts({ macros: { m: { a: "$before.a" } }, delete: { $use: "m" } }), `posts.delete.$use(m).a: ${before}`),
    here(posts({ fields: { a: { read: { b: "$before.b" } } } }), `posts.fields.a.read.b: ${before}`),
    here(posts({ get: { a: "$doc.a" } }), `posts.get.a: ${doc}`),
    here(posts({ fields: { a: { write: { b: "$doc.b" } } } }), `posts.fields.a.write.b: ${doc}`),
    here(
      posts({ fields: { a: { default: "$before.a" } } }),
      "posts.fields.a.default: $before does not exist at create; use $auth.…, $request.… or $now",
    ),
    here(
      posts({ fields: { a: { read: { $has: "isAdmin" } } } }),
      "posts.fields.a.read.$has: $has exists only in the rules of actions",
    ),
    here(lookup({ a: "$doc.a" }, { select: "b" }), `posts.lookups.u.where.a: ${doc}`),
    here(lookup({ a: "$before.a" }), `posts.lookups.u.where.a: ${before}`),
    here(lookup({ $has: "isAdmin" }), "posts.lookups.u.where.$has: $has exists only in the rules of actions"),
    here(
      lookup({ a: { $in: "$lookup.myTeams" } }),
      "posts.lookups.u.where.a.$in: the where of an exists lookup may not use another lookup",
    ),
    here(
      posts({ list: { a: "$lookup.myTeams" } }),
      'posts.list.a: "$lookup.myTeams" is a list: it stands alone as the operand of $in or $nin',
    ),
    here(
      posts({ list: { a: { $in: ["$lookup.myTeams"] } } }),
      'posts.list.a.$in[0]: "$lookup.myTeams" is a list: it stands alone as the operand of $in or $nin',
    ),
    here(posts({ list: { a: { $in: "$auth.id" } } }), 'posts.list.a.$in: "$auth.id" is one value; write ["$auth.id"]'),
    here(
      posts({ list: { a: ["$auth.id"] } }),
      'posts.list.a: "$auth.id" stands inside a value; a variable is a whole operand; to write it as data, make the whole operand {"$literal": …}',
    ),
    here(
      posts({ update: { before: true, after: { "$auth.id": "$before.by" } } }),
      "posts.update.after.$auth.id: $before is compared with fields of a document, not with the caller",
    ),
  ]);
});

t.test("a lookup is of the kind that its use asks for, and fit for a list", async (t) => {
  const inList = '"isAdmin" reads $doc, which a list cannot do; use a set lookup with select';
  const set = (where: object) => ({ from: "a", where, select: "b" });
  const uses = (name: string) => ({ a: { $in: `$lookup.${name}` } });
  refuses(t, [
    [
      posts({ list: { $or: [{ a: 1 }, { $has: "isAdmin" }] } }),
      "lookup_not_in_list",
      `posts.list.$or[1].$has: ${inList}`,
    ],
    [posts({ list: "get", get: { $has: "isAdmin" } }), "lookup_not_in_list", `posts.get.$has: ${inList}`],
    [
      posts({ list: uses("isAdmin") }),
      "lookup_kind",
      'posts.list.a.$in: "isAdmin" has no select, so it is no list: use it as {"$has": "isAdmin"}',
    ],
    [
      posts({ get: { $has: "myTeams" } }),
      "lookup_kind",
      'posts.get.$has: "myTeams" has select, so it is a list: use it as {"$in": "$lookup.myTeams"}',
    ],
    [
      posts({ lookups: { u: { from: "a", where: {}, max: 5 } } }),
      "lookup_kind",
      "posts.lookups.u.max: belongs to a set lookup, which has select; this one asks only if there is one",
    ],
    [
      posts({ lookups: { a: set({}), b: set(uses("a")), c: set(uses("b")) } }),
      "lookup_kind",
      'posts.lookups.c.where: "b" uses a lookup itself; a lookup may use only one that uses none',
    ],
    [
      posts({ lookups: { a: set(uses("a")) } }),
      "lookup_kind",
      'posts.lookups.a.where: "a" uses a lookup itself; a lookup may use only one that uses none',
    ],
    [
      posts({ lookups: { a: set({}), b: set({ $or: [uses("a"), uses("myTeams")] }) } }),
      "lookup_kind",
      'posts.lookups.b.where: "a" and "myTeams" are used; a lookup may use one other, once',
    ],
    [
      posts({ lookups: { a: { from: "x", where: {} } } }, { lookups: { a: set({}), b: set(uses("a")) } }),
      "lookup_kind",
      'posts.lookups.a: the shared lookup "b" uses this name, so it must be a set lookup that uses no other',
    ],
  ]);
  t.match(faultsOf(posts({ lookups: { a: set(uses("b")), b: set(uses("a")) } })), [{ code: "lookup_kind" }, {}]);
});

t.test("the server's collections are not for rules", async (t) => {
  refuses(t, [
    [
      posts({ lookups: { u: { from: "_users", where: {} } } }),
      "reserved_collection",
      'posts.lookups.u.from: "_users" belongs to the server; keep public data in your own "users" collection',
    ],
    [{ collections: { _users: {} } }, "reserved_collection", '_users: "_users" belongs to the server'],
    [{ buckets: { _files: {} } }, "reserved_collection", 'buckets._files: "_files" belongs to the server'],
  ]);
});

t.test("macros call each other in no circle, and four deep at most", async (t) => {
  const chain = (length: number) =>
    Object.fromEntries(Array.from({ length }, (_, i) => [`m${i}`, i + 1 < length ? { $use: `m${i + 1}` } : { a: 1 }]));
  const macros = { member: { $use: "team" }, team: { $or: [{ a: 1 }, { $use: "member" }] } };
  refuses(t, [
    [
      posts({ macros, create: { $use: "member" } }),
      "macro_cycle",
      "posts.macros.team.$or[1].$use: macros call each other: member → team → member",
    ],
    [posts({ macros: { a: { $use: "a" } } }), "macro_cycle", "posts.macros.a.$use: macros call each other: a → a"],
    [
      posts({ macros: { a: { $use: "b" } }, create: { $use: "a" } }, { macros: { a: {}, b: { $use: "a" } } }),
      "macro_cycle",
      "posts.create.$use(a).$use(b).$use: macros call each other: a → b → a",
    ],
    [
      posts({ macros: chain(5), list: { $use: "m0" } }),
      "too_large",
      "posts.macros.m0.$use: macros use macros at most 4 deep",
    ],
  ]);
  t.strictSame(faultsOf(posts({ macros: chain(4), list: { $use: "m0" } })), []);
  t.equal(faultsOf(posts({ macros: chain(2000) })).length, 1, "said once, however long the chain");
});

t.test("a rule that may hold without a required macro is refused", async (t) => {
  const shared = { macros: { tenant: { tenantId: "$auth.claims.tenant" } }, require: ["tenant"] };
  const message = (at: string) => `${at}: must use "tenant" in its top-level AND, or list it in "exempt"`;
  const row = (rules: unknown, at: string): Row => [posts(rules, shared), "required_macro_missing", message(at)];
  refuses(t, [
    row({ list: { a: 1 } }, "posts.list"),
    row({ list: true, get: "list" }, "posts.list"),
    row({ get: { $or: [{ $use: "tenant" }, { a: 1 }] } }, "posts.get"),
    row({ create: { $nor: [{ $use: "tenant" }] } }, "posts.create"),
    row({ delete: { a: { $elemMatch: { b: 1, $use: "tenant" } } } }, "posts.delete"),
    row({ update: { before: { $use: "tenant" }, after: true } }, "posts.update.after"),
    row({ update: { a: 1 } }, "posts.update"),
    [{ shared, buckets: { b: { get: true } } }, "required_macro_missing", message("buckets.b.get")],
  ]);
  const empty = { macros: { tenant: {} }, require: ["tenant"] };
  t.match(faultsOf(posts({ list: { $and: [{}] }, get: true }, empty)), [{ path: "posts.list" }, { path: "posts.get" }]);
  t.strictSame(faultsOf(posts({ list: { $use: "tenant" } }, empty)), []);
});

t.test("a collection may not say anew what a required macro is made of", async (t) => {
  const shared = {
    lookups: {
      orgs: { from: "org_members", where: { userId: "$auth.id" }, select: "orgId" },
      tenants: { from: "tenants", where: { orgId: { $in: "$lookup.orgs" } }, select: "_id" },
    },
    macros: { inner: { tenantId: { $in: "$lookup.tenants" } }, tenant: { $use: "inner", x: 1 }, other: { y: 1 } },
    require: ["tenant"],
  };
  const own = (more: object) => ({ list: { $use: "tenant" }, ...more });
  const choose = 'so it is the same for all; choose another name, or list "tenant" in "exempt"';
  const row = (more: object, at: string, why: string): Row => [
    posts(own(more), shared),
    "required_macro_missing",
    `${at}: ${why}, ${choose}`,
  ];
  const used = 'is used by the required macro "tenant"';
  refuses(t, [
    row({ macros: { tenant: {} } }, "posts.macros.tenant", "is required"),
    row({ macros: { inner: {} } }, "posts.macros.inner", used),
    row({ lookups: { tenants: { from: "mine", where: {}, select: "a" } } }, "posts.lookups.tenants", used),
    row({ lookups: { orgs: { from: "mine", where: {}, select: "a" } } }, "posts.lookups.orgs", used),
    [
      { shared, buckets: { b: { get: { $use: "tenant" }, macros: { tenant: {} } } } },
      "required_macro_missing",
      `buckets.b.macros.tenant: is required, ${choose}`,
    ],
  ]);
  const fine = [
    own({ macros: { other: {} } }),
    { exempt: ["tenant"], macros: { tenant: {} }, list: { $use: "tenant" } },
  ];
  for (const rules of fine) t.strictSame(faultsOf(posts(rules, shared)), []);
});

t.test("every fault is told at once, and what has one is closed", async (t) => {
  const { rules, faults } = parseRules(
    {
      format: 3,
      shared: { macros: { bad: { a: { $foo: 1 } } } },
      collections: {
        a: { list: { x: "$auth.uid", y: "$before.y", z: { $in: 3 } }, get: { $use: "bad" }, create: true, colour: 1 },
        b: { delete: { $use: "none" }, fields: { _id: {}, ok: { read: { p: "$doc.p" } } } },
      },
      buckets: { c: { update: { before: { $regex: 1 } } } },
    },
    1,
  );
  t.strictSame(
    faults.map(({ path, code }) => `${path} ${code}`),
    [
      "format wrong_type",
      "shared.macros.bad.a.$foo unknown_operator",
      "a.colour unknown_key",
      ...["a.list.x unknown_variable", "a.list.z.$in wrong_type", "a.list.y variable_not_here"],
      "b.delete.$use unknown_macro",
      ...["b.fields._id bad_path", "b.fields.ok.read.p variable_not_here"],
      "buckets.c.update.before.$regex operator_not_allowed",
    ],
    "the fault of a macro once, where the macro stands",
  );
  t.match(rules.collections.get("a"), { list: { node: { kind: "false" } }, create: { node: { kind: "true" } } });
});
