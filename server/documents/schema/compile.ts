import type { ValidateFunction } from "ajv/dist/2020.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import { equal } from "#protocol/compare";
import { Faults } from "#protocol/errors";
import { normalNumbers } from "#protocol/normal-numbers";
import type { ObjectValue, Value } from "#protocol/values";
import { decodeValue, encodeValue } from "#protocol/values";
import { addFormats } from "./formats.ts";
import { ANNOTATIONS, KEYWORDS, OBJECT_KEYWORDS } from "./keywords.ts";
import { compilePattern } from "./patterns.ts";
import { isSchemaObject, type SchemaObject } from "./walk.ts";

/**
 * Builds the validator of a schema that walk.ts and refs.ts have passed. ajv writes JavaScript for it, so what reaches
 * ajv is made here keyword by keyword, never the client's object.
 *
 * @param every whether it goes on to find every fault after the first
 */
export function compileValidator(schema: SchemaObject, every: boolean): ValidateFunction {
  const ajv = new Ajv2020({
    allErrors: every,
    strict: true,
    strictTypes: false,
    strictTuples: false,
    strictRequired: false,
    // Its check of overlapping names would run patterns through RegExp.
    allowMatchingProperties: true,
    // A definition used a thousand times is compiled once.
    inlineRefs: false,
    // `required: ["toString"]` asks for the document's own member.
    ownProperties: true,
    meta: false,
    validateSchema: false,
    logger: false,
    code: {
      // It halves the time to compile, which holds everybody up, and changes little in the time to run.
      optimize: false,
      regExp: Object.assign((source: string) => compilePattern(source), { code: "compilePattern" }),
    },
  });
  addFormats(ajv);
  addKeywords(ajv);
  return ajv.compile(asked(schema) as SchemaObject);
}

function addKeywords(ajv: Ajv2020): void {
  ajv.addKeyword({ keyword: "date", validate: (_: true, value: unknown) => value instanceof Date, errors: false });
  ajv.addKeyword({
    keyword: "binary",
    validate: (_: true, value: unknown) => value instanceof Uint8Array,
    errors: false,
  });
  ajv.addKeyword({
    keyword: "int64",
    validate: (_: true, value: unknown, schema?: SchemaObject) =>
      typeof value === "bigint" && inRange(value, schema ?? {}),
    errors: false,
  });
  ajv.addKeyword({
    keyword: "plainObject",
    validate: (_: true, value: unknown) => !(value instanceof Date) && !(value instanceof Uint8Array),
    errors: false,
  });
  ajv.addKeyword({
    // ajv compares every item with every other, which a long array turns into minutes.
    keyword: "distinctItems",
    validate: (wanted: boolean, value: unknown) => !wanted || !Array.isArray(value) || areDistinct(value),
    errors: false,
  });
  ajv.addKeyword({
    keyword: "oneOfValues",
    validate: (values: readonly Value[], value: Value) => values.some((one) => equal(one, value)),
    errors: false,
  });
  ajv.addKeyword({
    keyword: "sameValue",
    validate: ([wanted]: readonly [Value], value: Value) => equal(wanted, value),
    errors: false,
  });
}

/** By the language's equality: normal numbers are equal exactly if their texts are. */
function areDistinct(items: readonly Value[]): boolean {
  return new Set(items.map((item) => encodeValue(normalNumbers(item)))).size === items.length;
}

/** ajv's own limits look at doubles only. JavaScript compares int64 and double exactly. */
function inRange(value: bigint, schema: SchemaObject): boolean {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  return (
    !(typeof minimum === "number" && value < minimum) &&
    !(typeof maximum === "number" && value > maximum) &&
    !(typeof exclusiveMinimum === "number" && value <= exclusiveMinimum) &&
    !(typeof exclusiveMaximum === "number" && value >= exclusiveMaximum) &&
    !(typeof multipleOf === "number" && Number.isInteger(multipleOf) && value % BigInt(multipleOf) !== 0n)
  );
}

/** The schema as ajv is asked: without annotations, with dates and binaries kept apart from objects. */
function asked(schema: unknown): unknown {
  if (!isSchemaObject(schema)) return schema;
  const out: Record<string, unknown> = {};
  for (const [keyword, operand] of Object.entries(schema)) {
    if (ANNOTATIONS.has(keyword)) continue;
    if (OBJECT_KEYWORDS.has(keyword) || (keyword === "type" && [operand].flat().includes("object")))
      out.plainObject = true;
    // By the language's equality, so that tagged values can be named too.
    if (keyword === "enum") out.oneOfValues = (operand as unknown[]).map(literalValue);
    else if (keyword === "const") out.sameValue = [literalValue(operand)];
    else if (keyword === "uniqueItems") out.distinctItems = operand;
    else out[keyword] = below(keyword, operand);
  }
  return out;
}

function below(keyword: string, operand: unknown): unknown {
  switch (KEYWORDS.get(keyword)) {
    case "schema":
      return asked(operand);
    case "schemas":
      return (operand as unknown[]).map(asked);
    case "map":
      return Object.fromEntries(Object.entries(operand as ObjectValue).map(([name, schema]) => [name, asked(schema)]));
    default:
      return operand;
  }
}

/** A literal of a schema, in the wire form of values: `{"$date": …}` is a date. */
export function literalValue(literal: unknown): Value {
  return decodeValue(structuredClone(literal), "", new Faults());
}
