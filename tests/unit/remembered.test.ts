import t from "tap";
import type { Node } from "#protocol/ast";
import { Faults } from "#protocol/errors";
import { memberReader } from "#protocol/members-of-text";
import { encodeValue, type ObjectValue, type Value } from "#protocol/values";
import type { Definition } from "../../server/documents/definitions.ts";
import { createPageEnds } from "../../server/documents/page-ends.ts";
import { parseFind } from "../../server/documents/requests.ts";
import { parseSchema } from "../../server/documents/schema/schema.ts";
import { Recent, RecentPairs } from "../../server/recent.ts";
import type { Row } from "../../server/stores/document-store.ts";
import { createPlanMemo } from "../../server/stores/plan-memo.ts";
import { readParameters } from "../../server/transport/parameters.ts";

/** What is kept between requests that ask the same, and that it never answers for another question. */
t.test("recent entries stay, old ones go, and there are never more than two generations", async (t) => {
  const recent = new Recent<number, number>(10);
  for (let n = 0; n < 1000; n++) {
    recent.set(n, n);
    t.equal(recent.get(0), 0, "what is asked for often stays");
  }
  const held = Array.from({ length: 1000 }, (_, n) => recent.get(n)).filter((value) => value !== undefined);
  t.ok(held.length <= 20, `${held.length} are held`);
  t.equal(recent.get(999), 999);
  t.equal(recent.get(500), undefined);
});

t.test("recent pairs belong together, and old ones go", async (t) => {
  const recent = new RecentPairs<object, object, number>(10);
  const [a, b, other] = [{}, {}, {}];
  recent.set(a, b, 1);
  t.equal(recent.get(a, b), 1);
  t.equal(recent.get(b, a), undefined);
  t.equal(recent.get(a, other), undefined);
  const pairs = Array.from({ length: 100 }, () => [{}, {}] as const);
  for (const [n, [one, two]] of pairs.entries()) {
    recent.set(one, two, n);
    recent.get(a, b);
  }
  t.equal(recent.get(a, b), 1, "what is asked for often stays");
  const held = pairs.filter(([one, two]) => recent.get(one, two) !== undefined);
  t.ok(held.length <= 20, `${held.length} are held`);
});

t.test("a page that ends where it did has its cursor at hand, and no other question has", async (t) => {
  let written = 0;
  const ends = createPageEnds({ write: ({ collection }, keys) => `${++written} ${collection} ${keys.join()}` });
  const { filter, sort } = parseFind({ filter: { a: 1 }, sort: ["n"] }, undefined);
  const rule = parseFind({ filter: { a: 1 } }, undefined).filter;
  const question = { collection: "posts", filter, sort };
  const rowOf = (n: number, more = "") => {
    const text = `{"_id":"x${n}","_v":1,"n":${n},"text":"${more}"}`;
    return { id: `x${n}`, version: 1, text, value: { _id: `x${n}`, _v: 1, n, text: more } } as unknown as Row;
  };
  const next = (asked: Partial<typeof question>, judged: Node, n: number, more?: string) =>
    ends.next({ ...question, ...asked }, judged, [rowOf(0), rowOf(n, more)]).next;
  t.equal(next({}, filter, 1), "1 posts 1,x1");
  t.equal(next({}, filter, 1), "1 posts 1,x1");
  t.equal(next({}, filter, 2), "2 posts 2,x2", "another row");
  t.equal(next({}, rule, 2), "3 posts 2,x2", "other rights");
  t.equal(next({ filter: rule }, rule, 2), "4 posts 2,x2", "another filter that comes to the same");
  t.equal(next({ collection: "others" }, rule, 2), "5 others 2,x2", "another collection");
  const descending = parseFind({ sort: ["-n"] }, undefined).sort;
  t.equal(next({ sort: descending }, rule, 2), "6 posts 2,x2", "another sort");
  const long = "x".repeat(2000);
  t.equal(next({}, filter, 3, long), "7 posts 3,x3");
  t.equal(next({}, filter, 3, long), "8 posts 3,x3", "a long document is not kept");
  t.same(ends.next(question, filter, []), {});
});

t.test("a query that came before is known for its route alone", async (t) => {
  const list = ["filter", "sort", "after"] as const;
  const one = ["select"] as const;
  const known = readParameters("/v1/documents/posts?sort=a", list);
  t.equal(readParameters("/v1/documents/others?sort=a", list), known);
  t.ok(Object.isFrozen(known));
  t.throws(() => readParameters("/v1/documents/posts/1?sort=a", one), { code: "invalid_argument" });
  t.throws(() => readParameters("/v1/documents/posts?sort=a&sort=a", list), { code: "invalid_argument" });
  const filter = encodeURIComponent('{"a":1}');
  const first = readParameters(`/v1/documents/posts?filter=${filter}&sort=a`, list);
  for (const query of [`filter=${filter}&after=x-1.y_2&sort=a`, `filter=${filter}&sort=a&after=x-1.y_2`]) {
    const behind = readParameters(`/v1/documents/posts?${query}`, list);
    t.same(behind, { filter: { a: 1 }, sort: ["a"], after: "x-1.y_2" });
    t.equal(behind.filter, first.filter, "what stands around a cursor is known");
    t.ok(Object.isFrozen(behind));
  }
  t.same(readParameters("/v1/documents/posts?after=x&sort=a", list), { sort: ["a"], after: "x" });
  t.same(readParameters("/v1/documents/posts?after=x", list), { after: "x" });
  t.equal(readParameters("/v1/documents/posts?sort=a", list), known, "and is asked without a cursor still");
  for (const query of ["sort=a&after=x&after=y", "sort=a&af%74er=x&after=y", "sort=a&after=x&sort=a"]) {
    t.throws(() => readParameters(`/v1/documents/posts?${query}`, list), { code: "invalid_argument" }, query);
  }
  t.throws(() => readParameters("/v1/documents/posts?after=x", one), { code: "invalid_argument" });
  t.same(readParameters("/v1/documents/posts?sort=a&after=x%20y", list), { sort: ["a"], after: "x y" });
  t.throws(() => readParameters("/v1/documents/posts?sort=a#b", list), { code: "invalid_argument" });
});

t.test("members are read from a text as the whole document has them", async (t) => {
  const documents: ObjectValue[] = [
    { _id: "a", author: 'a "quoted" \\ name', n: 1, at: new Date(0), list: [{ author: "no" }, "],}"], s: "\\" },
    { _id: "b", n: -1.5e300, author: "", at: null, list: [], nested: { author: "inner", s: "}" } },
    { _id: "c", list: [[1], { a: { b: "]" } }], author: { s: "x" }, s: "é\u2028", at: 9007199254740993n },
    { "7": "first", _id: "d", author: true, at: new Uint8Array([1, 2]), n: "1" },
  ];
  const names = ["author", "n", "at", "list", "s"];
  const differing = documents.flatMap((document) =>
    names.concat("7").filter((name) => {
      const read = memberReader([[name]])(encodeValue(document));
      return encodeValue(read) !== encodeValue(name in document ? { [name]: document[name] as Value } : {});
    }),
  );
  t.same(differing, []);
  const all = memberReader(names.map((name) => [name]));
  for (const document of documents) {
    const read = all(encodeValue(document));
    t.same(Object.keys(read).sort(), names.filter((name) => name in document).sort());
  }
});

t.test("the same text of a parameter gives the same frozen value", async (t) => {
  const url = `/v1/documents/posts?filter=${encodeURIComponent('{"a":{"$in":[1,{"b":2}]}}')}&sort=-a,b&limit=3`;
  const [one, two] = [url, url].map((text) => readParameters(text, ["filter", "sort", "limit"]));
  t.equal(one?.filter, two?.filter);
  t.equal(one?.sort, two?.sort);
  const filter = one?.filter as { a: { $in: [number, object] } };
  for (const part of [filter, filter.a, filter.a.$in, filter.a.$in[1], one?.sort]) t.ok(Object.isFrozen(part));
  t.throws(() => readParameters("/x?filter={", ["filter"]), { code: "invalid_argument" });
  t.throws(() => readParameters("/x?filter={", ["filter"]), { code: "invalid_argument" }, "a fault is told each time");
});

t.test("a frozen filter is parsed once for each schema and each way to read it", async (t) => {
  const filter = Object.freeze({ at: "2024-01-01T00:00:00Z" });
  const open = parseFind({ filter }, undefined);
  t.equal(parseFind({ filter }, undefined).filter, open.filter);

  const schema = parseSchema({ type: "object", properties: { at: { date: true } } }, "schema", new Faults());
  const dated = { schema } as unknown as Definition;
  t.throws(() => parseFind({ filter }, dated), { code: "invalid_argument" }, "text where the schema has a date");
  const plain = parseFind({ filter, plain: true }, dated).filter;
  t.not(plain, open.filter);
  t.match(plain, { kind: "compare", value: new Date("2024-01-01T00:00:00Z") });
  t.equal(parseFind({ filter, plain: true }, dated).filter, plain);
  t.strictSame(parseFind({ filter }, undefined).filter, open.filter, "and back again");
});

t.test("a filter that may change is read anew", async (t) => {
  const filter: Record<string, number> = { a: 1 };
  const before = parseFind({ filter }, undefined).filter;
  filter.a = 2;
  t.notSame(parseFind({ filter }, undefined).filter, before);
});

t.test("a plan is remembered for one filter, sort and list of indexes", async (t) => {
  const memo = createPlanMemo();
  const { filter, sort } = parseFind({ filter: { a: 1 }, sort: ["b"] }, undefined);
  const none: never[] = [];
  const keys = ["a", "b"].map((path) => ({ path: [path], descending: false }));
  const indexes = [{ keys, unique: false, ready: true, multikey: [false, false] }];
  t.equal(memo.plan(filter, sort, none), memo.plan(filter, sort, none));
  t.equal(memo.plan(filter, sort, none).access.kind, "scan");
  t.equal(memo.plan(filter, sort, indexes).access.kind, "index");
  t.equal(memo.plan(filter, undefined, indexes).ordered, false);
  t.equal(memo.plan(filter, sort, indexes).ordered, true);
});
