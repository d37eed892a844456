/** How a keyword holds further schemas. */
export type Holds = "schema" | "schemas" | "map" | "nothing";

/**
 * The keywords a schema may use: those of JSON Schema 2020-12 and Galley's own (http-api.md "Collections" 1). Anything
 * else is refused by name, so that a typing error never loosens a schema.
 */
export const KEYWORDS: ReadonlyMap<string, Holds> = new Map<string, Holds>([
  ...rows("schema", ["additionalProperties", "unevaluatedProperties", "propertyNames"]),
  ...rows("schema", ["items", "unevaluatedItems", "contains", "not", "if", "then", "else"]),
  ...rows("schemas", ["allOf", "anyOf", "oneOf", "prefixItems"]),
  ...rows("map", ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"]),
  ...rows("nothing", ["$ref", "$anchor", "$comment", "$schema", "$id"]),
  ...rows("nothing", ["type", "enum", "const", "format", "pattern", "minLength", "maxLength"]),
  ...rows("nothing", ["multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]),
  ...rows("nothing", ["minItems", "maxItems", "uniqueItems", "minContains", "maxContains"]),
  ...rows("nothing", ["required", "dependentRequired", "minProperties", "maxProperties"]),
  ...rows("nothing", ["formatMinimum", "formatMaximum", "formatExclusiveMinimum", "formatExclusiveMaximum"]),
  ...rows("nothing", ["title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"]),
  ...rows("nothing", ["contentEncoding", "contentMediaType"]),
  ...rows("nothing", ["date", "int64", "binary", "ref", "file"]),
]);

/** Keywords that judge the same value again; a loop through them alone would never end. */
export const IN_PLACE = new Set(["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"]);

/** Keywords about members. A date or binary is an object to JavaScript only, and never fits where one of them stands. */
export const OBJECT_KEYWORDS = new Set([
  "properties",
  "patternProperties",
  "additionalProperties",
  "unevaluatedProperties",
  "propertyNames",
  "required",
  "dependentRequired",
  "dependentSchemas",
  "minProperties",
  "maxProperties",
]);

/** What a schema says about a value without asking it: never handed to the validator. */
export const ANNOTATIONS = new Set([
  "$schema",
  "$id",
  "$comment",
  "title",
  "description",
  "default",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
  "contentEncoding",
  "contentMediaType",
  "ref",
  "file",
]);

/** The classes that stand in place of `type`. */
export const CLASS_KEYWORDS = ["date", "int64", "binary"] as const;

function rows(holds: Holds, names: readonly string[]): [string, Holds][] {
  return names.map((name) => [name, holds]);
}
