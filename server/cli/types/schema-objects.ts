import { isSchemaObject, type SchemaObject } from "../../documents/schema/walk.ts";
import type { Place, SchemaPlaces } from "./schema-places.ts";
import type { Member, ObjectShape } from "./shape.ts";

/** What a schema says by itself of an object's members. Undefined: no object fits. */
export function objectOf(schema: SchemaObject, places: SchemaPlaces): ObjectShape<Place> | undefined {
  const rest = restOf(schema, places);
  const further = rest === "open" || (rest !== "closed" && rest.length !== 1) ? places.any : (rest[0] as Place);
  const closed = rest === "closed";
  const required = new Set<unknown>(Array.isArray(schema.required) ? schema.required : []);
  const members = new Map<string, Member<Place>>();
  for (const [name, property] of entries(schema.properties)) {
    const note = noteOf(property);
    const optional = !required.has(name);
    members.set(name, { place: places.at(property), optional, ...(note !== undefined && { note }) });
  }
  for (const name of required) {
    if (typeof name !== "string" || members.has(name)) continue;
    members.set(name, { place: closed ? places.never : further, optional: false });
  }
  const named = namesOf(schema, places);
  if (named) {
    for (const name of named) {
      if (!closed && !members.has(name)) members.set(name, { place: further, optional: true });
    }
    for (const [name, { optional }] of members) {
      if (named.includes(name)) continue;
      if (!optional) return undefined;
      members.delete(name);
    }
  }
  const impossible = [...members.values()].some(({ place, optional }) => place === places.never && !optional);
  return impossible ? undefined : { members, rest: named ? "closed" : rest };
}

/** Names that are patterns have no TypeScript of their own, so any further name may hold what they hold. */
function restOf({ patternProperties, additionalProperties }: SchemaObject, places: SchemaPlaces) {
  const patterns = entries(patternProperties).map(([, property]) => property);
  const further = additionalProperties ?? true;
  if (patterns.length === 0) {
    if (further === true) return "open";
    return further === false ? "closed" : [places.at(further)];
  }
  return [...new Set([...patterns, ...(further === false ? [] : [further])].map((one) => places.at(one)))];
}

/** The names that `propertyNames` lists. */
function namesOf({ propertyNames }: SchemaObject, places: SchemaPlaces): readonly string[] | undefined {
  if (propertyNames === undefined) return undefined;
  const { string } = places.open(places.at(propertyNames));
  return string === "all" ? undefined : string;
}

/** What a schema tells its readers. */
export function noteOf(schema: unknown): string | undefined {
  if (!isSchemaObject(schema)) return undefined;
  const { title, description, deprecated } = schema;
  const text = [description, title].find((one) => typeof one === "string" && one.trim() !== "");
  const lines = [...(text === undefined ? [] : [String(text)]), ...(deprecated === true ? ["@deprecated"] : [])];
  return lines.length > 0 ? lines.join("\n") : undefined;
}

function entries(input: unknown): [string, unknown][] {
  return isSchemaObject(input) ? Object.entries(input) : [];
}
