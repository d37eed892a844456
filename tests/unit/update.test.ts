import assert from "node:assert/strict";
import t, { type Test } from "tap";
import { Faults } from "#protocol/errors";
import { applyUpdate, parseUpdate } from "#protocol/update";
import { decodeValue, encodeValue, type ObjectValue } from "#protocol/values";

const NOW = new Date("2026-01-31T10:00:00.000Z");
const LONG_MAX = { $numberLong: "9223372036854775807" };

/** Reads, applies and gives the canonical text; parsed JSON in, so that key order and types show. */
function updated(document: unknown, update: unknown, inserting = false): string {
  const faults = new Faults();
  const before = decodeValue(structuredClone(document), "document", faults) as ObjectValue;
  const parsed = parseUpdate(structuredClone(update), "update", faults);
  faults.throwIfAny();
  const text = encodeValue(before);
  const after = encodeValue(applyUpdate(parsed, before, { now: NOW, inserting }));
  assert.equal(encodeValue(before), text, "the document given is never changed");
  return after;
}

type Row = [why: string, document: unknown, update: unknown, after: unknown];

function table(rows: Row[]) {
  return async (t: Pick<Test, "equal">) => {
    for (const [why, document, update, after] of rows) t.equal(updated(document, update), JSON.stringify(after), why);
  };
}

t.test(
  "plain keys and $set write paths",
  table([
    ["plain keys are $set", { a: 1 }, { b: 2, "c.d": 3 }, { a: 1, b: 2, c: { d: 3 } }],
    ["an empty update changes nothing", { a: 1 }, {}, { a: 1 }],
    ["an empty operator changes nothing", { a: 1 }, { $set: {}, $unset: [] }, { a: 1 }],
    ["the place of a key stays", { a: 1, b: 2 }, { a: { x: 1 } }, { a: { x: 1 }, b: 2 }],
    [
      "new keys follow in the order written",
      {},
      { $set: { z: 1 }, $inc: { y: 1 }, $push: { x: 1 } },
      { z: 1, y: 1, x: [1] },
    ],
    ["keys like integers come first, as in any JSON", { b: 1 }, { 2: 1, a: 1, 1: 1 }, { 1: 1, 2: 1, b: 1, a: 1 }],
    ["missing parents become objects", {}, { "a.b.c": 1 }, { a: { b: { c: 1 } } }],
    ["a number is a key on an object", { a: { x: 1 } }, { "a.0": 5 }, { a: { 0: 5, x: 1 } }],
    ["a number under a missing parent is a key", {}, { "a.0": 5 }, { a: { 0: 5 } }],
    ["a number is an index on an array", { a: [1, 2] }, { "a.0": 5 }, { a: [5, 2] }],
    ["the index after the last appends", { a: [1] }, { "a.1": 5 }, { a: [1, 5] }],
    ["an index beyond pads with null", { a: [1] }, { "a.3": 5 }, { a: [1, null, null, 5] }],
    [
      "two indexes beyond, in any order",
      { a: [] },
      { $set: { "a.2.x": 1, "a.1.y": 2, "a.2.z": 3 } },
      { a: [null, { y: 2 }, { x: 1, z: 3 }] },
    ],
    ["a padded null is nothing yet", { a: [] }, { $set: { "a.1": 1 }, $inc: { "a.0": 2 } }, { a: [2, 1] }],
    ["an object inside an array", { a: [{ b: 1 }] }, { "a.0.c": 2 }, { a: [{ b: 1, c: 2 }] }],
    ["an array inside an array", { a: [[1], [2]] }, { "a.1.0": 9 }, { a: [[1], [9]] }],
    [
      "every class is stored as sent",
      {},
      { a: { $date: 0 }, b: LONG_MAX, c: { $binary: { base64: "AQI=", subType: "00" } }, d: null },
      {
        a: { $date: "1970-01-01T00:00:00.000Z" },
        b: LONG_MAX,
        c: { $binary: { base64: "AQI=", subType: "00" } },
        d: null,
      },
    ],
    ["-0 becomes 0", {}, { a: -0, b: [-0] }, { a: 0, b: [0] }],
    ["server fields of the document are left alone", { _id: "x", _v: 1, a: 1 }, { a: 2 }, { _id: "x", _v: 1, a: 2 }],
    ["an inner name may start with _", {}, { "a._id": 1 }, { a: { _id: 1 } }],
  ]),
);

t.test(
  "$unset removes keys and leaves null in arrays",
  table([
    ["a key", { a: 1, b: 2 }, { $unset: ["a"] }, { b: 2 }],
    ["an inner key leaves its object", { a: { b: 1 } }, { $unset: ["a.b"] }, { a: {} }],
    ["an element becomes null", { a: [1, 2, 3] }, { $unset: ["a.1"] }, { a: [1, null, 3] }],
    ["missing: nothing", { a: 1 }, { $unset: ["b", "c.d.e"] }, { a: 1 }],
    ["behind a scalar or null: nothing", { a: 1, b: null }, { $unset: ["a.x", "b.x"] }, { a: 1, b: null }],
    ["a name on an array: nothing", { a: [{ b: 1 }] }, { $unset: ["a.b"] }, { a: [{ b: 1 }] }],
    ["beyond the end: nothing", { a: [1] }, { $unset: ["a.5", "a.7.x"] }, { a: [1] }],
    ["through every element", { a: [{ b: 1, c: 1 }, { b: 2 }] }, { $unset: ["a.$[].b"] }, { a: [{ c: 1 }, {}] }],
  ]),
);

t.test(
  "$inc and $mul calculate",
  table([
    ["adds", { a: 1 }, { $inc: { a: 2.5 } }, { a: 3.5 }],
    [
      "missing becomes the operand",
      {},
      { $inc: { a: 2, "b.c": { $numberLong: "3" } } },
      { a: 2, b: { c: { $numberLong: "3" } } },
    ],
    [
      "an int64 keeps an integer an int64",
      { a: 5 },
      { $inc: { a: { $numberLong: "1" } } },
      { a: { $numberLong: "6" } },
    ],
    [
      "a double integer adds to an int64",
      { a: { $numberLong: "9007199254740993" } },
      { $inc: { a: 1 } },
      { a: { $numberLong: "9007199254740994" } },
    ],
    ["int64 is exact to its edge", { a: { $numberLong: "9223372036854775806" } }, { $inc: { a: 1 } }, { a: LONG_MAX }],
    ["multiplies", { a: 3 }, { $mul: { a: 2 } }, { a: 6 }],
    [
      "$mul of missing is 0 of the operand's type",
      {},
      { $mul: { a: 2, b: { $numberLong: "3" } } },
      { a: 0, b: { $numberLong: "0" } },
    ],
    [
      "int64 multiplies exactly",
      { a: { $numberLong: "3037000499" } },
      { $mul: { a: { $numberLong: "3037000499" } } },
      { a: { $numberLong: "9223372030926249001" } },
    ],
    ["0 * -1 is 0", { a: 0 }, { $mul: { a: -1 } }, { a: 0 }],
    ["an underflow is 0", { a: -5e-324 }, { $mul: { a: 0.1 } }, { a: 0 }],
    ["inside an array", { a: [1, { n: 1 }] }, { $inc: { "a.0": 1, "a.1.n": 1 } }, { a: [2, { n: 2 }] }],
  ]),
);

t.test(
  "$min and $max keep the lesser and the greater in the order of all classes",
  table([
    ["less", { a: 5 }, { $min: { a: 3 } }, { a: 3 }],
    ["not less", { a: 5 }, { $min: { a: 7 } }, { a: 5 }],
    ["greater", { a: 5 }, { $max: { a: 7 } }, { a: 7 }],
    ["missing is set", {}, { $min: { a: 3 }, $max: { b: 4 } }, { a: 3, b: 4 }],
    [
      "null is stored and less than any number",
      { a: null, b: null },
      { $min: { a: 3 }, $max: { b: 3 } },
      { a: null, b: 3 },
    ],
    ["another class", { a: "x", b: 1 }, { $min: { a: 1 }, $max: { b: "x" } }, { a: 1, b: "x" }],
    ["equal keeps the stored type", { a: { $numberLong: "5" } }, { $max: { a: 5 } }, { a: { $numberLong: "5" } }],
    [
      "dates",
      { a: { $date: "2026-01-01T00:00:00.000Z" } },
      { $max: { a: { $date: "2027-01-01T00:00:00.000Z" } } },
      { a: { $date: "2027-01-01T00:00:00.000Z" } },
    ],
    ["arrays as whole values", { a: [1, 2] }, { $max: { a: [1, 3] } }, { a: [1, 3] }],
  ]),
);

t.test(
  "$rename moves",
  table([
    ["moves to a new place", { a: 1, b: 2 }, { $rename: { a: "c.d" } }, { b: 2, c: { d: 1 } }],
    ["replaces what is there, in its place", { a: 1, b: 2, c: 3 }, { $rename: { c: "a" } }, { a: 3, b: 2 }],
    ["missing source: nothing", { a: 1, c: [1] }, { $rename: { b: "c.x", "a.b": "d" } }, { a: 1, c: [1] }],
    ["an array itself may move", { a: [1] }, { $rename: { a: "b" } }, { b: [1] }],
  ]),
);

t.test("$now writes the request's instant, $setOnInsert only when creating", async (t) => {
  t.equal(
    updated({}, { $now: ["a", "b.c"] }),
    '{"a":{"$date":"2026-01-31T10:00:00.000Z"},"b":{"c":{"$date":"2026-01-31T10:00:00.000Z"}}}',
  );
  t.equal(updated({ a: 1 }, { $setOnInsert: { b: 1 }, $inc: { a: 1 } }), '{"a":2}');
  t.equal(updated({ _id: "x" }, { $setOnInsert: { b: 1 }, $inc: { a: 1 } }, true), '{"_id":"x","b":1,"a":1}');
});

t.test(
  "$[] and $[x] write elements",
  table([
    ["every element", { a: [1, 2] }, { $inc: { "a.$[]": 1 } }, { a: [2, 3] }],
    ["a field of every element", { a: [{ b: 1 }, {}] }, { $set: { "a.$[].b": 9 } }, { a: [{ b: 9 }, { b: 9 }] }],
    ["plain keys may name elements too", { a: [{ b: 1 }, {}] }, { "a.$[].b": 9 }, { a: [{ b: 9 }, { b: 9 }] }],
    ["arrays in arrays", { a: [[1], [2, 3]] }, { $mul: { "a.$[].$[]": 2 } }, { a: [[2], [4, 6]] }],
    [
      "accepted elements: value form",
      { a: [1, 5, 9] },
      { $set: { "a.$[x]": 0 }, $arrayFilters: { x: { $gt: 3, $lt: 7 } } },
      { a: [1, 0, 9] },
    ],
    [
      "accepted elements: object form",
      { a: [{ k: 1 }, { k: 2 }, 3] },
      { $set: { "a.$[x].v": 1 }, $arrayFilters: { x: { k: 2 } } },
      { a: [{ k: 1 }, { k: 2, v: 1 }, 3] },
    ],
    [
      "a filter judges what is stored, whatever else is written",
      { a: [{ k: 1 }] },
      { $set: { "a.$[x].k": 2, "a.$[x].v": 1 }, $arrayFilters: { x: { k: 1 } } },
      { a: [{ k: 2, v: 1 }] },
    ],
    [
      "missing array: nothing is made",
      { b: 1 },
      { $set: { "a.$[].b": 1, "c.d.$[]": 1 }, $push: { "e.$[]": 1 } },
      { b: 1 },
    ],
    ["an unset element becomes null", { a: [1, 2] }, { $unset: ["a.$[]"] }, { a: [null, null] }],
    [
      "added elements are not visited",
      { a: [{}] },
      { $set: { "a.$[].x": 1, "a.1.y": 2 } },
      { a: [{ x: 1 }, { y: 2 }] },
    ],
    ["$push to every inner array", { a: [[1], []] }, { $push: { "a.$[]": 7 } }, { a: [[1, 7], [7]] }],
    [
      "different fields of the same elements do not conflict",
      { a: [{}] },
      { $set: { "a.$[].b": 1, "a.0.c": 2 } },
      { a: [{ b: 1, c: 2 }] },
    ],
  ]),
);

t.test("a stored shape that does not fit is path_conflict with its reason", async (t) => {
  const rows: [document: unknown, update: unknown, reason: string, path?: string][] = [
    [{ a: 1 }, { "a.b": 1 }, "not_an_object", "a.b"],
    [{ a: null }, { "a.b": 1 }, "not_an_object"],
    [{ a: [1] }, { "a.b": 1 }, "not_an_object"],
    [{ a: [1] }, { "a.01": 1 }, "not_an_object"],
    [{ a: [1] }, { "a.-1": 1 }, "not_an_object"],
    [{ a: "x" }, { "a.0": 1 }, "not_an_object"],
    [{ a: 1 }, { $push: { "a.b": 1 } }, "not_an_object"],
    [{ a: [{ b: 1 }] }, { $rename: { "a.0.b": "c" } }, "not_an_object"],
    [{ a: [], b: 1 }, { $rename: { b: "a.0" } }, "not_an_object", "a.0"],
    [{ a: 1 }, { $push: { a: 1 } }, "not_an_array"],
    [{ a: null }, { $push: { a: 1 } }, "not_an_array"],
    [{ a: {} }, { $addToSet: { a: 1 } }, "not_an_array"],
    [{ a: 1 }, { $pull: { a: 1 } }, "not_an_array"],
    [{ a: 1 }, { $pullAll: { a: [1] } }, "not_an_array"],
    [{ a: 1 }, { $pop: { a: 1 } }, "not_an_array"],
    [{ a: 1 }, { "a.$[]": 1 }, "not_an_array"],
    [{ a: {} }, { $unset: ["a.$[]"] }, "not_an_array"],
    [{ a: "1" }, { $inc: { a: 1 } }, "not_a_number"],
    [{ a: null }, { $mul: { a: 1 } }, "not_a_number"],
    [{ a: 1.5 }, { $inc: { a: { $numberLong: "1" } } }, "not_an_integer"],
    [{ a: { $numberLong: "1" } }, { $mul: { a: 0.5 } }, "not_an_integer"],
    [{ a: LONG_MAX }, { $inc: { a: 1 } }, "int64_overflow"],
    [{ a: { $numberLong: "-9223372036854775808" } }, { $mul: { a: -1 } }, "int64_overflow"],
    [{ a: 1e300 }, { $inc: { a: { $numberLong: "1" } } }, "int64_overflow"],
    [{ a: 1.7e308 }, { $inc: { a: 1.7e308 } }, "not_finite"],
    [{ a: 1e200 }, { $mul: { a: 1e200 } }, "not_finite"],
    [{ a: [] }, { "a.1001": 1 }, "gap_too_large"],
    [{ a: [] }, { "a.99999999999999999999.b": 1 }, "gap_too_large"],
    [{ a: [] }, { "a.1000": 1, "a.2000": 1 }, "gap_too_large"],
  ];
  for (const [document, update, reason, path] of rows) {
    const expected = { code: "path_conflict", status: 422, details: path ? { reason, path } : { reason } };
    t.throws(() => updated(document, update), expected, JSON.stringify(update));
  }
  t.equal(JSON.parse(updated({ a: [] }, { "a.1000": 1 })).a.length, 1001, "a gap of 1,000 is allowed");
});

t.test("the result may be 32 levels deep and no deeper", async (t) => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });
  const tooDeep = { code: "invalid_argument", details: { faults: [{ code: "too_deep" }] } };
  t.ok(updated({}, { "a.b": nested(30) }));
  t.throws(() => updated({}, { "a.b": nested(31) }), tooDeep);
  t.ok(updated({}, { $push: { "a.b": nested(29) } }));
  t.throws(() => updated({}, { $push: { "a.b": nested(30) } }), tooDeep);
  t.throws(() => updated({}, { $addToSet: { "a.b": { $each: [nested(30)] } } }), tooDeep);
  t.ok(updated({ a: nested(30) }, { $rename: { a: "b.c" } }));
  t.throws(() => updated({ a: nested(30) }, { $rename: { a: "b.c.d" } }), tooDeep);
});
