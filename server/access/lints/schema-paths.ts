import type { Path } from "#protocol/paths";
import { isObjectValue } from "#protocol/values";

type Json = Readonly<Record<string, unknown>>;

/** The JSON types that a schema gives to what stands at a path; undefined: any, as far as is plain to see. */
export function classesAt(schema: unknown, path: Path): readonly string[] | undefined {
  const found = schemaAt(schema, path);
  if (!isObjectValue(found)) return undefined;
  const { type } = found as Json;
  if (typeof type === "string") return [type];
  return Array.isArray(type) ? type.filter((one): one is string => typeof one === "string") : undefined;
}

/** Whether a schema that names its fields does not name this one. */
export function isUnknown(schema: unknown, path: Path): boolean {
  return schemaAt(schema, path) === "unknown";
}

/** The fields that a schema names side by side with this one. */
export function fieldsBeside(schema: unknown, path: Path): readonly string[] {
  const place = path.length > 1 ? schemaAt(schema, path.slice(0, -1)) : schema;
  const { properties } = isObjectValue(place) ? (place as Json) : {};
  return isObjectValue(properties) ? Object.keys(properties) : [];
}

/** The schema of a path; "unknown": none, though fields are named there; undefined: it cannot be told. */
function schemaAt(schema: unknown, path: Path): unknown {
  let place = schema;
  for (const segment of path) {
    if (isObjectValue(place) && (place as Json).items !== undefined) place = (place as Json).items;
    if (!isObjectValue(place)) return undefined;
    const { properties, $ref, allOf, anyOf, oneOf, patternProperties } = place as Json;
    if (isObjectValue(properties) && Object.hasOwn(properties, segment)) place = properties[segment];
    else if ($ref ?? allOf ?? anyOf ?? oneOf ?? patternProperties) return undefined;
    else return isObjectValue(properties) ? "unknown" : undefined;
  }
  return place;
}
