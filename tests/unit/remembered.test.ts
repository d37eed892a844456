import t from "tap";
import { Faults } from "#protocol/errors";
import type { Definition } from "../../server/documents/definitions.ts";
import { parseFind } from "../../server/documents/requests.ts";
import { parseSchema } from "../../server/documents/schema/schema.ts";
import { Recent } from "../../server/recent.ts";
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
