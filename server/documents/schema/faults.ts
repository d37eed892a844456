import type { ErrorObject } from "ajv/dist/2020.js";
import { describe } from "#protocol/describe";
import type { Faults } from "#protocol/errors";

/** Turns what the validator found in a value into faults with dotted paths and words that say what was expected. */
export function addFaults(errors: readonly ErrorObject[], value: unknown, at: string, faults: Faults): void {
  for (const error of errors.slice(0, MOST_FAULTS)) {
    const segments = error.instancePath.split("/").slice(1).map(unescapePointer);
    // Of a name ajv says only whose it is.
    const [member = error.propertyName, message] = explain(error, error.propertyName ?? valueAt(value, segments));
    faults.add([at, ...segments, ...(member === undefined ? [] : [member])].join("."), "schema", message);
  }
}

/** The member at fault, if it is not the value itself, and the message. */
function explain(error: ErrorObject, value: unknown): [member: string | undefined, message: string] {
  const params = error.params as Record<string, unknown>;
  const got = describe(value);
  switch (error.keyword) {
    case "required":
      return [String(params.missingProperty), "is required"];
    case "additionalProperties":
      return [String(params.additionalProperty), "is not in the schema, which allows no further fields here"];
    case "unevaluatedProperties":
      return [String(params.unevaluatedProperty), "is not in the schema, which allows no further fields here"];
    case "dependentRequired":
      return [String(params.missingProperty), `is required where ${JSON.stringify(params.property)} is given`];
    case "type":
      return [undefined, `expects ${[params.type].flat().join(" or ")}, got ${got}`];
    case "date":
      return [undefined, `expects a date as {"$date": "…"}, got ${got}`];
    case "int64":
      return [undefined, `expects an int64 as {"$numberLong": "…"} within its limits, got ${got}`];
    case "binary":
      return [undefined, `expects a binary as {"$binary": {…}}, got ${got}`];
    case "plainObject":
      return [undefined, `expects an object, got ${got}`];
    case "oneOfValues":
      return [undefined, "expects one of the values that the schema lists"];
    case "distinctItems":
      return [undefined, "expects no item twice"];
    case "sameValue":
      return [undefined, "expects the one value that the schema names"];
    case "propertyNames":
      return [String(params.propertyName), "has a name that the schema does not allow"];
    case "false schema":
      return [undefined, "is not allowed by the schema"];
    default:
      return [
        undefined,
        `expects ${EXPECTED[error.keyword]?.(params, value) ?? `what "${error.keyword}" of the schema says`}`,
      ];
  }
}

type Expected = (params: Record<string, unknown>, value: unknown) => string;

/** What else keywords expect, after the word "expects". */
const EXPECTED: Readonly<Record<string, Expected>> = {
  ...sizes("character", (text) => [...(text as string)].length, "minLength", "maxLength"),
  ...sizes("item", (items) => (items as readonly unknown[]).length, "minItems", "maxItems"),
  ...sizes("field", (members) => Object.keys(members as object).length, "minProperties", "maxProperties"),
  minimum: ({ limit }, value) => `at least ${limit}, got ${value}`,
  maximum: ({ limit }, value) => `at most ${limit}, got ${value}`,
  exclusiveMinimum: ({ limit }, value) => `more than ${limit}, got ${value}`,
  exclusiveMaximum: ({ limit }, value) => `less than ${limit}, got ${value}`,
  multipleOf: ({ multipleOf }, value) => `a multiple of ${multipleOf}, got ${value}`,
  pattern: ({ pattern }) => `text that matches ${pattern}`,
  format: ({ format }) => `text in the format "${format}"`,
  formatMinimum: ({ limit }) => `${limit} or later`,
  formatMaximum: ({ limit }) => `${limit} or earlier`,
  formatExclusiveMinimum: ({ limit }) => `later than ${limit}`,
  formatExclusiveMaximum: ({ limit }) => `earlier than ${limit}`,
  contains: ({ minContains, maxContains }) =>
    maxContains === undefined
      ? `at least ${counted(minContains, "item")} of the kind that the schema names`
      : `${minContains} to ${counted(maxContains, "item")} of the kind that the schema names`,
  not: () => "a value that the schema does not exclude",
  anyOf: () => "a value that one of several schemas allows",
  oneOf: () => "a value that exactly one of several schemas allows",
  if: ({ failingKeyword }) => `what "${failingKeyword}" of the schema says`,
};

function sizes(
  what: string,
  sizeOf: (value: unknown) => number,
  least: string,
  most: string,
): Record<string, Expected> {
  return {
    [least]: ({ limit }, value) => `at least ${counted(limit, what)}, got ${sizeOf(value)}`,
    [most]: ({ limit }, value) => `at most ${counted(limit, what)}, got ${sizeOf(value)}`,
  };
}

function counted(count: unknown, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** As many as a list of faults takes. */
const MOST_FAULTS = 100;

function valueAt(value: unknown, segments: readonly string[]): unknown {
  return segments.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | null | undefined)?.[key], value);
}

function unescapePointer(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}
