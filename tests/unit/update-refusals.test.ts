import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { type Fault, Faults } from "#protocol/errors";
import { applyUpdate, parseUpdate } from "#protocol/update";
import type { Change, Update } from "#protocol/update-ast";
import { decodeValue, encodeValue, type ObjectValue } from "#protocol/values";

const CONTEXT = { now: new Date(0), inserting: false };

function faultsOf(update: unknown): Fault[] {
  const faults = new Faults();
  parseUpdate(update, "update", faults);
  return faults.list;
}

function apply(update: Update, document: ObjectValue): ObjectValue {
  return applyUpdate(update, document, CONTEXT);
}

t.test("a faulty update names the path and what was expected", async (t) => {
  const rows: [update: unknown, path: string, code: string][] = [
    [null, "update", "bad_value"],
    [[], "update", "bad_value"],
    ["x", "update", "bad_value"],
    [{ a: 1, $set: { b: 1 } }, "update", "mixed_object"],
    [{ a: 1, $arrayFilters: {} }, "update", "mixed_object"],
    [{ $bit: { a: 1 } }, "update.$bit", "unknown_operator"],
    [{ $currentDate: { a: true } }, "update.$currentDate", "unknown_operator"],
    [{ $where: "1" }, "update.$where", "unknown_operator"],
    [{ constructor: 1 }, "update.constructor", "bad_path"],
    [JSON.parse('{"__proto__": {"a": 1}}'), "update.__proto__", "bad_path"],
    [{ "a.__proto__.b": 1 }, "update.a.__proto__.b", "bad_path"],
    [{ $set: 1 }, "update.$set", "bad_operand"],
    [{ $set: [] }, "update.$set", "bad_operand"],
    [{ $set: { "": 1 } }, "update.$set.", "bad_path"],
    [{ $set: { "a..b": 1 } }, "update.$set.a..b", "bad_path"],
    [{ $set: { ".a": 1 } }, "update.$set..a", "bad_path"],
    [{ $set: { "a.": 1 } }, "update.$set.a.", "bad_path"],
    [{ $set: { "a\0b": 1 } }, "update.$set.a\0b", "bad_path"],
    [{ $set: { "a\ud800": 1 } }, "update.$set.a\ud800", "bad_path"],
    [{ $set: { $where: 1 } }, "update.$set.$where", "bad_path"],
    [{ $set: { "a.$": 1 } }, "update.$set.a.$", "bad_path"],
    [{ $set: { "a.$x": 1 } }, "update.$set.a.$x", "bad_path"],
    [{ $set: { "$[]": 1 } }, "update.$set.$[]", "bad_path"],
    [{ $set: { "$[].a": 1 } }, "update.$set.$[].a", "bad_path"],
    [{ $set: { "a.$[x]": 1 } }, "update.$set.a.$[x]", "bad_path"],
    [{ "a.$[toString]": 1 }, "update.a.$[toString]", "bad_path"],
    [{ _id: "x" }, "update._id", "reserved_field"],
    [{ $inc: { _v: 1 } }, "update.$inc._v", "reserved_field"],
    [{ $unset: ["_createdAt"] }, "update.$unset", "reserved_field"],
    [{ $rename: { a: "_l" } }, "update.$rename.a", "reserved_field"],
    [{ $rename: { _id: "a" } }, "update.$rename._id", "reserved_field"],
    [{ $unset: { a: 1 } }, "update.$unset", "bad_operand"],
    [{ $unset: [1] }, "update.$unset", "bad_operand"],
    [{ $now: "a" }, "update.$now", "bad_operand"],
    [{ $inc: { a: "1" } }, "update.$inc.a", "bad_operand"],
    [{ $inc: { a: null } }, "update.$inc.a", "bad_operand"],
    [{ $mul: { a: { $date: 0 } } }, "update.$mul.a", "bad_operand"],
    [{ $inc: { a: { $numberLong: "9223372036854775808" } } }, "update.$inc.a", "bad_value"],
    [{ $inc: { a: Number.POSITIVE_INFINITY } }, "update.$inc.a", "bad_value"],
    [{ $set: { a: { $inc: 1 } } }, "update.$set.a", "bad_value"],
    [{ a: { b: { $oid: "x" } } }, "update.a.b", "unsupported_value"],
    [{ a: { _bsontype: "Code" } }, "update.a._bsontype", "bad_value"],
    [{ $push: { a: { $each: 1 } } }, "update.$push.a.$each", "bad_operand"],
    [{ $push: { a: { $position: 1 } } }, "update.$push.a.$each", "bad_operand"],
    [{ $push: { a: { $each: [], $position: 1.5 } } }, "update.$push.a.$position", "bad_operand"],
    [{ $push: { a: { $each: [], $slice: "1" } } }, "update.$push.a.$slice", "bad_operand"],
    [{ $push: { a: { $each: [], $slice: null } } }, "update.$push.a.$slice", "bad_operand"],
    [{ $push: { a: { $each: [], $sort: 2 } } }, "update.$push.a.$sort", "bad_operand"],
    [{ $push: { a: { $each: [], $sort: { s: 1 } } } }, "update.$push.a.$sort", "bad_operand"],
    [{ $push: { a: { $each: [], $sort: [1] } } }, "update.$push.a.$sort.0", "bad_operand"],
    [{ $push: { a: { $each: [], $sort: ["s.0"] } } }, "update.$push.a.$sort.0", "numeric_segment"],
    [{ $push: { a: { $each: [], $sort: ["a", "b", "c", "d", "e"] } } }, "update.$push.a.$sort", "too_many_values"],
    [{ $push: { a: { $each: [], $set: 1 } } }, "update.$push.a.$set", "unknown_operator"],
    [{ $push: { a: { $each: [], b: 1 } } }, "update.$push.a", "mixed_object"],
    [{ $addToSet: { a: { $each: [], $slice: 1 } } }, "update.$addToSet.a.$slice", "unknown_operator"],
    [{ $pull: { a: {} } }, "update.$pull.a", "bad_operand"],
    [{ $pull: { a: { $where: "1" } } }, "update.$pull.a.$where", "unknown_operator"],
    [{ $pull: { a: { b: { $foo: 1 } } } }, "update.$pull.a.b.$foo", "unknown_operator"],
    [{ $pull: { a: { $regex: "(a+)+$" } } }, "update.$pull.a.$regex", "not_available_yet"],
    [{ $pullAll: { a: 1 } }, "update.$pullAll.a", "bad_operand"],
    [{ $pop: { a: 2 } }, "update.$pop.a", "bad_operand"],
    [{ $pop: { a: true } }, "update.$pop.a", "bad_operand"],
    [{ $rename: { a: 1 } }, "update.$rename.a", "bad_operand"],
    [{ $rename: { "a.$[]": "b" } }, "update.$rename.a.$[]", "bad_path"],
    [{ $rename: { a: "b.$[]" } }, "update.$rename.a", "bad_path"],
    [{ $set: { a: 1 }, $arrayFilters: [] }, "update.$arrayFilters", "bad_operand"],
    [{ $set: { a: 1 }, $arrayFilters: { x: { a: 1 } } }, "update.$arrayFilters.x", "bad_operand"],
    [{ $set: { "a.$[x]": 1 }, $arrayFilters: { x: 1 } }, "update.$arrayFilters.x", "bad_operand"],
    [{ $set: { "a.$[x]": 1 }, $arrayFilters: { x: {} } }, "update.$arrayFilters.x", "bad_operand"],
    [{ $set: { a: 1 }, $arrayFilters: { "x.y": { a: 1 } } }, "update.$arrayFilters", "bad_operand"],
  ];
  for (const [update, path, code] of rows) {
    const text = JSON.stringify(update);
    t.match(faultsOf(update), [{ path, code, message: path }], text);
  }
});

t.test("every fault of an update is told at once", async (t) => {
  const faults = faultsOf({ $set: { "a.": 1, _x: 1 }, $inc: { n: "1" }, $foo: {}, $unset: ["b.$"] });
  t.strictSame(
    faults.map((fault) => fault.code),
    ["bad_path", "reserved_field", "bad_operand", "unknown_operator", "bad_path"],
  );
});

t.test("writing one place twice is conflicting_paths", async (t) => {
  const conflicting: unknown[] = [
    { $set: { a: 1 }, $inc: { a: 1 } },
    { $set: { a: 1, "a.b": 1 } },
    { "a.b": 1, a: 1 },
    { $set: { "a.b.c": 1 }, $unset: ["a"] },
    { $unset: ["a", "a"] },
    { $rename: { a: "a" } },
    { $rename: { a: "a.b" } },
    { $rename: { a: "b" }, $set: { b: 1 } },
    { $rename: { a: "b" }, $set: { "a.c": 1 } },
    { $setOnInsert: { a: 1 }, $set: { a: 2 } },
    { $set: { "a.$[]": 1, "a.0": 1 } },
    { $set: { "a.$[]": 1, "a.0.b": 1 } },
    { $set: { "a.0": 1, "a.$[].b": 1 } },
    { $set: { "a.$[].b": 1, "a.3.b": 1 } },
    { $set: { "a.$[x]": 1, "a.$[y]": 1 }, $arrayFilters: { x: { $gt: 1 }, y: { $lt: 1 } } },
    { $push: { a: 1 }, $pull: { a: 2 } },
  ];
  for (const update of conflicting) {
    const expected = { code: "conflicting_paths", status: 422, details: { paths: [String, String] } };
    t.throws(() => faultsOf(structuredClone(update)), expected, JSON.stringify(update));
  }
  t.strictSame(faultsOf({ $set: { "a.b": 1, "a.c": 1, ab: 1, "b.0": 1, "b.1": 1 }, $rename: { x: "y" } }), []);
  t.strictSame(faultsOf({ $set: { "a.$[].b": 1, "a.$[].c": 1, "a.0.d": 1 } }), [], "apart below the elements");
});

t.test("limits hold at their edge", async (t) => {
  const fields = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`f${i}`, i]));
  t.strictSame(faultsOf(fields(256)), []);
  t.match(faultsOf(fields(257)), [{ path: "update", code: "too_many_values" }]);
  t.strictSame(faultsOf({ $set: fields(255), $unset: ["x"] }), []);
  t.match(faultsOf({ $set: fields(256), $unset: ["x"] }), [{ code: "too_many_values" }]);
  const renames = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`f${i}`, `g${i}`]));
  t.strictSame(faultsOf({ $rename: renames(128) }), []);
  t.match(faultsOf({ $rename: renames(128), $unset: ["x"] }), [{ code: "too_many_values" }]);
  const path = (n: number) => Array.from({ length: n }, () => "a").join(".");
  t.strictSame(faultsOf({ [path(16)]: 1 }), []);
  t.match(faultsOf({ [path(17)]: 1 }), [{ code: "bad_path" }]);
  t.strictSame(faultsOf({ ["é".repeat(256)]: 1 }), []);
  t.match(faultsOf({ ["é".repeat(257)]: 1 }), [{ code: "bad_path" }]);
});

/** Processor time, which a busy machine does not stretch as it does the clock. */
function timed(parse: () => Fault[]): { faults: Fault[]; milliseconds: number } {
  const started = process.cpuUsage();
  const faults = parse();
  const { user, system } = process.cpuUsage(started);
  return { faults, milliseconds: (user + system) / 1000 };
}

t.test("hostile updates are refused fast and in few words", async (t) => {
  const many = (n: number, key: (i: number) => string, value: unknown) =>
    Object.fromEntries(Array.from({ length: n }, (_, i) => [key(i), value]));
  const deep = () => {
    let value: unknown = 1;
    for (let i = 0; i < 100_000; i++) value = i % 2 ? [value] : { a: value };
    return value;
  };
  const hostile: [name: string, update: unknown][] = [
    ["a path of 10,000 segments", { [Array.from({ length: 10_000 }, () => "a").join(".")]: 1 }],
    ["100,000 operators", many(100_000, (i) => `$op${i}`, { a: 1 })],
    ["100,000 paths", { $set: many(100_000, (i) => `f${i}`, 1) }],
    ["100,000 paths to unset", { $unset: Array.from({ length: 100_000 }, (_, i) => `f${i}`) }],
    ["100,000 array filters", { $set: { a: 1 }, $arrayFilters: many(100_000, (i) => `f${i}`, { a: 1 }) }],
    ["a value nested 100,000 deep", { a: deep() }],
    ["an operand nested 100,000 deep", { $pull: { a: { b: deep() } } }],
    ["256 long names", many(256, (i) => `${i}`.padEnd(10_000, "x"), 1)],
  ];
  for (const [name, update] of hostile) {
    const { faults, milliseconds } = timed(() => faultsOf(update));
    t.ok(milliseconds < 200, `${name}: fast`);
    t.ok(faults.length > 0 && JSON.stringify(faults).length < 100_000, `${name}: refused`);
  }
});

t.test("an update that would touch too many elements is refused before it fills memory", async (t) => {
  const document = { a: Array.from({ length: 300_000 }, () => ({})) } as ObjectValue;
  const paths = Array.from({ length: 256 }, (_, i) => [`a.$[].f${i}`, i]);
  const tooMany = { code: "invalid_argument", details: { faults: [{ code: "too_many_values" }] } };
  t.throws(() => apply(parseUpdate(Object.fromEntries(paths), "update", new Faults()), document), tooMany);
  const large = parseUpdate({ "a.$[]": "x".repeat(10_000) }, "update", new Faults());
  t.throws(() => apply(large, document), { code: "payload_too_large" }, "the text of the result is never made");
  const gaps = parseUpdate({ "a.$[].b.1000": 1 }, "update", new Faults());
  t.throws(() => apply(gaps, { a: Array.from({ length: 1000 }, () => ({ b: [] })) }), tooMany);
});

const NAMES = ["a", "b", "0", "1"];
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom<unknown>(null, 0, 1, -1.5, "x", true, { $numberLong: "5" }, { $date: 0 }),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie("value"), { maxKeys: 3 }),
  ),
})).value;
const writePath = fc
  .tuple(fc.constantFrom(...NAMES), fc.array(fc.constantFrom(...NAMES, "$[]", "$[x]"), { maxLength: 2 }))
  .map(([first, rest]) => [first, ...rest].join("."));
const operation = fc.oneof(
  fc.tuple(fc.constantFrom("$set", "$min", "$max", "$push", "$addToSet", "$pull"), writePath, value),
  fc.tuple(fc.constantFrom("$inc", "$mul"), writePath, fc.constantFrom<unknown>(2, { $numberLong: "3" })),
  fc.tuple(fc.constant("$rename"), fc.constantFrom(...NAMES), fc.constantFrom(...NAMES, "a.b", "b.1")),
  fc.tuple(fc.constant("$unset"), writePath, fc.constant(null)),
);

t.test("the order of operators never matters for values, and the document given never changes", async (t) => {
  let applied = 0;
  const property = fc.property(
    fc.dictionary(fc.constantFrom(...NAMES), value, { minKeys: 1 }),
    fc.array(operation, { minLength: 1, maxLength: 5 }),
    (json, operations) => {
      const document = deepFreeze(decodeValue(structuredClone(json), "document", new Faults())) as ObjectValue;
      const update = parseAll(operations);
      if (!update) return;
      const before = encodeValue(document);
      const forward = outcome(update.changes, document);
      const backward = outcome([...update.changes].reverse(), document);
      assert.equal(encodeValue(document), before);
      // A different fault may be met first, but whether there is one is not a matter of order.
      assert.equal(forward, backward);
      if (forward !== undefined) applied++;
    },
  );
  fc.assert(property, { numRuns: 3000 });
  t.ok(applied > 300, `${applied} updates were applied`);
});

function parseAll(operations: readonly (readonly [string, string, unknown])[]): Update | undefined {
  const update: Record<string, unknown> = {};
  for (const [operator, path, operand] of operations) {
    if (operator === "$unset") update.$unset = [...((update.$unset as string[]) ?? []), path];
    else update[operator] = { ...(update[operator] as object), [path]: structuredClone(operand) };
  }
  if (JSON.stringify(update).includes("$[x]")) update.$arrayFilters = { x: { $gte: 1 } };
  const faults = new Faults();
  try {
    const parsed = parseUpdate(update, "update", faults);
    return faults.any ? undefined : parsed;
  } catch {
    return undefined;
  }
}

/** The result with sorted keys, undefined if the update does not fit the document. */
function outcome(changes: readonly Change[], document: ObjectValue): string | undefined {
  try {
    return encodeValue(sortKeys(apply({ changes }, document)));
  } catch {
    return undefined;
  }
}

function sortKeys<T>(item: T): T {
  if (Array.isArray(item)) return item.map(sortKeys) as T;
  if (typeof item !== "object" || item === null || item instanceof Date) return item;
  const entries = Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)])) as T;
}

function deepFreeze<T>(item: T): T {
  if (typeof item === "object" && item !== null) for (const inner of Object.values(item)) deepFreeze(inner);
  return Object.freeze(item);
}
