import t from "tap";
import type { Node } from "#protocol/ast";
import { canonicalKey } from "#protocol/canonical";
import { Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { compileFilter } from "#protocol/match";
import { negate } from "#protocol/negate";
import { and, normalise } from "#protocol/normalise";
import { encodeValue } from "#protocol/values";
import { randomDocument, randomFilter } from "../support/filter-generator.ts";
import { Random } from "../support/trap-pool.ts";

const SEED = 20_261_105;

function parse(filter: unknown): Node {
  const faults = new Faults();
  const node = parseFilter(filter, "filter", faults);
  faults.throwIfAny();
  return node;
}

function keyOf(filter: unknown): string {
  return canonicalKey(normalise(parse(filter)));
}

const long = (text: string) => ({ $numberLong: text });
const times = <T>(count: number, item: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => item(i));

t.test("the canonical key is JSON text of nested arrays, pinned because clients and servers compare it", async (t) => {
  const rows: [filter: unknown, key: string][] = [
    [{}, '["true"]'],
    [{ a: { $in: [] } }, '["false"]'],
    [{ "a.b": 1 }, '["compare","eq","a.b",1]'],
    [{ a: { $gt: "é\0" } }, '["compare","gt","a","é\\u0000"]'],
    [{ a: { $lte: { $date: 0 } } }, '["compare","lte","a",{"$date":"1970-01-01T00:00:00.000Z"}]'],
    [{ a: { $lt: long("9007199254740993") } }, '["compare","lt","a",{"$numberLong":"9007199254740993"}]'],
    [
      { a: { $gte: { $binary: { base64: "AQI=", subType: "00" } } } },
      '["compare","gte","a",{"$binary":{"base64":"AQI=","subType":"00"}}]',
    ],
    [{ a: { $in: [2, 1, null] } }, '["in","a",[null,1,2]]'],
    [{ a: { $nin: ["y", "x"] } }, '["not",["in","a",["x","y"]]]'],
    [{ a: { $exists: false } }, '["not",["exists","a"]]'],
    [{ a: { $type: ["string", "bool", "string"] } }, '["type","a",["bool","string"]]'],
    [{ a: { $size: 2 } }, '["size","a",2]'],
    [{ a: { $mod: [4, -1] } }, '["mod","a",4,-1]'],
    [{ a: { $contains: 'a"b' } }, '["text","any","a","a\\"b"]'],
    [
      { a: { $elemMatch: { $gt: 1, $ne: 3 } } },
      '["elementValue","a",["compare","gt","",1],["not",["compare","eq","",3]]]',
    ],
    [{ a: { $elemMatch: { b: 1 } } }, '["elementObject","a",["compare","eq","b",1]]'],
    [{ b: 1, a: 1 }, '["and",["compare","eq","a",1],["compare","eq","b",1]]'],
    [{ $or: [{ b: 1 }, { a: 1 }] }, '["or",["compare","eq","a",1],["compare","eq","b",1]]'],
  ];
  for (const [filter, key] of rows) {
    t.equal(keyOf(filter), key);
    t.doesNotThrow(() => JSON.parse(key));
  }
});

t.test("filters that differ only in how they are written have one key", async (t) => {
  const rows: unknown[][] = [
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
      { $and: [{ b: 2 }, { a: 1 }, {}] },
      { $and: [{ $and: [{ a: 1 }] }, { b: { $eq: 2 } }] },
    ],
    [
      { a: 1 },
      { a: long("1") },
      { a: { $in: [1, long("1")] } },
      { $or: [{ a: 1 }, { a: { $in: [] } }] },
      { a: { $all: [1] } },
    ],
    [{ a: -0 }, { a: 0 }],
    [{ a: { x: [long("2")] } }, { a: { x: [2] } }],
    [
      { a: { $in: [1, 2, 3] } },
      { $or: [{ a: 3 }, { a: { $in: [2, 1] } }] },
      { $or: [{ $or: [{ a: 1 }, { a: 2 }] }, { a: 3 }] },
    ],
    [
      { a: { $ne: 1 } },
      { a: { $nin: [1] } },
      { $nor: [{ a: 1 }] },
      { a: { $not: { $eq: 1 } } },
      { a: { $not: { $not: { $ne: 1 } } } },
    ],
    [{ a: { $not: { $gt: 1, $lt: 5 } } }, { $or: [{ a: { $not: { $gt: 1 } } }, { a: { $not: { $lt: 5 } } }] }],
    [
      {},
      { $and: [{}] },
      { a: { $nin: [] } },
      { $or: [{ a: 1 }, {}] },
      { a: { $not: { $in: [] } } },
      { $nor: [{ a: { $in: [] } }] },
    ],
    [
      { a: { $in: [] } },
      { a: { $all: [] } },
      { $nor: [{}] },
      { b: 1, a: { $in: [] } },
      { a: { $elemMatch: { b: { $in: [] } } } },
    ],
    [{ a: { $type: ["null", "bool"] } }, { a: { $type: ["bool", "null", "bool"] } }],
    [{ a: { $date: "2026-01-31T11:00:00+01:00" } }, { a: { $date: 1_769_853_600_000 } }],
    [{ a: { $elemMatch: { $gt: 1, $lt: 5 } } }, { a: { $elemMatch: { $lt: long("5"), $gt: 1 } } }],
    [{ a: { $elemMatch: { $in: [2, 1, 2] } } }, { a: { $elemMatch: { $in: [1, 2] } } }],
    [{ a: { $elemMatch: { b: 1, c: 2 } } }, { a: { $elemMatch: { $and: [{ c: 2 }, { b: 1 }] } } }],
  ];
  for (const filters of rows) {
    t.strictSame(new Set(filters.map(keyOf)).size, 1, JSON.stringify(filters[0]));
  }
});

t.test("filters that differ have different keys", async (t) => {
  const filters = [
    { a: 1 },
    { a: "1" },
    { a: true },
    { a: [1] },
    { a: null },
    { a: { $exists: false } },
    { a: { x: 1, y: 2 } },
    { a: { y: 2, x: 1 } },
    { "a.b": 1 },
    { a: { b: 1 } },
    { a: 2 ** 53 },
    { a: long("9007199254740993") },
    { a: { $date: 1 } },
    { a: "1970-01-01T00:00:00.001Z" },
    { a: { $elemMatch: { $eq: 1 } } },
    { a: { $elemMatch: { $in: [1] } } },
    { a: { $elemMatch: { a: 1 } } },
    { a: { $all: [1, 2] } },
    { a: { $in: [1, 2] } },
    { a: [1, 2] },
    { a: { $startsWith: "x" } },
    { a: { $endsWith: "x" } },
    { a: { $contains: "x" } },
  ];
  t.equal(new Set(filters.map(keyOf)).size, filters.length);
});

t.test("equalities of an or join up to 256 values, and stay apart beyond", async (t) => {
  const or = (count: number) =>
    normalise(parse({ $or: times(2, (i) => ({ a: { $in: times(count / 2, (j) => i * 1000 + j) } })) }));
  t.match(or(256), { kind: "in" });
  t.match(or(258), { kind: "or", of: [{ kind: "in" }, { kind: "in" }] });
  t.match(normalise(parse({ $or: [{ a: 1 }, { b: 1 }, { a: 2 }] })), {
    kind: "or",
    of: [{ kind: "compare" }, { kind: "in" }],
  });
  const shared = times(200, String);
  t.match(
    normalise(parse({ $or: [{ a: { $in: shared } }, { a: { $in: [...shared, "x"] } }] })),
    { kind: "in" },
    "equals count once",
  );
});

t.test("and() joins a rule to a filter", async (t) => {
  const [filter, rule] = [parse({ status: "open" }), parse({ owner: "u1", status: "open" })];
  t.equal(canonicalKey(and(filter, rule)), keyOf({ owner: "u1", status: "open" }));
  t.equal(canonicalKey(and()), '["true"]');
  t.equal(canonicalKey(and(filter, parse({ $or: [{ a: { $in: [] } }] }))), '["false"]');
  t.ok(Object.isFrozen(and(filter, rule)));
});

function differs(what: string, ...inputs: unknown[]): Error {
  return new Error(`${what} (seed ${SEED}): ${inputs.map((input) => JSON.stringify(input)).join(" ")}`);
}

t.test("random filters keep their answers when normalised, rewritten, negated and joined", async (t) => {
  const random = new Random(SEED);
  const documents = times(40, () => randomDocument(random));
  for (let i = 0; i < 1500; i++) {
    const [one, two] = [randomFilter(random, 2), randomFilter(random, 2)];
    const [first, second] = [parse(one), parse(two)];
    const rewritten = parse({ $and: [{}, { $or: [one, { a: { $in: [] } }] }, one] });
    const same = canonicalKey(normalise(rewritten)) === canonicalKey(normalise(first));
    if (!same) throw differs("a rewritten filter has another key", one);
    const [isFirst, isSecond] = [compileFilter(first), compileFilter(second)];
    const [isNot, isBoth] = [compileFilter(normalise(negate(first))), compileFilter(and(first, second))];
    const negatedTwice = canonicalKey(normalise(negate(negate(first)))) === canonicalKey(normalise(first));
    if (!negatedTwice) throw differs("two negations differ from none", one);
    for (const document of documents) {
      if (isNot(document) === isFirst(document)) throw differs("negation", one, encodeValue(document));
      if (isBoth(document) !== (isFirst(document) && isSecond(document))) {
        throw differs("and", one, two, encodeValue(document));
      }
    }
  }
  t.pass("1,500 pairs of filters");
});
