/** Random JSON Schemas of all that shapes a type, and values that are likely to fit them. */
import fc from "fast-check";

type Json = Record<string, unknown>;
const NAMES = ["a", "b", "c-d", "é", "constructor2"];
const DEFS = ["one", "two words", 'one\'s "own"', "*/", "三"];
const name = fc.constantFrom(...NAMES);

const literal = fc.constantFrom<unknown>(
  ...["x", 'q"uo\\te', "\u2028\u202e*/", "", 0, 5, -1.5, 1e21, true, false, null],
  ...[{ $date: 0 }, { $numberLong: "5" }, { $numberLong: "9007199254740993" }, { a: 1, b: [null] }, [1, "x"], {}],
  { $binary: { base64: "AQ==", subType: "00" } },
);
const leaf: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>({ date: true }, { int64: true }, { binary: true }, {}, true, {
    description: "*/ @ts-ignore\n@x",
  }),
  fc.constantFrom<unknown>(
    { type: "string" },
    { type: "number" },
    { type: "integer" },
    { type: "boolean" },
    { type: "null" },
  ),
  fc.constantFrom<unknown>({ type: "object" }, { type: "array" }, { type: ["string", "null", "array"] }, false),
  fc.constantFrom<unknown>(
    { type: "string", minLength: 1 },
    { not: { type: "string" } },
    { type: "string", ref: "users" },
  ),
  fc
    .uniqueArray(literal, { minLength: 1, maxLength: 4, selector: (one) => JSON.stringify(one) })
    .map((some) => ({ enum: some })),
  literal.map((one) => ({ const: one })),
);

const { schema } = fc.letrec<{ schema: unknown; object: Json; array: Json; whole: unknown }>((tie) => {
  const below = tie("schema");
  const optionally = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 3 });
  return {
    schema: fc.oneof(
      { maxDepth: 3, depthIdentifier: "schema" },
      { weight: 4, arbitrary: leaf },
      { weight: 4, arbitrary: tie("object") },
      { weight: 2, arbitrary: tie("array") },
      { weight: 3, arbitrary: tie("whole") },
    ),
    object: fc
      .record({
        type: fc.constantFrom<unknown>("object", "object", "object", ["object", "null"], undefined),
        properties: fc.dictionary(name, below, { maxKeys: 3 }),
        required: optionally(fc.uniqueArray(name, { maxLength: 2 })),
        additionalProperties: optionally(fc.oneof(fc.constant(false), below)),
        patternProperties: optionally(fc.dictionary(fc.constantFrom("^x", "d$"), below, { minKeys: 1, maxKeys: 2 })),
        propertyNames: optionally(optionally(fc.constant({ enum: ["a", "b"] }))),
        dependentSchemas: optionally(optionally(fc.dictionary(name, below, { maxKeys: 1 }))),
        unevaluatedProperties: optionally(optionally(fc.oneof(fc.constant(false), below))),
      })
      .map(defined),
    array: fc
      .record({
        type: fc.constantFrom<unknown>("array", "array", undefined),
        items: optionally(below),
        prefixItems: optionally(fc.array(below, { minLength: 1, maxLength: 3 })),
        minItems: optionally(fc.nat(3)),
        unevaluatedItems: optionally(optionally(fc.constant(false))),
        contains: optionally(optionally(below)),
      })
      .map(defined),
    whole: fc.oneof(
      fc.constantFrom(...DEFS).map((def) => ({ $ref: `#/$defs/${encodeURIComponent(def).replace("*/", "*~1")}` })),
      fc.constant({ $ref: "#" }),
      fc.array(below, { minLength: 1, maxLength: 3 }).map((allOf) => ({ allOf })),
      fc.array(below, { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
      fc.array(below, { minLength: 2, maxLength: 3 }).map((oneOf) => ({ oneOf })),
      // biome-ignore lint/suspicious/noThenProperty: JSON Schema's word
      fc.record({ if: below, then: below, else: optionally(below) }).map(defined),
      fc.tuple(tie("object"), tie("object")).map(([object, other]) => ({ ...object, allOf: [other] })),
      fc.tuple(tie("object"), below, below).map(([object, a, b]) => ({ ...object, anyOf: [a, b] })),
    ),
  };
});

/** A schema of documents, often refused by the server. */
export const schemas: fc.Arbitrary<Json> = fc
  .tuple(
    schema,
    fc.tuple(schema, schema, schema, schema, schema),
    fc.dictionary(name, schema, { minKeys: 1, maxKeys: 4 }),
  )
  .map(([root, defs, properties]) => ({
    ...(typeof root === "object" ? root : {}),
    properties,
    $defs: Object.fromEntries(DEFS.map((def, i) => [def, defs[i]])),
  }));

function defined(record: Json): Json {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}
