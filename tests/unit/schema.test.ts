import { inspect } from "node:util";
import { Ajv2020 } from "ajv/dist/2020.js";
import t from "tap";
import { type Fault, Faults } from "../../sdk/protocol/errors.ts";
import type { ObjectValue } from "../../sdk/protocol/values.ts";
import { addFormats } from "../../server/documents/schema/formats.ts";
import { parseSchema, type Schema } from "../../server/documents/schema/schema.ts";
import { cpuTime } from "../support/cpu-time.ts";

function schemaOf(input: unknown): Schema {
  const faults = new Faults();
  const schema = parseSchema(input, "schema", faults);
  faults.throwIfAny();
  if (!schema) throw new Error("no schema and no fault");
  return schema;
}

function refusals(input: unknown): readonly Fault[] {
  const faults = new Faults();
  parseSchema(input, "schema", faults);
  return faults.list;
}

function faultsOf(schema: Schema, fields: ObjectValue): string[] {
  const faults = new Faults();
  schema.judge(fields, "document", faults);
  return faults.list.map(({ message }) => message);
}

const DATE = new Date(0);
const BYTES = new Uint8Array([1]);

t.test("values of the language are told apart, and a date passes no type", async (t) => {
  const fits = (schema: object, value: unknown) =>
    faultsOf(schemaOf({ properties: { v: schema } }), { v: value } as ObjectValue).length === 0;
  const rows: [object, unknown[], unknown[]][] = [
    [{ date: true }, [DATE], ["2026-01-31", 0, null, BYTES]],
    [{ int64: true }, [0n, 5n], [5, "5", null]],
    [{ int64: true, minimum: 3, exclusiveMaximum: 9, multipleOf: 2 }, [4n, 8n], [2n, 3n, 10n, 4]],
    [{ binary: true }, [BYTES], ["AQ==", DATE]],
    [{ type: "object" }, [{}, { a: 1 }], [DATE, BYTES, null, []]],
    [{ type: ["object", "null"] }, [{}, null], [DATE]],
    [{ required: ["a"] }, [{ a: 1 }, "text", 5], [{}, DATE, BYTES]],
    [{ type: "string" }, [""], [DATE, 5, 5n]],
    [{ type: "number" }, [1.5], [5n, "5", DATE]],
    [{ type: "integer" }, [5], [5n, 1.5]],
    [{ type: "array" }, [[]], [BYTES, {}]],
    [
      { enum: ["a", { $date: 0 }, { $numberLong: "7" }, null] },
      ["a", DATE, 7n, null],
      ["b", new Date(1), { $date: 0 }],
    ],
    [{ const: { $binary: { base64: "AQ==", subType: "00" } } }, [BYTES], [new Uint8Array([2]), "AQ=="]],
    [{ anyOf: [{ date: true }, { type: "null" }] }, [DATE, null], ["x"]],
    [{ type: "array", uniqueItems: true }, [[DATE, new Date(1)]], [[DATE, new Date(0)]]],
    [{ type: "object", required: ["toString"] }, [{ toString: 1 }], [{}]],
    [{ pattern: "^[a-z]+\\d$", type: "string" }, ["ab1"], ["AB1", ""]],
    [
      { patternProperties: { "^x": { type: "number" } }, additionalProperties: false },
      [{ x1: 1 }],
      [{ x1: "a" }, { y: 1 }],
    ],
    [{ format: "email" }, ["a@b.example", 5], ["nope"]],
    [{ type: "string", format: "date", formatMinimum: "2026-01-01" }, ["2026-02-01"], ["2025-01-01"]],
    [JSON.parse('{"if": {"required": ["a"]}, "then": {"required": ["b"]}}'), [{}, { a: 1, b: 1 }], [{ a: 1 }]],
  ];
  for (const [schema, good, bad] of rows) {
    for (const value of good) t.ok(fits(schema, value), `${JSON.stringify(schema)} takes ${inspect(value)}`);
    for (const value of bad) t.notOk(fits(schema, value), `${JSON.stringify(schema)} refuses ${inspect(value)}`);
  }
});

t.test("every fault is told with its path and what was expected", async (t) => {
  const schema = schemaOf({
    type: "object",
    properties: {
      n: { type: "number" },
      due: { date: true },
      list: { items: { type: "string" } },
      "a/b~c": { type: "null" },
    },
    required: ["title"],
    additionalProperties: false,
    dependentRequired: { n: ["unit"] },
  });
  const found = faultsOf(schema, { n: "x", due: "y", list: ["a", 1], "a/b~c": 1, extra: {} });
  t.same(found.sort(), [
    "document.a/b~c: expects null, got a number",
    'document.due: expects a date as {"$date": "…"}, got a string',
    "document.extra: is not in the schema, which allows no further fields here",
    "document.list.1: expects string, got a number",
    "document.n: expects number, got a string",
    "document.title: is required",
    'document.unit: is required where "n" is given',
  ]);
  t.throws(() => schema.enforce({}, "document", 0), {
    code: "schema_violation",
    details: { faults: [{ path: "document.title" }] },
  });
  const many = { list: Array.from({ length: 5000 }, () => 1), title: "t" };
  t.equal(faultsOf(schema, many).length, 100, "a reply names at most 100");
  const faults = new Faults();
  schema.judge(many, "document", faults, 1_000_000);
  t.equal(faults.list.length, 1, "of a large document the first is told");
});

t.test("each keyword says what it expects, in words for people", (t) => {
  const rows: [schema: object, value: unknown, message: string][] = [
    [{ minLength: 1 }, "", "expects at least 1 character, got 0"],
    [{ maxLength: 3 }, "🎈🎈🎈🎈", "expects at most 3 characters, got 4"],
    [{ minItems: 2 }, [1], "expects at least 2 items, got 1"],
    [{ maxItems: 1 }, [1, 2], "expects at most 1 item, got 2"],
    [{ minProperties: 1 }, {}, "expects at least 1 field, got 0"],
    [{ maxProperties: 1 }, { a: 1, b: 2 }, "expects at most 1 field, got 2"],
    [{ minimum: 3 }, 2.5, "expects at least 3, got 2.5"],
    [{ maximum: 3 }, 4, "expects at most 3, got 4"],
    [{ exclusiveMinimum: 3 }, 3, "expects more than 3, got 3"],
    [{ exclusiveMaximum: 3 }, 3, "expects less than 3, got 3"],
    [{ multipleOf: 5 }, 7, "expects a multiple of 5, got 7"],
    [{ pattern: "^[a-z]+$" }, "A", "expects text that matches ^[a-z]+$"],
    [{ format: "email" }, "ann", 'expects text in the format "email"'],
    [{ format: "date", formatMinimum: "2026-01-01" }, "2025-12-31", "expects 2026-01-01 or later"],
    [{ format: "date", formatExclusiveMaximum: "2026-01-01" }, "2026-01-01", "expects earlier than 2026-01-01"],
    [{ contains: { type: "number" } }, ["a"], "expects at least 1 item of the kind that the schema names"],
    [
      { contains: { type: "number" }, minContains: 0, maxContains: 1 },
      [1, 2],
      "expects 0 to 1 item of the kind that the schema names",
    ],
    [{ not: { type: "string" } }, "a", "expects a value that the schema does not exclude"],
    [{ oneOf: [{ minimum: 1 }, { minimum: 2 }] }, 3, "expects a value that exactly one of several schemas allows"],
    [{ uniqueItems: true }, [1, 1], "expects no item twice"],
    [{ enum: ["a"] }, "b", "expects one of the values that the schema lists"],
  ];
  for (const [schema, v, message] of rows) {
    const faults = faultsOf(schemaOf({ properties: { v: schema } }), { v } as ObjectValue);
    t.strictSame(faults.slice(-1), [`document.v: ${message}`]);
  }
  const names = schemaOf({ properties: { v: { type: "object", propertyNames: { maxLength: 2 } } } });
  t.strictSame(faultsOf(names, { v: { abc: 1 } }), [
    "document.v.abc: expects at most 2 characters, got 3",
    "document.v.abc: has a name that the schema does not allow",
  ]);
  const never = schemaOf({ properties: { v: { properties: { a: false } } } });
  t.strictSame(faultsOf(never, { v: { a: 1 } }), ["document.v.a: is not allowed by the schema"]);
  t.end();
});

t.test("defaults fill what is absent where the parent object is there", async (t) => {
  const node = { type: "object", properties: { kids: { items: { $ref: "#/$defs/node" } }, open: { default: true } } };
  const schema = schemaOf({
    properties: {
      a: { default: 1 },
      at: { date: true, default: { $date: 0 } },
      nested: { type: "object", properties: { b: { default: [] } } },
      made: { default: {}, properties: { c: { default: 2 } } },
      tree: { $ref: "#/$defs/node" },
      list: { items: { properties: { d: { default: null } } } },
    },
    allOf: [{ properties: { e: { default: "e" } } }],
    $defs: { node },
  });
  const fields: ObjectValue = { nested: {}, tree: { kids: [{ open: false }, {}] }, list: [{}, 5] };
  const before = JSON.stringify(fields);
  const made = { a: 1, at: DATE, made: { c: 2 }, e: "e" };
  t.same(schema.fill(fields), {
    ...made,
    nested: { b: [] },
    tree: { open: true, kids: [{ open: false }, { open: true }] },
    list: [{ d: null }, 5],
  });
  t.equal(JSON.stringify(fields), before, "the input is untouched");
  t.same(schema.fill({ a: 0, at: null, made: 5, e: false }), { a: 0, at: null, made: 5, e: false });
  const endless = {
    $defs: { node: { properties: { kid: { $ref: "#/$defs/node", default: {} } } } },
    $ref: "#/$defs/node",
  };
  t.match(refusals(endless), [{ path: "schema", message: /without end/ }]);
  const plain = { a: 1 };
  t.equal(schemaOf({ properties: { a: {} } }).fill(plain), plain);
});

t.test("a schema that says something else than it means is refused, with paths", async (t) => {
  const rows: [unknown, string, string][] = [
    [{ typ: "object" }, "schema.typ", "unknown_member"],
    [{ properties: { a: { maxLenght: 5 } } }, "schema.properties.a.maxLenght", "unknown_member"],
    [{ type: "text" }, "schema.type", "schema"],
    [{ required: "a" }, "schema.required", "schema"],
    [{ minimum: "1" }, "schema.minimum", "schema"],
    [{ pattern: "(?=a)" }, "schema.pattern", "bad_operand"],
    [{ pattern: "a".repeat(2000) }, "schema.pattern", "bad_operand"],
    [{ patternProperties: { "(": {} } }, "schema.patternProperties", "bad_operand"],
    [{ format: "colour" }, "schema.format", "bad_operand"],
    [{ items: { anyOf: [{ format: "colour" }] } }, "schema.items.anyOf.0.format", "bad_operand"],
    [{ date: 1 }, "schema.date", "bad_operand"],
    [{ date: true, type: "string" }, "schema", "bad_value"],
    [{ date: true, int64: true }, "schema", "bad_value"],
    [{ properties: { u: { type: "string", ref: "_users" } } }, "schema.properties.u.ref", "bad_operand"],
    [{ properties: { u: { ref: "users" } } }, "schema.properties.u.ref", "bad_value"],
    [{ properties: { u: { type: "string", file: "No" } } }, "schema.properties.u.file", "bad_operand"],
    [{ properties: { _id: {} } }, "schema.properties", "reserved_field"],
    [{ required: ["_v"] }, "schema.required", "reserved_field"],
    [{ properties: { "a.b": {} } }, "schema.properties", "bad_value"],
    [{ properties: JSON.parse('{"__proto__": {}}') }, "schema.properties", "bad_value"],
    [JSON.parse('{"__proto__": {}}'), "schema.__proto__", "unknown_member"],
    [{ $ref: "http://localhost/x" }, "schema.$ref", "bad_operand"],
    [{ $ref: "other.json#/a" }, "schema.$ref", "bad_operand"],
    [{ $ref: "#/nowhere" }, "schema.$ref", "bad_operand"],
    [{ properties: { a: { $id: "http://x" } } }, "schema.properties.a.$id", "not_available_yet"],
    [{ $schema: "http://json-schema.org/draft-07/schema#" }, "schema.$schema", "bad_operand"],
    [{ $dynamicRef: "#a" }, "schema.$dynamicRef", "unknown_member"],
    [{ enum: [{ $date: "soon" }] }, "schema.enum.0", "bad_value"],
    [{ properties: { a: { default: { $oid: "x" } } } }, "schema.properties.a.default", "unsupported_value"],
    [[], "schema", "bad_value"],
    ["object", "schema", "bad_value"],
  ];
  for (const [schema, path, code] of rows)
    t.match(refusals(schema)[0], { path, code }, JSON.stringify(schema).slice(0, 80));
  t.equal(refusals({ typ: 1, properties: { a: { formt: 1 }, b: { pattern: "(" } } }).length, 3, "all at once");
  t.same(
    refusals({ $schema: "https://json-schema.org/draft/2020-12/schema", $id: "urn:x", title: "T", $comment: "c" }),
    [],
  );
});

t.test("a hostile schema is refused at once", async (t) => {
  const nested = (levels: number, key: string): unknown =>
    JSON.parse(`${`{"${key}":`.repeat(levels)}{}${"}".repeat(levels)}`);
  const wide = { properties: Object.fromEntries(Array.from({ length: 1100 }, (_, i) => [`p${i}`, {}])) };
  const bomb = {
    $defs: Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [
        `d${i}`,
        { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
      ]),
    ),
  };
  const hostile: [string, unknown, RegExp][] = [
    ["a reference to itself", { $ref: "#" }, /never end/],
    [
      "a loop through allOf",
      { $defs: { a: { allOf: [{ $ref: "#/$defs/b" }] }, b: { not: { $ref: "#/$defs/a" } } } },
      /never end/,
    ],
    ["40 levels", nested(40, "items"), /deeper/],
    ["200 levels of a literal", { const: nested(200, "a") }, /deeper/],
    ["100,000 levels", nested(60_000, "a"), /longer than|deeper/],
    ["1,100 schemas", wide, /1000/],
    ["a bomb of references", { ...bomb, $defs: { ...bomb.$defs, d30: {} } }, /times over/],
    ["a huge text", { description: "x".repeat(300_000) }, /longer than/],
    ["nested repeats", { pattern: "((a{100}){100}){100}" }, /RE2/],
    ["code in a name", { properties: { a: { "];process.exit(1);//": 1 } } }, /no keyword/],
  ];
  for (const [name, schema, message] of hostile) {
    const spent = cpuTime();
    t.match(refusals(schema)[0]?.message, message, name);
    t.ok(spent() < 2000, `${name}: ${Math.round(spent())} ms`);
  }
  const names = ['"];process["exit"](1);//', "`$" + "{process}`", "\u2028", "constructor2", "valueOf", "'"];
  const schema = schemaOf({
    properties: Object.fromEntries(names.map((name) => [name, { const: name, type: "string" }])),
    required: names,
  });
  t.same(faultsOf(schema, Object.fromEntries(names.map((name) => [name, name]))), []);
  t.equal(faultsOf(schema, {}).length, names.length);
});

t.test("a document that the validator's code fails on is refused, with its path", async (t) => {
  const schema = schemaOf({
    properties: {
      a: { patternProperties: { "^x": true }, $ref: "#/$defs/one", unevaluatedProperties: false },
    },
    $defs: { one: { anyOf: [true, { required: ["q"], properties: { q: true } }] } },
  });
  t.same(faultsOf(schema, { a: { q: 1 } }), []);
  t.match(faultsOf(schema, { a: { x1: 1 } }), [/cannot be judged by its schema/]);
});

t.test("no text holds a pattern or a format up", async (t) => {
  const schema = schemaOf({ properties: { a: { type: "string", pattern: "^(a+)+$" }, b: { pattern: "(x+x+)+y" } } });
  const spent = cpuTime();
  t.equal(faultsOf(schema, { a: `${"a".repeat(100_000)}!`, b: "x".repeat(100_000) }).length, 2);
  t.ok(spent() < 2000);
  const long = schemaOf({ properties: { v: { format: "url" }, list: { uniqueItems: true } } });
  const items = Array.from({ length: 60_000 }, (_, i) => ({ i }));
  const spentToo = cpuTime();
  t.equal(faultsOf(long, { v: `http://${"[::".repeat(300_000)}`, list: [...items, { i: 7 }] }).length, 2);
  t.same(faultsOf(long, { list: items }), []);
  t.ok(spentToo() < 3000);
  const node = {
    anyOf: Array.from({ length: 30 }, () => ({ type: "object", properties: { a: { $ref: "#/$defs/node" } } })),
  };
  const tree = schemaOf({ properties: { a: { $ref: "#/$defs/node" } }, $defs: { node } });
  const deep = tree.places.at(Array.from({ length: 16 }, () => "a"));
  t.ok([deep?.anyOf].flat().length <= 30, "alternatives do not multiply along a path");
  const formats = Object.keys(formatsKnown());
  t.ok(formats.length > 20);
  const evil = [
    "a@".repeat(5000),
    "a".repeat(10_000),
    "1.".repeat(5000),
    "::1".repeat(3000),
    "{a}".repeat(3000),
    "P1Y".repeat(3000),
    "http://a.".repeat(1500),
    "-".repeat(10_000),
    "%41".repeat(3000),
    "/~1".repeat(3000),
  ];
  for (const format of formats) {
    const judged = schemaOf({ properties: { v: { type: "string", format } } });
    for (const text of evil) {
      const start = performance.now();
      faultsOf(judged, { v: text });
      const took = performance.now() - start;
      if (took > 500) t.fail(`${format} took ${took} ms on ${text.slice(0, 20)}`);
    }
  }
});

function formatsKnown(): object {
  const ajv = new Ajv2020();
  addFormats(ajv);
  return ajv.formats;
}

t.test("compiling does not depend on when: a schema read from the store judges alike", async (t) => {
  const source = { properties: { n: { type: "number", maximum: 3 } } };
  const again = schemaOf(JSON.parse(JSON.stringify(schemaOf(source).source)));
  t.same(faultsOf(again, { n: 4 }), faultsOf(schemaOf(source), { n: 4 }));
  t.throws(() => schemaOf({ typ: 1 }), { code: "invalid_argument" });
});
