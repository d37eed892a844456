import { Faults } from "#protocol/errors";
import { decodeValue, INT64_MAX, INT64_MIN, type Value } from "#protocol/values";
import { resolveRef } from "../../documents/schema/refs.ts";
import { isSchemaObject, type SchemaObject } from "../../documents/schema/walk.ts";
import { objectOf } from "./schema-objects.ts";
import { type ArrayShape, anything, intersect, NEVER, OPEN, type Places, type Shape, unite } from "./shape.ts";

/** A place of documents, by the schemas that all judge it. None: anything may be there. Each is made once. */
export interface Place {
  readonly schemas: readonly SchemaObject[];
}

/** Keywords by which a TypeScript type can differ; all others judge values that have the type. */
const TELLING = new Set([
  ...["type", "enum", "const", "date", "int64", "binary", "ref", "$ref", "allOf", "anyOf", "oneOf", "if"],
  ...["properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "propertyNames", "required"],
  ...["items", "prefixItems", "unevaluatedItems", "dependentSchemas"],
]);
const OF_ARRAYS = ["items", "prefixItems", "unevaluatedItems"];
/** Keywords beside which `unevaluatedItems` may have nothing left to judge. */
const JUDGING_ITEMS = new Set(["contains", "$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"]);
const OF_OBJECTS = ["properties", "patternProperties", "additionalProperties", "propertyNames", "required"];

/** What the validator accepts at each place of a schema, as shapes. The server has judged the schema. */
export class SchemaPlaces implements Places<Place> {
  readonly any: Place = { schemas: [] };
  readonly never: Place = { schemas: [] };
  /** The whole document, which is an object whether its schema says so or not. */
  readonly document: Place;
  readonly #root: SchemaObject;
  readonly #made = new Map<string, Place>([["", this.any]]);
  readonly #numbers = new Map<SchemaObject, number>();
  readonly #shapes = new Map<SchemaObject, Shape<Place> | "open">();
  /** Schemas that references lead to, with the last part of the reference. */
  readonly #names = new Map<SchemaObject, string>();

  constructor(root: SchemaObject) {
    this.#root = root;
    const whole = this.#place([root]);
    this.document = isObject(this.open(whole)) ? whole : { schemas: [{ type: "object", allOf: [root] }] };
  }

  /** The place that a schema judges. */
  at(schema: unknown): Place {
    const parts = this.#parts(schema);
    return parts ? this.#place(parts) : this.never;
  }

  both(a: Place, b: Place): Place {
    if (a === this.never || b === this.never) return this.never;
    return this.#place([...a.schemas, ...b.schemas]);
  }

  open(place: Place): Shape<Place> {
    if (place === this.never) return NEVER;
    const [first, ...more] = place.schemas.map((schema) => this.#shape(schema));
    return more.reduce((shape, next) => intersect(shape, next, this), first ?? anything(this));
  }

  /** What references call a place. */
  nameOf({ schemas: [schema, other] }: Place): string | undefined {
    return schema && !other ? this.#names.get(schema) : undefined;
  }

  #place(schemas: readonly SchemaObject[]): Place {
    const numbers = schemas.map((schema) => {
      const number = this.#numbers.get(schema) ?? this.#numbers.size;
      this.#numbers.set(schema, number);
      return [number, schema] as const;
    });
    const sorted = new Map(numbers.sort(([a], [b]) => a - b));
    const key = [...sorted.keys()].join(" ");
    const place = this.#made.get(key) ?? { schemas: [...sorted.values()] };
    this.#made.set(key, place);
    return place;
  }

  /** A schema as others that say the same together, so that each reference has its own; undefined: nothing fits. */
  #parts(schema: unknown): SchemaObject[] | undefined {
    if (schema === false) return undefined;
    if (!isSchemaObject(schema)) return [];
    const telling = Object.keys(schema).filter((keyword) => TELLING.has(keyword));
    if (!telling.every((keyword) => keyword === "$ref" || keyword === "allOf")) return [schema];
    const parts: SchemaObject[] = [];
    for (const part of list(schema.allOf).map((one) => this.#parts(one))) {
      if (!part) return undefined;
      parts.push(...part);
    }
    if (typeof schema.$ref !== "string") return parts;
    const target = this.#target(schema.$ref);
    if (target === false) return undefined;
    return isSchemaObject(target) ? [target, ...parts] : parts;
  }

  /** What a reference leads to in the end. */
  #target(ref: string): unknown {
    const target = resolveRef(this.#root, ref);
    if (!isSchemaObject(target)) return target;
    const [only, other] = Object.keys(target).filter((keyword) => TELLING.has(keyword));
    if (only === undefined) return true;
    if (only === "$ref" && other === undefined) return this.#target(target.$ref as string);
    if (!this.#names.has(target) && target !== this.#root) this.#names.set(target, ref.split(/[#/]/).pop() ?? "");
    return target;
  }

  #shape(schema: SchemaObject): Shape<Place> {
    const known = this.#shapes.get(schema);
    // The server refuses what comes back to itself in place.
    if (known) return known === "open" ? anything(this) : known;
    this.#shapes.set(schema, "open");
    const shape = this.#evaluated(schema, this.#whole(schema));
    this.#shapes.set(schema, shape);
    return shape;
  }

  #whole(schema: SchemaObject): Shape<Place> {
    const shapes = [this.#own(schema)];
    if (typeof schema.$ref === "string") shapes.push(this.#inside({ $ref: schema.$ref }));
    shapes.push(...list(schema.allOf).map((part) => this.#inside(part)));
    for (const alternatives of [schema.anyOf, schema.oneOf]) {
      if (Array.isArray(alternatives)) shapes.push(this.#oneOf(alternatives.map((part) => this.#inside(part))));
    }
    if (schema.if !== undefined) {
      const both = intersect(this.#inside(schema.if), this.#inside(schema.then), this);
      shapes.push(this.#oneOf([both, this.#inside(schema.else)]));
    }
    for (const [name, part] of Object.entries(schema.dependentSchemas ?? {})) {
      const present = this.#own({ required: [name] });
      shapes.push(this.#oneOf([anything(this), intersect(present, this.#inside(part), this)]));
    }
    return shapes.reduce((a, b) => intersect(a, b, this));
  }

  #oneOf(shapes: readonly Shape<Place>[]): Shape<Place> {
    return unite(shapes, this);
  }

  /** A schema that judges the same value. What is one named object keeps its name. */
  #inside(schema: unknown): Shape<Place> {
    const place = this.at(schema);
    const shape = this.open(place);
    const [object] = shape.objects;
    if (!object || object.named || this.nameOf(place) === undefined || !isObject(shape)) return shape;
    return { ...shape, objects: [{ ...object, named: place }] };
  }

  /** What a schema says by itself. */
  #own(schema: SchemaObject): Shape<Place> {
    let shape = ofClasses(anything(this), schema);
    const literals = [schema.enum, Object.hasOwn(schema, "const") ? [schema.const] : undefined];
    for (const some of literals) {
      if (Array.isArray(some)) shape = intersect(shape, this.#oneOf(some.map((one) => this.#literal(one))), this);
    }
    if (typeof schema.ref === "string") shape = { ...shape, ref: schema.ref };
    if (OF_OBJECTS.some((keyword) => schema[keyword] !== undefined)) {
      const object = objectOf(schema, this);
      const objects = object ? [object] : [];
      // A date is no object, and never fits where an object's members are judged.
      shape = intersect(shape, { ...anything(this), date: false, binary: false, objects }, this);
    }
    if (OF_ARRAYS.some((keyword) => schema[keyword] !== undefined)) {
      shape = intersect(shape, { ...anything(this), arrays: [this.#array(schema)] }, this);
    }
    return shape;
  }

  #array(schema: SchemaObject): ArrayShape<Place> {
    const { prefixItems, minItems } = schema;
    const others = Object.keys(schema).some((keyword) => JUDGING_ITEMS.has(keyword));
    const items = schema.items ?? (others ? undefined : schema.unevaluatedItems);
    return {
      prefix: list(prefixItems).map((one) => this.at(one)),
      min: typeof minItems === "number" ? minItems : 0,
      rest: items === false ? undefined : this.at(items),
    };
  }

  #literal(literal: unknown): Shape<Place> {
    const none: Shape<Place> = NEVER;
    const value: Value = decodeValue(structuredClone(literal), "", new Faults());
    switch (typeof value) {
      case "string":
        return { ...none, string: [value] };
      case "boolean":
        return { ...none, boolean: [value] };
      case "number": {
        const whole = Number.isInteger(value) ? BigInt(value) : undefined;
        // By the language's equality a number is also the int64 of its size.
        const int64 = whole !== undefined && whole >= INT64_MIN && whole <= INT64_MAX ? [whole] : [];
        return { ...none, number: [value], int64 };
      }
      case "bigint": {
        const double = Number(value);
        return { ...none, int64: [value], number: BigInt(double) === value ? [double] : [] };
      }
    }
    if (value === null) return { ...none, null: true };
    if (value instanceof Date) return { ...none, date: true };
    if (value instanceof Uint8Array) return { ...none, binary: true };
    const within = (part: unknown) => this.at({ const: part });
    if (Array.isArray(literal)) {
      return { ...none, arrays: [{ prefix: literal.map(within), min: literal.length, rest: undefined }] };
    }
    const members = Object.entries(literal as SchemaObject).map(
      ([name, part]) => [name, { place: within(part), optional: false }] as const,
    );
    return { ...none, objects: [{ members: new Map(members), rest: "closed" }] };
  }

  /** What `unevaluated…` says, where it is certain which members and elements others have judged. */
  #evaluated(schema: SchemaObject, shape: Shape<Place>): Shape<Place> {
    const { unevaluatedProperties } = schema;
    const [object, other] = shape.objects;
    if (unevaluatedProperties === undefined || !object || other || object.rest !== "open") return shape;
    if (unevaluatedProperties === false) {
      return object.members.size === 0 ? shape : { ...shape, objects: [{ ...object, rest: "closed" }] };
    }
    return { ...shape, objects: [{ members: object.members, rest: [this.at(unevaluatedProperties)] }] };
  }
}

/** Whether nothing but one kind of object fits. */
export function isObject(shape: Shape<unknown>): boolean {
  const { boolean, number, int64, string, arrays } = shape;
  const others = [boolean, number, int64, string, arrays].some((values) => values.length > 0);
  return shape.objects.length === 1 && !others && !shape.null && !shape.date && !shape.binary;
}

const TYPES: Readonly<Record<string, (all: Shape<Place>) => Partial<Shape<Place>>>> = {
  null: () => ({ null: true }),
  boolean: () => ({ boolean: "all" }),
  integer: () => ({ number: "all" }),
  number: () => ({ number: "all" }),
  string: () => ({ string: "all" }),
  array: ({ arrays }) => ({ arrays }),
  object: () => ({ objects: [OPEN] }),
};

/** The classes that a schema names. */
function ofClasses(all: Shape<Place>, { date, int64, binary, type }: SchemaObject): Shape<Place> {
  if (date === true) return { ...NEVER, date: true };
  if (int64 === true) return { ...NEVER, int64: "all" };
  if (binary === true) return { ...NEVER, binary: true };
  if (type === undefined) return all;
  const named = [type].flat().map((name) => TYPES[String(name)]?.(all));
  return Object.assign({ ...NEVER }, ...named);
}

function list(input: unknown): readonly unknown[] {
  return Array.isArray(input) ? input : [];
}
