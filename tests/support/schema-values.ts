/** Values that are likely to fit a schema, and their TypeScript. */
import { Faults } from "../../sdk/protocol/errors.ts";
import { decodeValue, isObjectValue, type ObjectValue, type Value } from "../../sdk/protocol/values.ts";
import { resolveRef } from "../../server/documents/schema/refs.ts";
import { isSchemaObject, type SchemaObject } from "../../server/documents/schema/walk.ts";

const ANY: readonly Value[] = ["x", "", 5, 1.5, true, null, 7n, new Date(0), new Uint8Array([1]), [], [null, "y"], {}];
const DEEPEST = 5;

/** Makes one that a schema was likely to mean; whether it fits is the validator's to say. */
export function valueFor(root: SchemaObject, random: () => number): Value {
  return make(root, 0);

  function pick<T>(list: readonly T[]): T {
    return list[Math.floor(random() * list.length)] as T;
  }

  function make(schema: unknown, depth: number): Value {
    if (!isSchemaObject(schema) || random() < 0.03 || depth > 4 * DEEPEST) return pick(ANY);
    const parts: Value[] = [];
    if (typeof schema.$ref === "string") parts.push(make(resolveRef(root, schema.$ref), depth + 1));
    for (const part of list(schema.allOf)) parts.push(make(part, depth + 1));
    for (const some of [schema.anyOf, schema.oneOf]) if (Array.isArray(some)) parts.push(make(pick(some), depth + 1));
    if (schema.if !== undefined) {
      const ways = random() < 0.5 ? [schema.if, schema.then] : [schema.else];
      for (const way of ways) if (way !== undefined) parts.push(make(way, depth + 1));
    }
    for (const part of Object.values(schema.dependentSchemas ?? {}))
      if (random() < 0.3) parts.push(make(part, depth + 1));
    const own = ownOf(schema, depth);
    return [...parts, ...(own === undefined ? [] : [own])].reduce(merged, parts[0] ?? own ?? pick(ANY));
  }

  function ownOf(schema: SchemaObject, depth: number): Value | undefined {
    if (Array.isArray(schema.enum)) return twin(literal(pick(schema.enum)));
    if ("const" in schema) return twin(literal(schema.const));
    if (schema.date) return new Date(0);
    if (schema.int64) return 9n;
    if (schema.binary) return new Uint8Array([2]);
    const type = pick([schema.type ?? (schema.items || schema.prefixItems ? "array" : undefined)].flat());
    if (type === "string") return pick(["s", ""]);
    if (type === "boolean") return random() < 0.5;
    if (type === "null") return null;
    if (type === "number" || type === "integer") return pick([0, 3]);
    if (type === "array") return arrayFor(schema, depth);
    if (type === "object" || schema.properties || schema.required || schema.additionalProperties) {
      return objectFor(schema, depth);
    }
    return undefined;
  }

  /** At times the equal number of the other class. */
  function twin(value: Value): Value {
    if (random() < 0.5) return value;
    if (typeof value === "bigint") return Number(value);
    return Number.isSafeInteger(value) ? BigInt(value as number) : value;
  }

  function arrayFor(schema: SchemaObject, depth: number): Value {
    const least = Number(schema.minItems ?? 0);
    const length = depth > DEEPEST ? least : Math.max(least, Math.floor(random() * 4));
    const prefix = list(schema.prefixItems);
    return Array.from({ length }, (_, i) => make(i < prefix.length ? prefix[i] : schema.items, depth + 1));
  }

  function objectFor(schema: SchemaObject, depth: number): Value {
    const object: Record<string, Value> = {};
    const required = list(schema.required);
    const properties = isSchemaObject(schema.properties) ? schema.properties : {};
    for (const name of new Set([...Object.keys(properties), ...required.map(String)])) {
      const wanted = required.includes(name) || random() < (depth > DEEPEST ? 0 : 0.6);
      if (wanted) object[name] = make(properties[name] ?? schema.additionalProperties, depth + 1);
    }
    const patterns = isSchemaObject(schema.patternProperties) ? schema.patternProperties : {};
    const [first] = Object.values(patterns);
    if (first !== undefined && random() < 0.5) object[pick(["x1", "bad"])] = make(first, depth + 1);
    if (isSchemaObject(schema.additionalProperties) && random() < 0.5) {
      object.further = make(schema.additionalProperties, depth + 1);
    }
    return object;
  }

  function merged(a: Value, b: Value): Value {
    if (isObjectValue(a) && isObjectValue(b)) return { ...a, ...b };
    return random() < 0.5 ? a : b;
  }
}

/** A value as an expression. Each object also has the member `[mark]`. */
export function expressionOf(value: Value): string {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Date) return "new Date(0)";
  if (value instanceof Uint8Array) return "new Uint8Array()";
  if (Array.isArray(value)) return `[${value.map(expressionOf).join(", ")}]`;
  if (!isObjectValue(value)) return JSON.stringify(value);
  const members = Object.entries(value as ObjectValue).map(
    ([name, item]) => `${JSON.stringify(name)}: ${expressionOf(item)}`,
  );
  return `{ ${["[mark]: 1", ...members].join(", ")} }`;
}

function literal(input: unknown): Value {
  return decodeValue(structuredClone(input), "", new Faults());
}

function list(input: unknown): readonly unknown[] {
  return Array.isArray(input) ? input : [];
}
