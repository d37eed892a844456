import { resolveRef } from "../../documents/schema/refs.ts";
import { isSchemaObject, type SchemaObject } from "../../documents/schema/walk.ts";
import type { Place, SchemaPlaces } from "./schema-places.ts";

/** Keys of a path that are told. */
const DEEPEST = 6;
/** How often one schema may stand on the way: where it refers to itself, paths have no end. */
const AGAIN = 2;
/** Paths that are told at most. */
const MOST = 200;

/** Paths of the fields that the server fills, as it does: through `properties`, items, `allOf` and references. */
export function defaultsOf(root: SchemaObject): string[] {
  const found = new Set<string>();
  const visit = (schema: unknown, path: readonly string[], way: readonly unknown[]): void => {
    if (!isSchemaObject(schema) || isDone(schema, path, way) || found.size >= MOST) return;
    const on = [...way, schema];
    if (typeof schema.$ref === "string") visit(resolveRef(root, schema.$ref), path, on);
    for (const part of list(schema.allOf)) visit(part, path, on);
    for (const part of path.length > 0 ? [...list(schema.prefixItems), schema.items] : []) visit(part, path, on);
    if (!isSchemaObject(schema.properties)) return;
    for (const [name, property] of Object.entries(schema.properties)) {
      const inner = [...path, name];
      if (isSchemaObject(property) && Object.hasOwn(property, "default")) found.add(inner.join("."));
      visit(property, inner, on);
    }
  };
  visit(root, [], []);
  return [...found];
}

/** Which collection each reference leads to, by path, through arrays. */
export function refsOf(places: SchemaPlaces): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (place: Place, path: readonly string[], way: readonly unknown[]): void => {
    if (isDone(place, path, way) || found.size >= MOST) return;
    const on = [...way, place];
    const { ref, arrays, objects } = places.open(place);
    if (ref !== undefined && path.length > 0) found.set(path.join("."), ref);
    for (const { members } of objects) {
      for (const [name, member] of members) if (!/^\d+$/.test(name)) visit(member.place, [...path, name], on);
    }
    for (const { prefix, rest } of arrays) {
      // An array directly inside another is not looked into.
      for (const element of rest === undefined ? prefix : [...prefix, rest]) {
        if (places.open(element).arrays.length === 0) visit(element, path, on);
      }
    }
  };
  visit(places.document, [], []);
  return found;
}

function isDone(schema: unknown, path: readonly string[], way: readonly unknown[]): boolean {
  return path.length > DEEPEST || way.filter((one) => one === schema).length >= AGAIN;
}

function list(input: unknown): readonly unknown[] {
  return Array.isArray(input) ? input : [];
}
