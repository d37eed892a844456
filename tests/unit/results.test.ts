import t from "tap";
import { isCollectionName, parseBatch } from "#protocol/batch";
import { parseCap, parseLimit } from "#protocol/bound";
import { compare } from "#protocol/compare";
import { DistinctValues } from "#protocol/distinct";
import { Faults, GalleyError } from "#protocol/errors";
import { parseExpand, referencedIds } from "#protocol/expand";
import { normalNumbers } from "#protocol/normal-numbers";
import { parseSelect, project } from "#protocol/select";
import type { ObjectValue, Value } from "#protocol/values";
import { encodeValue } from "#protocol/values";
import { Random, TRAP_SCALARS, trapValue } from "../support/trap-pool.ts";

const SEED = 20_261_106;

function select(paths: unknown, document: ObjectValue): ObjectValue {
  const faults = new Faults();
  const parsed = parseSelect(paths, "select", faults);
  faults.throwIfAny();
  return project(document, parsed);
}

function distinct(path: string, documents: Iterable<ObjectValue>, max = 1000) {
  const values = new DistinctValues(path.split("."), max);
  for (const document of documents) values.add(document);
  return values.result();
}

function faultsOf(parse: (input: unknown, faults: Faults) => unknown, input: unknown): string[] {
  const faults = new Faults();
  parse(input, faults);
  return faults.list.map(({ path, code }) => `${path} ${code}`);
}

t.test("select keeps what its paths lead to, in stored order", async (t) => {
  const document = { z: 1, _id: "x", _v: 7, _createdAt: new Date(0), a: { c: 2, b: { d: 3, e: 4 } }, "10": true };
  const rows: [unknown, ObjectValue, ObjectValue][] = [
    [[], document, { _id: "x", _v: 7 }],
    [undefined, document, { _id: "x", _v: 7 }],
    [["a.b.d", "z", "missing"], document, { z: 1, _id: "x", _v: 7, a: { b: { d: 3 } } }],
    ["a.c,z", document, { z: 1, _id: "x", _v: 7, a: { c: 2 } }],
    [["a.b.d", "a", "a.b.e"], document, { _id: "x", _v: 7, a: document.a }],
    [["a", "a.b.d"], document, { _id: "x", _v: 7, a: document.a }],
    [["_createdAt", "_id"], document, { _id: "x", _v: 7, _createdAt: new Date(0) }],
    [["a.b"], { a: 5 }, {}],
    [["a.b"], { a: null }, {}],
    [["a.b"], { a: new Date(0) }, {}],
    [["a.b"], { a: new Uint8Array([1]) }, {}],
    [["a.b"], { a: { c: 1 } }, { a: {} }],
    [["a.b"], { a: [] }, { a: [] }],
    [
      ["a.b"],
      { a: [1, { b: 2, c: 3 }, [{ b: [4, { x: 5 }] }, 6, []], {}, null] },
      { a: [{ b: 2 }, [{ b: [4, { x: 5 }] }, []], {}] },
    ],
    [["a.b.c"], { a: { b: [{ c: 1, d: 2 }] } }, { a: { b: [{ c: 1 }] } }],
    [["toString", "valueOf"], { a: 1 }, {}],
  ];
  for (const [paths, value, expected] of rows) {
    t.equal(encodeValue(select(paths, value)), encodeValue(expected), JSON.stringify(paths));
  }
  t.equal(document.a.b.e, 4, "the document stays as it is");
});

t.test("a select is a list of at most 32 plain paths", async (t) => {
  const parse = (input: unknown, faults: Faults) => parseSelect(input, "select", faults);
  t.strictSame(
    faultsOf(
      parse,
      Array.from({ length: 32 }, (_, i) => `f${i}`),
    ),
    [],
  );
  t.strictSame(
    faultsOf(
      parse,
      Array.from({ length: 50_000 }, (_, i) => `f${i}`),
    ),
    ["select too_many_values"],
  );
  t.strictSame(faultsOf(parse, ["a.0", "_l", "$a", "__proto__", ""]), [
    "select.0 numeric_segment",
    "select.1 reserved_field",
    "select.2 bad_path",
    "select.3 bad_path",
    "select.4 bad_path",
  ]);
  for (const input of [null, { a: 1 }, 5, true]) t.strictSame(faultsOf(parse, input), ["select bad_operand"]);
});

t.test("distinct gives every value a path yields, arrays opened once, sorted", async (t) => {
  const values = (path: string, ...documents: ObjectValue[]) => distinct(path, documents).values;
  t.strictSame(values("a", { a: 2 }, { a: [1, 2, [3]] }, { a: [] }, { a: null }, {}), [null, 1, 2, [3]]);
  t.strictSame(values("a", { a: [[]] }), [[]]);
  t.strictSame(values("a.b", { a: [{ b: [1] }, { b: 2 }, {}, 5, [{ b: 9 }]] }, { a: 5 }, { a: {} }), [1, 2]);
  t.strictSame(values("a", { a: 1 }, { a: 1n }, { a: 2n ** 53n + 1n }, { a: { b: [3n] } }, { a: { b: [3] } }), [
    1,
    2n ** 53n + 1n,
    { b: [3] },
  ]);
  t.strictSame(values("a", { a: { x: 1, y: 2 } }, { a: { y: 2, x: 1 } }).length, 2, "key order is data");
  t.strictSame(
    values("a", { a: "\u{10000}" }, { a: "\uffff" }, { a: true }, { a: new Date(0) }, { a: new Uint8Array([7]) }),
    ["\uffff", "\u{10000}", new Uint8Array([7]), true, new Date(0)],
  );
});

t.test("distinct gives the least 1,000 and says when there are more", async (t) => {
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => ({ a: (i * 7919) % count }));
  t.strictSame(distinct("a", numbers(1000)).more, false);
  const over = distinct("a", numbers(1001));
  t.strictSame([over.more, over.values.length, over.values.at(-1)], [true, 1000, 999]);
  const far = distinct("a", [...numbers(50_000), ...numbers(50_000)]);
  t.strictSame([far.more, far.values.length, far.values[0], far.values.at(-1)], [true, 1000, 0, 999]);
  t.strictSame(distinct("a", [{ a: [null, null] }, { a: 1 }], 1), { values: [null], more: true });
});

t.test("distinct equals a plain computation over trap values", async (t) => {
  const random = new Random(SEED);
  const wrong: string[] = [];
  for (let round = 0; round < 150; round++) {
    const documents = Array.from({ length: 60 }, () => ({ a: trapValue(random, 3) }));
    const yielded = documents.flatMap(({ a }): Value[] => (Array.isArray(a) ? a : [a])).map(normalNumbers);
    const sorted = yielded
      .sort(compare)
      .filter((value, i, all) => i === 0 || compare(value, all[i - 1] as Value) !== 0);
    const max = random.pick([1, 2, 10, 40, 1000]);
    const result = distinct("a", documents, max);
    const right =
      encodeValue(result.values) === encodeValue(sorted.slice(0, max)) && result.more === sorted.length > max;
    if (!right) wrong.push(`round ${round} of seed ${SEED}`);
  }
  t.strictSame(wrong, []);
});

t.test("distinct refuses values that are together too large to hold", async (t) => {
  const text = "x".repeat(1024 * 1024);
  const error = t.throws(() =>
    distinct(
      "a",
      Array.from({ length: 20 }, (_, i) => ({ a: `${i}${text}` })),
    ),
  ) as unknown;
  t.ok(error instanceof GalleyError && error.code === "query_too_expensive");
  t.equal(
    distinct(
      "a",
      Array.from({ length: 40 }, () => ({ a: text })),
    ).values.length,
    1,
    "one value, held once",
  );
});

t.test("normal numbers leave a value without int64 as it is, and keep the order of keys", async (t) => {
  for (const value of [...TRAP_SCALARS.filter((scalar) => typeof scalar !== "bigint"), [1, { a: [2] }], {}]) {
    t.equal(normalNumbers(value), value);
  }
  t.equal(
    encodeValue(normalNumbers({ b: 1n, a: [2n ** 53n + 1n, { c: -3n }] })),
    '{"b":1,"a":[{"$numberLong":"9007199254740993"},{"c":-3}]}',
  );
});

t.test("limit and cap are integers in their bounds, and nothing is coerced", async (t) => {
  const limit = (input: unknown, faults: Faults) => parseLimit(input, "limit", faults);
  const cap = (input: unknown, faults: Faults) => parseCap(input, "cap", faults);
  const faults = new Faults();
  t.strictSame([parseLimit(undefined, "limit", faults), parseCap(undefined, "cap", faults)], [50, 10_000]);
  t.strictSame(
    [1, 1000].map((n) => parseLimit(n, "limit", faults)),
    [1, 1000],
  );
  t.strictSame(
    [1, 100_000].map((n) => parseCap(n, "cap", faults)),
    [1, 100_000],
  );
  t.strictSame(faults.list, []);
  for (const bad of [0, -1, 1.5, 1001, 1e9, NaN, Infinity, "10", null, true, [10], { $numberLong: "10" }, 10n]) {
    t.strictSame(faultsOf(limit, bad), ["limit bad_operand"], String(bad));
  }
  for (const bad of [0, 100_001, "1", null]) t.strictSame(faultsOf(cap, bad), ["cap bad_operand"], String(bad));
});

t.test("references are the ids that a path yields, each once", async (t) => {
  const path = ["team", "lead"];
  const documents: ObjectValue[] = [
    { team: { lead: "u2" } },
    { team: [{ lead: ["u1", "u2", "no id", "..", "", 7] }, { lead: "u3" }, "u4"] },
    { team: null },
    { team: { lead: { _id: "u5" } } },
  ];
  t.strictSame(referencedIds(documents, path), ["u2", "u1", "u3"]);
  t.strictSame(referencedIds(documents, path, 3), ["u2", "u1", "u3"]);
  t.throws(() => referencedIds(documents, path, 2), { code: "invalid_argument" });
  const many = Array.from({ length: 1000 }, (_, i) => ({ r: `u${i}` }));
  t.equal(referencedIds(many, ["r"]).length, 1000);
  t.equal(referencedIds([...many, { r: "u7" }], ["r"]).length, 1000);
  t.throws(() => referencedIds([...many, { r: "more" }], ["r"]), { code: "invalid_argument" });
  const expand = (input: unknown, faults: Faults) => parseExpand(input, "expand", faults);
  t.strictSame(parseExpand("author,team.lead", "expand", new Faults()), [["author"], path]);
  t.strictSame(faultsOf(expand, ["a", "b", "c", "d"]), []);
  t.strictSame(faultsOf(expand, ["a", "b", "c", "d", "e"]), ["expand too_many_values"]);
  t.strictSame(faultsOf(expand, ["$a", "_x"]), ["expand.0 bad_path", "expand.1 reserved_field"]);
});

t.test("a batch is read with its operations as they were sent", async (t) => {
  const operations = [
    { op: "create", collection: "posts", document: { a: 1 } },
    { op: "create", collection: "posts", id: "x", document: 5, ifVersion: 0 },
    { op: "set", collection: "p_-1", id: "x", document: {}, ifVersion: 7 },
    { op: "update", collection: "posts", id: "x", update: { $inc: { n: 1 } }, upsert: true },
    { op: "delete", collection: "posts", id: "x" },
    { op: "check", collection: "posts", id: "x", ifVersion: Number.MAX_SAFE_INTEGER },
  ];
  const faults = new Faults();
  t.strictSame(parseBatch({ operations }, faults), operations);
  t.strictSame(parseBatch({ operations: [] }, faults), []);
  const most = Array.from({ length: 500 }, () => ({ op: "delete", collection: "posts", id: "x" }));
  t.equal(parseBatch({ operations: most }, faults).length, 500);
  t.strictSame(faults.list, []);
  t.strictSame(faultsOf(parseBatch, { operations: [...most, {}] }), ["operations too_many_values"]);
});

t.test("a batch is refused for any operation that is not exactly one", async (t) => {
  const base = { collection: "posts", id: "x" };
  const refused: [unknown, string[]][] = [
    [null, ["operations.0 bad_operand"]],
    [[], ["operations.0 bad_operand"]],
    [{}, ["operations.0 bad_operand"]],
    [{ ...base, op: "drop" }, ["operations.0 bad_operand"]],
    [{ ...base, op: "toString" }, ["operations.0 bad_operand"]],
    [{ ...base, op: ["delete"] }, ["operations.0 bad_operand"]],
    [{ ...base, op: "delete", document: {} }, ["operations.0.document unknown_member"]],
    [{ ...base, op: "delete", upsert: true }, ["operations.0.upsert unknown_member"]],
    [{ ...base, op: "set", document: {}, upsert: true }, ["operations.0.upsert unknown_member"]],
    [
      { ...base, op: "set", update: {} },
      ["operations.0.update unknown_member", "operations.0.document missing_member"],
    ],
    [{ ...base, op: "update" }, ["operations.0.update missing_member"]],
    [{ ...base, op: "update", update: {}, upsert: 1 }, ["operations.0.upsert bad_operand"]],
    [{ ...base, op: "check" }, ["operations.0.ifVersion missing_member"]],
    [{ op: "delete", collection: "posts" }, ["operations.0.id missing_member"]],
    [{ op: "create", collection: "posts" }, ["operations.0.document missing_member"]],
    [{ op: "delete", id: "x" }, ["operations.0.collection missing_member"]],
    [{ ...base, op: "delete", collection: "_files" }, ["operations.0.collection bad_operand"]],
    [{ ...base, op: "delete", id: ".." }, ["operations.0.id bad_operand"]],
    [{ ...base, op: "delete", id: 5 }, ["operations.0.id bad_operand"]],
    ...[-1, 1.5, "1", null, 2 ** 53, NaN].map((ifVersion): [unknown, string[]] => [
      { ...base, op: "check", ifVersion },
      ["operations.0.ifVersion bad_operand"],
    ]),
    [
      JSON.parse('{"op":"delete","collection":"posts","id":"x","__proto__":{}}'),
      ["operations.0.__proto__ unknown_member"],
    ],
  ];
  for (const [operation, expected] of refused) {
    t.strictSame(faultsOf(parseBatch, { operations: [operation] }), expected, JSON.stringify(operation));
  }
  t.strictSame(faultsOf(parseBatch, { operations: [], more: 1 }), ["more unknown_member"]);
  t.strictSame(faultsOf(parseBatch, {}), ["operations missing_member"]);
  t.strictSame(faultsOf(parseBatch, { operations: { 0: {}, length: 1 } }), ["operations bad_operand"]);
  t.strictSame(faultsOf(parseBatch, []), ["body bad_operand", "operations missing_member"]);
  const last = { operations: [{ op: "delete", ...base }, { op: "delete" }] };
  t.strictSame(faultsOf(parseBatch, last), [
    "operations.1.collection missing_member",
    "operations.1.id missing_member",
  ]);
});

t.test("collection names are lower case, at most 63 characters, and never the server's", async (t) => {
  for (const name of ["a", "posts", "a-1_b", "z".repeat(63)]) t.ok(isCollectionName(name), name);
  for (const name of ["", "A", "1a", "_commits", "a.b", "a/b", "é", "a\n", "a'", "z".repeat(64), null, 5, ["a"]]) {
    t.notOk(isCollectionName(name), String(name));
  }
});
