import { isObjectValue, type ObjectValue, type Value } from "#protocol/values";
import { literalValue } from "./compile.ts";
import { resolveRef } from "./refs.ts";
import { isSchemaObject, type SchemaObject, subschemas } from "./walk.ts";

/**
 * Fills the defaults of properties that are absent and whose parent object is there (http-api.md "Collections" 2),
 * through `properties`, `items`, `allOf` and `$ref`. The value given is not changed; untouched parts are shared.
 */
export function fillDefaults(root: SchemaObject, fields: ObjectValue): ObjectValue {
  return fill(root, root, fields, 0) as ObjectValue;
}

/** Whether a schema has any default, so that most collections skip the work. */
export function hasDefaults(schema: unknown): boolean {
  if (!isSchemaObject(schema)) return false;
  if (Object.hasOwn(schema, "default")) return true;
  for (const below of subschemas(schema)) if (hasDefaults(below.schema)) return true;
  return false;
}

/** References and alternatives followed at one value; checkRefs has refused those without an end. */
function fill(root: SchemaObject, schema: unknown, value: Value, steps: number): Value {
  if (!isSchemaObject(schema) || steps > 32) return value;
  let filled = value;
  if (typeof schema.$ref === "string") filled = fill(root, resolveRef(root, schema.$ref), filled, steps + 1);
  if (Array.isArray(schema.allOf)) for (const part of schema.allOf) filled = fill(root, part, filled, steps + 1);
  if (Array.isArray(filled)) return fillItems(root, schema, filled as readonly Value[]);
  if (!isObjectValue(filled) || !isSchemaObject(schema.properties)) return filled;
  return fillMembers(root, schema.properties, filled);
}

function fillMembers(root: SchemaObject, properties: SchemaObject, object: ObjectValue): ObjectValue {
  let filled: Record<string, Value> | undefined;
  for (const [name, property] of Object.entries(properties)) {
    if (!isSchemaObject(property)) continue;
    const given = Object.hasOwn(object, name);
    if (!given && !Object.hasOwn(property, "default")) continue;
    const before = given ? (object[name] as Value) : literalValue(property.default);
    const after = fill(root, property, before, 0);
    if (given && after === before) continue;
    filled ??= { ...object };
    filled[name] = after;
  }
  return filled ?? object;
}

function fillItems(root: SchemaObject, schema: SchemaObject, items: readonly Value[]): readonly Value[] {
  const prefix: readonly unknown[] = Array.isArray(schema.prefixItems) ? schema.prefixItems : [];
  const filled = items.map((item, i) => fill(root, i < prefix.length ? prefix[i] : schema.items, item, 0));
  return filled.some((item, i) => item !== items[i]) ? filled : items;
}
