import { GalleyError } from "#protocol/errors";
import { LIMITS } from "#protocol/limits";
import { isObjectValue, type ObjectValue, type Value } from "#protocol/values";
import { literalValue } from "./compile.ts";
import { resolveRef } from "./refs.ts";
import { isSchemaObject, type SchemaObject, subschemas } from "./walk.ts";

/**
 * Fills the defaults of properties that are absent and whose parent object is there (http-api.md "Collections" 2),
 * through `properties`, `items`, `allOf` and `$ref`. The value given is not changed; untouched parts are shared.
 */
export function fillDefaults(root: SchemaObject, fields: ObjectValue): ObjectValue {
  return new Filler(root).fill(root, fields, 1) as ObjectValue;
}

/** Whether a schema has any default, so that most collections skip the work. */
export function hasDefaults(schema: unknown): boolean {
  if (!isSchemaObject(schema)) return false;
  if (Object.hasOwn(schema, "default")) return true;
  for (const below of subschemas(schema)) if (hasDefaults(below.schema)) return true;
  return false;
}

class Filler {
  readonly #root: SchemaObject;

  constructor(root: SchemaObject) {
    this.#root = root;
  }

  /** @param level nesting level of the value */
  fill(schema: unknown, value: Value, level: number): Value {
    if (!isSchemaObject(schema)) return value;
    let filled = value;
    // References and alternatives at one value come to an end: checkRefs has refused the others.
    if (typeof schema.$ref === "string") filled = this.fill(resolveRef(this.#root, schema.$ref), filled, level);
    if (Array.isArray(schema.allOf)) for (const part of schema.allOf) filled = this.fill(part, filled, level);
    if (Array.isArray(filled)) return this.#items(schema, filled as readonly Value[], level);
    if (!isObjectValue(filled) || !isSchemaObject(schema.properties)) return filled;
    return this.#members(schema.properties, filled, level);
  }

  #members(properties: SchemaObject, object: ObjectValue, level: number): ObjectValue {
    let filled: Record<string, Value> | undefined;
    for (const [name, property] of Object.entries(properties)) {
      if (!isSchemaObject(property)) continue;
      const given = Object.hasOwn(object, name);
      if (!given && !Object.hasOwn(property, "default")) continue;
      if (!given && level > LIMITS.documentDepth) throw endless(name);
      const before = given ? (object[name] as Value) : literalValue(property.default);
      const after = this.fill(property, before, level + 1);
      if (given && after === before) continue;
      filled ??= { ...object };
      filled[name] = after;
    }
    return filled ?? object;
  }

  #items(schema: SchemaObject, items: readonly Value[], level: number): readonly Value[] {
    const prefix: readonly unknown[] = Array.isArray(schema.prefixItems) ? schema.prefixItems : [];
    const filled = items.map((item, i) => this.fill(i < prefix.length ? prefix[i] : schema.items, item, level + 1));
    return filled.some((item, i) => item !== items[i]) ? filled : items;
  }
}

/** A default may hold an object whose own default is the same one again. */
function endless(name: string): GalleyError {
  return new GalleyError("schema_violation", `the defaults of ${JSON.stringify(name)} fill each other without end`);
}
