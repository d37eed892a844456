import type { ErrorObject } from "ajv/dist/2020.js";
import { describe } from "#protocol/describe";
import type { Faults } from "#protocol/errors";

/** Turns what the validator found in a value into faults with dotted paths and words that say what was expected. */
export function addFaults(errors: readonly ErrorObject[], value: unknown, at: string, faults: Faults): void {
  for (const error of errors.slice(0, MOST_FAULTS)) {
    const segments = error.instancePath.split("/").slice(1).map(unescapePointer);
    const [member, message] = explain(error, describe(valueAt(value, segments)));
    faults.add([at, ...segments, ...(member === undefined ? [] : [member])].join("."), "schema", message);
  }
}

/** The member at fault, if it is not the value itself, and the message. */
function explain(error: ErrorObject, got: string): [member: string | undefined, message: string] {
  const params = error.params as Record<string, unknown>;
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
    default:
      return [undefined, error.message ?? `does not satisfy ${error.keyword}`];
  }
}

/** As many as a list of faults takes. */
const MOST_FAULTS = 100;

function valueAt(value: unknown, segments: readonly string[]): unknown {
  return segments.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | null | undefined)?.[key], value);
}

function unescapePointer(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}
