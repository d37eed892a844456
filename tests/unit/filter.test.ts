import t from "tap";
import type { Node } from "#protocol/ast";
import { type Fault, type FaultCode, Faults } from "#protocol/errors";
import { parseElementMatch, parseFilter } from "#protocol/filter";
import { cpuTime } from "../support/cpu-time.ts";

type Tap = typeof t;

function faultsOf(filter: unknown): readonly Fault[] {
  const faults = new Faults();
  parseFilter(filter, "filter", faults);
  return faults.list;
}

function parse(filter: unknown): Node {
  const faults = new Faults();
  const node = parseFilter(filter, "filter", faults);
  faults.throwIfAny();
  return node;
}

/** Rows of a filter and where it is refused with which code. */
function refuses(
  t: Pick<Tap, "strictSame">,
  rows: readonly (readonly [filter: unknown, path: string, code: FaultCode])[],
): void {
  for (const [filter, path, code] of rows) {
    const found = faultsOf(filter).map((fault) => ({ path: fault.path, code: fault.code }));
    t.strictSame(found, [{ path, code }], JSON.stringify(filter)?.slice(0, 100));
  }
}

const eq = (path: string[], value: unknown) => ({ kind: "compare", op: "eq", path, value });

t.test("every operator is read into the AST", async (t) => {
  const rows: [filter: unknown, node: unknown][] = [
    [{}, { kind: "true" }],
    [{ a: 1 }, eq(["a"], 1)],
    [{ a: {} }, eq(["a"], {})],
    [{ "a.b": null }, eq(["a", "b"], null)],
    [{ a: { $date: 5 } }, eq(["a"], new Date(5))],
    [{ a: { $eq: { $numberLong: "1" } } }, eq(["a"], 1n)],
    [{ a: -0 }, eq(["a"], 0)],
    [{ a: { $ne: [1] } }, { kind: "not", of: eq(["a"], [1]) }],
    [{ a: { $in: [] } }, { kind: "in", path: ["a"], values: [] }],
    [{ a: { $nin: [1, "x"] } }, { kind: "not", of: { kind: "in", path: ["a"], values: [1, "x"] } }],
    [{ a: { $gt: 1, $lte: true } }, { kind: "and", of: [{ op: "gt" }, { op: "lte", value: true }] }],
    [{ a: { $exists: true } }, { kind: "exists", path: ["a"] }],
    [{ a: { $exists: false } }, { kind: "not", of: { kind: "exists", path: ["a"] } }],
    [{ a: { $type: "int64" } }, { kind: "type", classes: ["int64"] }],
    [{ a: { $type: ["null", "date"] } }, { kind: "type", classes: ["null", "date"] }],
    [{ a: { $size: 0 } }, { kind: "size", length: 0 }],
    [{ a: { $mod: [4, -0] } }, { kind: "mod", divisor: 4, remainder: 0 }],
    [{ a: { $startsWith: "x" } }, { kind: "text", at: "start", text: "x" }],
    [{ a: { $endsWith: "x" } }, { kind: "text", at: "end" }],
    [{ a: { $contains: "x" } }, { kind: "text", at: "any" }],
    [{ a: { $all: [] } }, { kind: "false" }],
    [{ a: { $all: ["x", 1] } }, { kind: "and", of: [eq(["a"], "x"), eq(["a"], 1)] }],
    [{ a: { $all: [{ $elemMatch: { b: 1 } }] } }, { kind: "and", of: [{ kind: "elementObject" }] }],
    [{ a: { $not: { $gt: 1, $lt: 5 } } }, { kind: "or", of: [{ kind: "not" }, { kind: "not" }] }],
    [{ a: { $not: { $not: { $size: 1 } } } }, { kind: "size" }],
    [
      { a: { $elemMatch: { $gt: 1, $ne: 3 } } },
      { kind: "elementValue", path: ["a"], of: [{ op: "gt", path: [] }, { kind: "not" }] },
    ],
    [{ a: { $elemMatch: { _x: 1 } } }, { kind: "elementObject", path: ["a"], of: eq(["_x"], 1) }],
    [{ a: { $elemMatch: { $or: [{ b: 1 }] } } }, { kind: "elementObject", of: { kind: "or", of: [eq(["b"], 1)] } }],
    [{ $nor: [{ a: 1, b: 2 }] }, { kind: "and", of: [{ kind: "or", of: [{ kind: "not" }, { kind: "not" }] }] }],
    [
      { $or: [{ a: 1 }], _id: "x" },
      { kind: "and", of: [{ kind: "or" }, eq(["_id"], "x")] },
    ],
  ];
  for (const [filter, node] of rows) t.match(parse(filter), node as object, JSON.stringify(filter));
});

t.test("a faulty operand is refused where it stands", async (t) => {
  const range = "filter.status.$gte";
  refuses(t, [
    [{ status: { $gte: {} } }, range, "bad_operand"],
    [{ status: { $gte: null } }, range, "bad_operand"],
    [{ status: { $gte: [1] } }, range, "bad_operand"],
    [{ status: { $gte: { $oid: "0" } } }, range, "unsupported_value"],
    [{ a: { $in: 1 } }, "filter.a.$in", "bad_operand"],
    [{ a: { $in: { 0: 1, length: 1 } } }, "filter.a.$in", "bad_operand"],
    [{ a: { $nin: [1, { $gt: 1 }] } }, "filter.a.$nin.1", "bad_value"],
    [{ a: { $exists: 1 } }, "filter.a.$exists", "bad_operand"],
    [{ a: { $type: "int" } }, "filter.a.$type", "bad_operand"],
    [{ a: { $type: [] } }, "filter.a.$type", "bad_operand"],
    [{ a: { $type: ["null", 2] } }, "filter.a.$type", "bad_operand"],
    [{ a: { $type: "__proto__" } }, "filter.a.$type", "bad_operand"],
    [{ a: { $size: -1 } }, "filter.a.$size", "bad_operand"],
    [{ a: { $size: 1.5 } }, "filter.a.$size", "bad_operand"],
    [{ a: { $size: "1" } }, "filter.a.$size", "bad_operand"],
    [{ a: { $mod: [0, 1] } }, "filter.a.$mod", "bad_operand"],
    [{ a: { $mod: [-0, 1] } }, "filter.a.$mod", "bad_operand"],
    [{ a: { $mod: [2] } }, "filter.a.$mod", "bad_operand"],
    [{ a: { $mod: [2, 1, 0] } }, "filter.a.$mod", "bad_operand"],
    [{ a: { $mod: [2 ** 53, 0] } }, "filter.a.$mod", "bad_operand"],
    [{ a: { $startsWith: "" } }, "filter.a.$startsWith", "bad_operand"],
    [{ a: { $contains: ["x"] } }, "filter.a.$contains", "bad_operand"],
    [{ a: { $endsWith: "\ud800" } }, "filter.a.$endsWith", "bad_value"],
    [{ a: { $all: "x" } }, "filter.a.$all", "bad_operand"],
    [{ a: { $all: [1, { $elemMatch: { b: 1 } }] } }, "filter.a.$all", "bad_operand"],
    [{ a: { $all: [{ $gt: 1 }] } }, "filter.a.$all.0", "bad_value"],
    [{ a: { $not: {} } }, "filter.a.$not", "bad_operand"],
    [{ a: { $not: 1 } }, "filter.a.$not", "bad_operand"],
    [{ a: { $not: { b: 1 } } }, "filter.a.$not", "bad_operand"],
    [{ a: { $not: [{ $gt: 1 }] } }, "filter.a.$not", "bad_operand"],
    [{ a: { $elemMatch: {} } }, "filter.a.$elemMatch", "bad_operand"],
    [{ a: { $elemMatch: [{ b: 1 }] } }, "filter.a.$elemMatch", "bad_operand"],
    [{ $and: [] }, "filter.$and", "bad_operand"],
    [{ $or: { 0: { a: 1 }, length: 1 } }, "filter.$or", "bad_operand"],
    [{ $nor: [{ a: 1 }, 7] }, "filter.$nor.1", "bad_operand"],
    [{ $and: [[{ a: 1 }]] }, "filter.$and.0", "bad_operand"],
    [null, "filter", "bad_operand"],
    [[], "filter", "bad_operand"],
    ["{}", "filter", "bad_operand"],
    [undefined, "filter", "bad_operand"],
  ]);
});

t.test("an operator that is not of the language is named, wherever it stands", async (t) => {
  refuses(t, [
    [{ $where: "sleep(5000)" }, "filter.$where", "unknown_operator"],
    [{ $or: [{ $where: "1" }] }, "filter.$or.0.$where", "unknown_operator"],
    [{ a: { $not: { $where: "1" } } }, "filter.a.$not.$where", "unknown_operator"],
    [{ a: { $elemMatch: { $where: "1" } } }, "filter.a.$elemMatch.$where", "unknown_operator"],
    [{ a: { $elemMatch: { b: { $where: "1" } } } }, "filter.a.$elemMatch.b.$where", "unknown_operator"],
    [{ a: { $elemMatch: { b: 1, $expr: {} } } }, "filter.a.$elemMatch.$expr", "unknown_operator"],
    [{ $expr: { $function: {} } }, "filter.$expr", "unknown_operator"],
    [{ $comment: "x" }, "filter.$comment", "unknown_operator"],
    [{ $eq: 1 }, "filter.$eq", "unknown_operator"],
    [{ $not: { a: 1 } }, "filter.$not", "unknown_operator"],
    [{ a: { $and: [{ $gt: 1 }] } }, "filter.a.$and", "unknown_operator"],
    [{ a: { $toString: 1 } }, "filter.a.$toString", "unknown_operator"],
    [{ a: { $elemMatch: { $gt: 1, $not: { $lt: 1 } } } }, "filter.a.$elemMatch.$not", "unknown_operator"],
    [{ a: { $elemMatch: { $exists: true } } }, "filter.a.$elemMatch.$exists", "unknown_operator"],
    [{ a: { $elemMatch: { $all: [1] } } }, "filter.a.$elemMatch.$all", "unknown_operator"],
    [{ a: { $elemMatch: { $gt: 1, $or: [] } } }, "filter.a.$elemMatch.$or", "unknown_operator"],
    [{ a: { $elemMatch: { $contains: "a", $endsWith: "b" } } }, "filter.a.$elemMatch.$endsWith", "bad_operand"],
    [{ a: { $regex: "^a" } }, "filter.a.$regex", "not_available_yet"],
    [{ a: { $elemMatch: { $regex: "^a" } } }, "filter.a.$elemMatch.$regex", "not_available_yet"],
    [{ $search: "quick" }, "filter.$search", "not_available_yet"],
    [{ a: { $geoWithin: {} } }, "filter.a.$geoWithin", "not_available_yet"],
    [{ a: { $near: [1, 2] } }, "filter.a.$near", "not_available_yet"],
    [{ a: { $numberDecimal: "1" } }, "filter.a", "unsupported_value"],
    [{ a: { $gt: 1, a: 2 } }, "filter.a", "mixed_object"],
    [{ a: { a: 2, $gt: 1 } }, "filter.a", "mixed_object"],
    [JSON.parse('{"a":{"$gt":1,"0":2}}'), "filter.a", "mixed_object"],
    [{ a: { $elemMatch: { $gt: 1, b: 2 } } }, "filter.a.$elemMatch", "mixed_object"],
  ]);
});

t.test("a path is a legal name that is not the server's", async (t) => {
  refuses(t, [
    [{ "": 1 }, "filter.", "bad_path"],
    [{ "a..b": 1 }, "filter.a..b", "bad_path"],
    [{ "a.$x": 1 }, "filter.a.$x", "bad_path"],
    [{ "a.__proto__.b": 1 }, "filter.a.__proto__.b", "bad_path"],
    [JSON.parse('{"__proto__":{"$gt":1}}'), "filter.__proto__", "bad_path"],
    [JSON.parse('{"a":{"__proto__":1}}'), "filter.a.__proto__", "bad_value"],
    [{ constructor: 1 }, "filter.constructor", "bad_path"],
    [{ "a\0": 1 }, "filter.a\0", "bad_path"],
    [{ "\ud800": 1 }, "filter.\ud800", "bad_path"],
    [{ _l: 1 }, "filter._l", "reserved_field"],
    [{ "_s.a": 1 }, "filter._s.a", "reserved_field"],
    [{ $or: [{ a: 1, _secret: 1 }] }, "filter.$or.0._secret", "reserved_field"],
  ]);
});

t.test("every fault is told at once, and says what was expected", async (t) => {
  const found = faultsOf({ status: { $gte: { a: 1 } }, _x: 1, $or: [{ a: { $foo: 1, $in: 3 } }, "b"] });
  t.strictSame(
    found.map((fault) => `${fault.path} ${fault.code}`),
    [
      "filter.status.$gte bad_operand",
      "filter._x reserved_field",
      "filter.$or.0.a.$foo unknown_operator",
      "filter.$or.0.a.$in bad_operand",
      "filter.$or.1 bad_operand",
    ],
  );
  t.equal(found[0]?.message, "filter.status.$gte: expects a number, string, date, bool or binary, got an object");
});

/** A filter nested so deep by `wrap`, around `core`. */
function nest(levels: number, core: unknown, wrap: (inner: unknown) => unknown): unknown {
  let filter = core;
  for (let i = 0; i < levels; i++) filter = wrap(filter);
  return filter;
}
const times = <T>(count: number, item: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => item(i));
const fields = (count: number) => Object.fromEntries(times(count, (i) => [`f${i}`, 1]));

t.test("each limit holds at its edge", async (t) => {
  const and = (levels: number) => nest(levels, { a: 1 }, (inner) => ({ $and: [inner] }));
  const not = (levels: number) => ({ a: nest(levels, { $gt: 1 }, (inner) => ({ $not: inner })) });
  const element = (levels: number) => nest(levels, { a: 1 }, (inner) => ({ a: { $elemMatch: inner } }));
  const value = (levels: number) => ({ a: nest(levels, { $gt: 1 }, (inner) => ({ $elemMatch: inner })) });
  const path = (segments: number) => ({ [times(segments, () => "a").join(".")]: 1 });
  const text = (length: number) => ({ a: "x".repeat(length - '{"a":""}'.length) });
  const rows: [name: string, ok: unknown, over: unknown, code: FaultCode][] = [
    ["depth of $and", and(8), and(9), "too_deep"],
    ["depth of $not", not(8), not(9), "too_deep"],
    ["depth of $elemMatch", element(8), element(9), "too_deep"],
    ["depth of the value form", value(8), value(9), "too_deep"],
    [
      "depth through $all",
      { a: { $all: [{ $elemMatch: element(7) }] } },
      { a: { $all: [{ $elemMatch: element(8) }] } },
      "too_deep",
    ],
    ["literals", fields(100), fields(101), "too_many_nodes"],
    ["operators", { $and: [fields(99)] }, { $and: [fields(100)] }, "too_many_nodes"],
    ["branches", { $or: times(32, () => ({ a: 1 })) }, { $or: times(33, () => ({ a: 1 })) }, "too_many_branches"],
    ["$all", { a: { $all: times(32, String) } }, { a: { $all: times(33, String) } }, "too_many_branches"],
    ["$in", { a: { $in: times(256, String) } }, { a: { $in: times(257, String) } }, "too_many_values"],
    ["$nin", { a: { $nin: times(256, String) } }, { a: { $nin: times(257, String) } }, "too_many_values"],
    ["text operand", { a: { $contains: "x".repeat(256) } }, { a: { $contains: "x".repeat(257) } }, "too_long"],
    ["text in characters", { a: { $contains: "😀".repeat(256) } }, { a: { $contains: "😀".repeat(257) } }, "too_long"],
    ["segments", path(16), path(17), "bad_path"],
    ["path bytes", { ["é".repeat(256)]: 1 }, { [`${"é".repeat(256)}a`]: 1 }, "bad_path"],
    ["bytes", text(16 * 1024), text(16 * 1024 + 1), "too_long"],
    ["bytes in all", { b: 1, ...text(16 * 1024 - 6) }, { b: 1, ...text(16 * 1024 - 5) }, "too_long"],
  ];
  for (const [name, ok, over, code] of rows) {
    t.strictSame(faultsOf(ok), [], `${name}: the most`);
    t.match(
      faultsOf(over).map((fault) => fault.code),
      [code],
      `${name}: one more`,
    );
  }
});

t.test("hostile input is refused fast, with few words and without a deep call", async (t) => {
  const deep = (levels: number) => nest(levels, { a: 1 }, (inner) => ({ $and: [inner] }));
  const rows: [name: string, filter: unknown, code: FaultCode][] = [
    ["$and 50 deep", deep(50), "too_deep"],
    ["$and 100,000 deep", deep(100_000), "too_deep"],
    ["$not 100,000 deep", { a: nest(100_000, { $gt: 1 }, (inner) => ({ $not: inner })) }, "too_deep"],
    ["$elemMatch 100,000 deep", { a: nest(100_000, { $gt: 1 }, (inner) => ({ $elemMatch: inner })) }, "too_deep"],
    ["a literal 33 deep", { a: nest(33, 1, (inner) => [inner]) }, "too_deep"],
    ["a literal 100,000 deep", { a: nest(100_000, 1, (inner) => [inner]) }, "too_long"],
    ["objects 100,000 deep in $in", { a: { $in: [nest(100_000, 1, (inner) => ({ k: inner }))] } }, "too_long"],
    ["a million $in values", { a: { $in: times(1_000_000, (i) => i) } }, "too_many_values"],
    ["100,000 branches", { $or: times(100_000, () => ({ a: 1 })) }, "too_many_branches"],
    ["100,000 fields", fields(100_000), "too_many_nodes"],
    ["100,000 unknown operators", Object.fromEntries(times(100_000, (i) => [`$x${i}`, 1])), "unknown_operator"],
    ["100,000 unknown tests", { a: Object.fromEntries(times(100_000, (i) => [`$x${i}`, 1])) }, "unknown_operator"],
    ["a key of 1 MB", { [`$${"x".repeat(1_000_000)}`]: 1 }, "unknown_operator"],
    ["a path of 10,000 segments", { [times(10_000, () => "a").join(".")]: 1 }, "bad_path"],
  ];
  for (const [name, filter, code] of rows) {
    const spent = cpuTime();
    const found = faultsOf(filter);
    const took = spent();
    t.equal(found[0]?.code, code, name);
    t.ok(found.length <= 100 && JSON.stringify(found).length < 100_000, `${name}: a short answer`);
    t.ok(took < 250, `${name}: in ${took} ms`);
  }
});

t.test("the AST is frozen and shares nothing with the input, which is not changed", async (t) => {
  const filter = { a: { $in: [{ k: [{ $date: 5 }] }, [1]] }, "b.c": { $elemMatch: { x: { deep: [1] } } } };
  const before = structuredClone(filter);
  const node = parse(filter);
  t.strictSame(filter, before);
  t.strictSame(parse(filter), node, "it can be read again");
  const seen: unknown[] = [node];
  for (const item of seen) {
    if (typeof item !== "object" || item === null || item instanceof Date) continue;
    t.ok(Object.isFrozen(item), JSON.stringify(item));
    seen.push(...Object.values(item));
  }
});

t.test("an $elemMatch operand that stands alone has the limits of a filter", async (t) => {
  const codes = (operand: unknown) => {
    const faults = new Faults();
    const node = parseElementMatch(operand, "update.$pull.a", faults);
    t.equal(node === undefined, faults.any);
    return faults.list.map((fault) => `${fault.path} ${fault.code}`);
  };
  t.strictSame(codes({ score: { $lt: 5 } }), []);
  t.strictSame(codes(5), ["update.$pull.a bad_operand"]);
  t.strictSame(codes({ b: { $foo: 1 } }), ["update.$pull.a.b.$foo unknown_operator"]);
  t.strictSame(codes({ b: "x".repeat(17_000) }), ["update.$pull.a.b too_long"]);
});
