import type { ErrorObject } from "ajv/dist/2020.js";
import { describe } from "#protocol/describe";
import type { Faults } from "#protocol/errors";

/** Turns what the validator found into faults with dotted paths and words that say what was expected. */
export function addFaults(errors: readonly ErrorObject[], at: string, faults: Faults): void {
  for (const error of errors) {
    const [member, message] = explain(error);
    const segments = error.instancePath.split("/").slice(1).map(unescapePointer);
    faults.add([at, ...segments, ...(member === undefined ? [] : [member])].join("."), "schema", message);
  }
}

/** The member at fault, if it is not the value itself, and the message. */
function explain(error: ErrorObject): [member: string | undefined, message: string] {
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
      return [undefined, `expects ${[params.type].flat().join(" or ")}, got ${describe(error.data)}`];
    case "date":
      return [undefined, `expects a date as {"$date": "…"}, got ${describe(error.data)}`];
    case "int64":
      return [undefined, `expects an int64 as {"$numberLong": "…"} within its limits, got ${describe(error.data)}`];
    case "binary":
      return [undefined, `expects a binary as {"$binary": {…}}, got ${describe(error.data)}`];
    case "plainObject":
      return [undefined, `expects an object, got ${describe(error.data)}`];
    case "oneOfValues":
      return [undefined, "expects one of the values that the schema lists"];
    case "sameValue":
      return [undefined, "expects the one value that the schema names"];
    default:
      return [undefined, error.message ?? `does not satisfy ${error.keyword}`];
  }
}

function unescapePointer(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}
