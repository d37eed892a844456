import t from "tap";
import { parseRules } from "../../server/access/parsing/rules.ts";
import { cpuTime } from "../support/cpu-time.ts";
import { posts, type Row, refuses, SHARED } from "../support/rule-refusals.ts";

const times = <T>(count: number, item: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => item(i));
const named = (count: number, value: (i: number) => unknown) =>
  Object.fromEntries(times(count, (i) => [`n${i}`, value(i)]));
const nest = (levels: number, core: unknown, wrap: (inner: unknown) => unknown) => {
  let input = core;
  for (let i = 0; i < levels; i++) input = wrap(input);
  return input;
};
const alone = (rules: object, shared: object = {}) => posts(rules, shared);
const codes = (input: unknown) => parseRules(input, 1).faults.map(({ path, code }) => `${path} ${code}`);

t.test("each thing is of its type", async (t) => {
  const wrong = (input: unknown, message: string): Row => [input, "wrong_type", message];
  refuses(t, [
    wrong([], "rules: expects an object, got an empty array"),
    wrong(null, "rules: expects an object, got null"),
    wrong({ format: 2 }, "format: expects 1, got 2"),
    wrong({ shared: [] }, "shared: expects an object, got an empty array"),
    wrong({ collections: 1 }, "collections: expects an object of rules by name, got a number"),
    wrong({ collections: { a: null } }, "a: expects an object, got null"),
    wrong(posts({ create: null }), "posts.create: expects true, false or a filter, got null"),
    wrong(posts({ list: "create" }), 'posts.list: expects true, false, a filter or "get", got a string'),
    wrong(posts({ update: "list" }), "posts.update: expects true, false, a filter or {before, after}, got a string"),
    wrong(
      posts({ list: "get", get: "list" }),
      'posts.get: names "list", which names "get": one of them must be a rule',
    ),
    wrong(
      posts({ list: { a: { $gt: [1] } } }),
      "posts.list.a.$gt: expects a number, string, date, bool or binary, got an array",
    ),
    wrong(
      posts({ list: { a: { $gt: 1, b: 2 } } }),
      'posts.list.a: expects either operators or plain fields, got both ("b")',
    ),
    wrong(posts({ list: { a: { $size: "$auth.id" } } }), "posts.list.a.$size: expects an integer from 0, got a string"),
    wrong(
      posts({ list: { a: { $all: "$auth.roles" } } }),
      "posts.list.a.$all: expects an array of values, got a string",
    ),
    wrong(
      posts({ list: { a: { $now: "15 minutes" } } }),
      'posts.list.a: expects $now with an offset of at most 36525d in s, m, h or d, as in "-15m" or "+1d"',
    ),
    wrong(
      posts({ list: { a: { $gt: { $now: "-36526d" } } } }),
      'posts.list.a.$gt: expects $now with an offset of at most 36525d in s, m, h or d, as in "-15m" or "+1d"',
    ),
    wrong(
      posts({ list: { $use: [] } }),
      "posts.list.$use: expects a macro's name, or a list of up to 32, got an empty array",
    ),
    wrong(
      posts({ list: { $use: ["author", 1] } }),
      "posts.list.$use: expects a macro's name, or a list of up to 32, got a number",
    ),
    wrong(posts({ get: { $has: ["isAdmin"] } }), "posts.get.$has: expects the name of an exists lookup, got an array"),
    wrong(posts({ macros: { a: true } }), "posts.macros.a: expects a filter, got a bool"),
    wrong(
      posts({ lookups: { u: 1 } }),
      "posts.lookups.u: expects {from, where} or {from, where, select, max}, got a number",
    ),
    wrong(
      posts({ lookups: { u: { where: {}, from: "A" } } }),
      `posts.lookups.u.from: expects a collection's name (a letter a-z, then up to 62 of a-z 0-9 _ -), got "A"`,
    ),
    wrong(
      posts({ lookups: { u: { from: "a" } } }),
      "posts.lookups.u.where: expects an object of paths and operators, got nothing",
    ),
    wrong(
      posts({ lookups: { u: { from: "a", where: {}, select: 1 } } }),
      "posts.lookups.u.select: expects the path of a field, got a number",
    ),
    wrong(
      posts({ lookups: { u: { from: "a", where: {}, select: "b", max: 0 } } }),
      "posts.lookups.u.max: expects an integer from 1 to 1000, got 0",
    ),
    wrong(
      posts({ fields: { a: true } }),
      "posts.fields.a: expects an object with some of read write immutable default, got a bool",
    ),
    wrong(posts({ fields: { a: { immutable: 1 } } }), "posts.fields.a.immutable: expects true or false, got a number"),
    wrong(posts({ fields: { a: { default: { $oid: "1" } } } }), "posts.fields.a.default: $oid is not supported"),
    wrong(posts({ exempt: "a" }), "posts.exempt: expects a list of names, got a string"),
    wrong(posts({}, { ...SHARED, require: ["author", "author"] }), 'shared.require[1]: names "author" a second time'),
  ]);
});

t.test("a path is one that a document can have", async (t) => {
  const bad = (input: unknown, message: string): Row => [input, "bad_path", message];
  const name = "a name is a letter, then up to 62 letters, digits, _ or -";
  refuses(t, [
    bad(posts({ fields: { "a..b": {} } }), "posts.fields.a..b: a key may not be empty"),
    bad(
      posts({ fields: { _id: { read: false } } }),
      "posts.fields._id: cannot be masked: whoever sees a document sees it",
    ),
    bad(posts({ fields: { _v: {} } }), "posts.fields._v: cannot be masked: whoever sees a document sees it"),
    bad(posts({ fields: { "a.0": {} } }), "posts.fields.a.0: a numeric segment is allowed in filters and updates only"),
    bad(
      posts({ fields: { _createdAt: { default: 1 } } }),
      "posts.fields._createdAt.default: is filled by the server, so it has no default",
    ),
    bad(
      posts({ list: { _secret: 1 } }),
      'posts.list._secret: "_secret" is reserved: names starting with "_" are the server\'s',
    ),
    bad(posts({ list: { a: "$auth.claims.b..c" } }), 'posts.list.a: "$auth.claims.b..c": a key may not be empty'),
    bad(
      posts({ list: { a: { $in: "$lookup.a b" } } }),
      `posts.list.a.$in: expects the name of a lookup after "$lookup.": ${name}`,
    ),
    bad(posts({ macros: { "a.b": {} } }), `posts.macros.a.b: ${name}`),
    bad(posts({ lookups: { "1": {} } }), `posts.lookups.1: ${name}`),
    bad({ collections: { Posts: {} } }, 'Posts: "Posts" is no name: a letter a-z, then up to 62 of a-z 0-9 _ -'),
  ]);
});

t.test("each limit holds at its edge, after macros are expanded", async (t) => {
  const deep = (levels: number) => nest(levels, { a: 1 }, (inner) => ({ $and: [inner] }));
  const lookup = { from: "a", where: { u: "$auth.id" }, select: "b" };
  const lookups = (own: number, shared: number) => {
    const list = { $or: times(shared, (i) => ({ x: { $in: `$lookup.n${i}` } })) };
    const mine = Object.fromEntries(times(own, (i) => [`own${i}`, lookup]));
    return alone({ lookups: mine, ...(shared > 0 && { list }) }, { lookups: named(shared, () => lookup) });
  };
  const text = (length: number) => "x".repeat(length);
  const macros = { fifty: named(50, () => 1), big: { a: text(8000) }, deep: deep(4), none: {} };
  const sized = (bytes: number, overhead: number) => text(bytes - overhead);
  const half = { $use: "big" };
  const collection = (bytes: number) => {
    const rules = (rest: number) => ({ macros: { ...named(4, () => ({ x: text(15_000) })), last: { x: text(rest) } } });
    return alone(rules(bytes - JSON.stringify(rules(0)).length));
  };
  const rows: [name: string, ok: unknown, over: unknown, faults: string[]][] = [
    [
      "nodes",
      alone({ list: named(100, () => 1) }),
      alone({ list: named(101, () => 1) }),
      ["posts.list.n100 too_large"],
    ],
    [
      "nodes of macros",
      alone({ list: { $use: ["fifty", "fifty"] } }, { macros }),
      alone({ list: { $use: ["fifty", "fifty"], x: 1 } }, { macros }),
      ["posts.list.x too_large"],
    ],
    ["depth", alone({ list: deep(8) }), alone({ list: deep(9) }), [`posts.list${".$and[0]".repeat(8)}.$and too_large`]],
    [
      "depth of macros",
      alone({ list: nest(4, { $use: "deep" }, (of) => ({ $and: [of] })) }, { macros }),
      alone({ list: nest(5, { $use: "deep" }, (of) => ({ $and: [of] })) }, { macros }),
      [`posts.list${".$and[0]".repeat(5)}.$use(deep)${".$and[0]".repeat(3)}.$and too_large`],
    ],
    [
      "uses of macros",
      alone({ list: { $and: times(4, () => ({ $use: times(25, () => "none") })) } }, { macros }),
      alone({ list: { $and: times(4, () => ({ $use: times(26, () => "none") })) } }, { macros }),
      ["posts.list.$and[3].$use too_large"],
    ],
    [
      "bytes of a rule",
      alone({ list: { a: sized(16_384, 8) } }),
      alone({ list: { a: sized(16_385, 8) } }),
      ["posts.list too_large"],
    ],
    [
      "bytes with macros",
      alone({ list: { $use: ["big", "big"] } }, { macros }),
      alone({ list: { $use: ["big", "big", "big"] } }, { macros }),
      ["posts.list too_large"],
    ],
    ["bytes of a collection", collection(65_536), collection(65_537), ["posts too_large"]],
    [
      "bytes of a collection with macros",
      alone({ list: half, get: half, create: half, update: half, delete: half }, { macros }),
      alone(
        {
          list: half,
          get: half,
          create: half,
          update: { before: half, after: half },
          delete: half,
          fields: { a: { read: half, write: half }, b: { read: half } },
        },
        { macros },
      ),
      ["posts too_large"],
    ],
    ["own lookups", lookups(8, 0), lookups(9, 0), ["posts too_large"]],
    ["own and shared lookups", lookups(4, 4), lookups(5, 4), ["posts too_large"]],
    [
      "values of a lookup",
      alone({ lookups: { l: { ...lookup, max: 1000 } } }),
      alone({ lookups: { l: { ...lookup, max: 1001 } } }),
      ["posts.lookups.l.max too_large"],
    ],
    [
      "values of $in",
      alone({ list: { a: { $in: times(256, String) } } }),
      alone({ list: { a: { $in: times(257, String) } } }),
      ["posts.list.a.$in too_large"],
    ],
  ];
  for (const [name, ok, over, faults] of rows) {
    t.strictSame(codes(ok), [], `${name}: the most`);
    t.strictSame(codes(over), faults, `${name}: one more`);
  }
});

t.test("a set has a limit of its own, with what its macros expand to", async (t) => {
  const macros = { big: { a: "x".repeat(15_000) } };
  const using = (count: number) => ({
    shared: { macros },
    collections: named(count, () => ({ list: { $use: "big" } })),
  });
  t.strictSame(codes(using(60)), []);
  t.strictSame(codes(using(80)), ["rules too_large"]);
  t.strictSame(codes({ x: "x".repeat(1024 * 1024) }), ["rules too_large"]);
});

t.test("hostile input is refused fast, with few words and without a deep call", async (t) => {
  const chain = (length: number) => named(length, (i) => ({ $use: `n${(i + 1) % length}` }));
  const tree = named(20, (i) => ({ $use: times(32, (k) => `n${(i * 32 + k + 1) % 20}`) }));
  const own = (json: string) => JSON.parse(json) as unknown;
  const rows: [name: string, input: unknown, some: RegExp][] = [
    ["a rule 100,000 deep", alone({ list: nest(100_000, { a: 1 }, (of) => ({ $and: [of] })) as object }), /too_large/],
    ["objects 100,000 deep", nest(100_000, 1, (of) => ({ collections: of })), /rules too_large/],
    ["shared 50,000 deep", { shared: nest(50_000, 1, (of) => ({ macros: of })) }, /too_large|wrong_type|unknown_key/],
    ["a literal 5,000 deep", alone({ list: { a: nest(5000, "$x", (of) => [of]) } }), /posts\.list\.a/],
    ["a default 30,000 deep", alone({ fields: { a: { default: nest(30_000, 1, (of) => [of]) } } }), /too_large/],
    ["a circle of 20,000 macros", { shared: { macros: chain(20_000) } }, /macro_cycle/],
    ["macros that all use all", { shared: { macros: tree } }, /macro_cycle/],
    ["50,000 collections", { collections: named(50_000, () => 1) }, /wrong_type/],
    ["10,000 misspelt keys of a rule", alone(named(3000, () => 1)), /unknown_key/],
    [
      "10,000 misspelt macros beside 10,000 known",
      {
        shared: { macros: named(10_000, () => ({ a: 1 })) },
        collections: { a: { list: { $and: times(30, () => ({ $use: times(32, (i) => `m${i}`) })) } } },
      },
      /unknown_macro/,
    ],
    ["a key of 900 KB", { collections: { ["x".repeat(900_000)]: {} } }, /bad_path/],
    ["a __proto__", own('{"__proto__": {"list": true}, "collections": {"__proto__": {"list": true}}}'), /__proto__/],
    [
      "a __proto__ in a collection",
      alone(own('{"__proto__": true, "macros": {"__proto__": {}}, "fields": {"__proto__": {}}}') as object),
      /posts\.__proto__ unknown_key/,
    ],
    ["a constructor", alone({ list: { $use: "constructor", $has: "toString" } }), /unknown_macro/],
    [
      "1,000 lookups",
      {
        shared: {
          lookups: named(1000, (i) => ({ from: "a", where: { a: { $in: `$lookup.n${i + 1}` } }, select: "a" })),
        },
      },
      /lookup/,
    ],
    [
      "an unlimited expansion",
      alone(
        { list: { $use: "n0" } },
        { macros: named(4, (i) => (i < 3 ? { $use: times(32, () => `n${i + 1}`) } : {})) },
      ),
      /posts\.list.* too_large/,
    ],
  ];
  for (const [name, input, some] of rows) {
    const spent = cpuTime();
    const { faults } = parseRules(input, 1);
    const took = spent();
    t.ok(
      faults.some(({ path, code }) => some.test(`${path} ${code}`)),
      `${name}: ${faults[0]?.message.slice(0, 200)}`,
    );
    t.ok(faults.length <= 100 && JSON.stringify(faults).length < 300_000, `${name}: a short answer`);
    t.ok(took < 1000, `${name}: in ${took} ms`);
  }
  t.equal(({} as { list?: unknown }).list, undefined);
});
