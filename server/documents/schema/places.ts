import { classOf } from "#protocol/compare";
import { isNumericSegment, type Path } from "#protocol/paths";
import type { ValueClass } from "#protocol/values";
import { literalValue } from "./compile.ts";
import { resolveRef } from "./refs.ts";
import { isSchemaObject, type SchemaObject } from "./walk.ts";

/** A schema that judges the values at a place; undefined where the schema says nothing certain. */
export type Place = SchemaObject;

const TYPES: Readonly<Record<string, ValueClass>> = {
  null: "null",
  boolean: "bool",
  integer: "number",
  number: "number",
  string: "string",
  object: "object",
  array: "array",
};
/** References followed in place; recursive schemas recur only further down. */
const STEPS = 16;

/** What section 2 of query-language.md says of the server's fields. */
const SERVER_FIELDS: Readonly<Record<string, Place>> = {
  _id: { type: "string" },
  _v: { type: "number" },
  _createdAt: { date: true },
  _updatedAt: { date: true },
};

/** What one schema tells about paths: which classes fit there, and where references point. */
export class Places {
  /** The place of the whole document, which is an object whether its schema says so or not. */
  readonly document: Place;
  readonly #root: SchemaObject;

  constructor(root: SchemaObject) {
    this.#root = root;
    this.document = { type: "object", allOf: [root] };
  }

  /** Where a path leads from a place; arrays on the way are looked into, as the path iterator does. */
  at(path: Path, from: Place = this.document): Place | undefined {
    const [first = ""] = path;
    if (from === this.document && Object.hasOwn(SERVER_FIELDS, first)) {
      return path.length === 1 ? SERVER_FIELDS[first] : undefined;
    }
    let place: Place | undefined = from;
    for (const segment of path) {
      if (!place || isNumericSegment(segment)) return undefined;
      const classes = this.classes(place);
      if (!classes) return undefined;
      const found: (Place | undefined)[] = [];
      if (classes.has("object")) found.push(this.member(place, segment));
      const items = classes.has("array") ? this.items(place) : undefined;
      if (classes.has("array")) found.push(items && this.member(items, segment));
      place = either(found);
    }
    return place;
  }

  /** The classes that a place allows; undefined: any. */
  classes(place: unknown, steps = 0): ReadonlySet<ValueClass> | undefined {
    if (!isSchemaObject(place) || steps > STEPS) return undefined;
    const sets = [ownClasses(place)];
    if (typeof place.$ref === "string") sets.push(this.classes(resolveRef(this.#root, place.$ref), steps + 1));
    for (const part of list(place.allOf)) sets.push(this.classes(part, steps + 1));
    for (const name of ["anyOf", "oneOf"]) {
      if (Array.isArray(place[name])) sets.push(union(list(place[name]).map((part) => this.classes(part, steps + 1))));
    }
    return intersection(sets);
  }

  /** The schema of an object's member. */
  member(place: unknown, name: string, steps = 0): Place | undefined {
    return this.#inside(
      place,
      steps,
      (schema) => {
        const { properties, patternProperties, additionalProperties } = schema;
        if (isSchemaObject(properties) && Object.hasOwn(properties, name)) return properties[name];
        return patternProperties === undefined ? additionalProperties : undefined;
      },
      (part, next) => this.member(part, name, next),
    );
  }

  /** The schema of an array's elements. */
  items(place: unknown, steps = 0): Place | undefined {
    return this.#inside(
      place,
      steps,
      ({ items, prefixItems }) => {
        if (prefixItems === undefined) return items;
        return either([...list(prefixItems), items].map((one) => (isSchemaObject(one) ? one : undefined)));
      },
      (part, next) => this.items(part, next),
    );
  }

  /** The collection that the strings at a place refer to. */
  ref(place: unknown, steps = 0): string | undefined {
    if (!isSchemaObject(place) || steps > STEPS) return undefined;
    if (typeof place.ref === "string") return place.ref;
    const parts = [...list(place.allOf), ...list(place.anyOf), ...list(place.oneOf), place.items];
    if (typeof place.$ref === "string") parts.push(resolveRef(this.#root, place.$ref));
    for (const part of parts) {
      const found = this.ref(part, steps + 1);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Asks a schema itself, then those it holds in place; of alternatives, each must know. */
  #inside(
    place: unknown,
    steps: number,
    own: (schema: SchemaObject) => unknown,
    ask: (part: unknown, steps: number) => Place | undefined,
  ): Place | undefined {
    if (!isSchemaObject(place) || steps > STEPS) return undefined;
    const found = own(place);
    if (isSchemaObject(found)) return found;
    if (typeof place.$ref === "string") {
      const there = ask(resolveRef(this.#root, place.$ref), steps + 1);
      if (there) return there;
    }
    for (const part of list(place.allOf)) {
      const there = ask(part, steps + 1);
      if (there) return there;
    }
    const alternatives = place.anyOf ?? place.oneOf;
    return Array.isArray(alternatives) ? either(alternatives.map((part) => ask(part, steps + 1))) : undefined;
  }
}

/** Alternatives of one place, over which it counts as unknown: nested ones would multiply along a path. */
const ALTERNATIVES = 64;
const joined = new WeakMap<Place, readonly Place[]>();

/** A place that may be any of several; unknown if one of them is. */
function either(places: readonly (Place | undefined)[]): Place | undefined {
  const all = new Set<Place>();
  for (const place of places) {
    if (!place) return undefined;
    for (const one of joined.get(place) ?? [place]) all.add(one);
  }
  const [first] = all;
  if (!first || all.size > ALTERNATIVES) return undefined;
  if (all.size === 1) return first;
  const place = { anyOf: [...all] };
  joined.set(place, place.anyOf);
  return place;
}

function ownClasses(schema: SchemaObject): ReadonlySet<ValueClass> | undefined {
  if (schema.date === true) return new Set<ValueClass>(["date"]);
  if (schema.int64 === true) return new Set<ValueClass>(["int64"]);
  if (schema.binary === true) return new Set<ValueClass>(["binary"]);
  if (schema.type !== undefined) {
    const classes = [schema.type].flat().map((type) => TYPES[String(type)]);
    return classes.every((one) => one !== undefined) ? new Set(classes) : undefined;
  }
  if (Array.isArray(schema.enum)) return new Set(schema.enum.map((literal) => classOf(literalValue(literal))));
  return Object.hasOwn(schema, "const") ? new Set([classOf(literalValue(schema.const))]) : undefined;
}

function union(sets: readonly (ReadonlySet<ValueClass> | undefined)[]): ReadonlySet<ValueClass> | undefined {
  const all = new Set<ValueClass>();
  for (const set of sets) {
    if (!set) return undefined;
    for (const one of set) all.add(one);
  }
  return all;
}

function intersection(sets: readonly (ReadonlySet<ValueClass> | undefined)[]): ReadonlySet<ValueClass> | undefined {
  let all: ReadonlySet<ValueClass> | undefined;
  for (const set of sets) {
    if (set) all = all ? new Set([...all].filter((one) => set.has(one))) : set;
  }
  return all;
}

function list(input: unknown): readonly unknown[] {
  return Array.isArray(input) ? input : [];
}
