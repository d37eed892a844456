import { isCollectionName } from "#protocol/batch";
import type { Faults } from "#protocol/errors";
import { decodeValue, keyFault } from "#protocol/values";
import { CLASS_KEYWORDS, KEYWORDS } from "./keywords.ts";
import { patternFault } from "./patterns.ts";

/** A schema that is an object; `true` and `false` are the others. */
export interface SchemaObject {
  readonly [keyword: string]: unknown;
}

/** Bounds of one schema: beyond them, compiling it would hold up everybody else. */
const SCHEMA_DEPTH = 32;
const SCHEMA_NODES = 1000;

export function isSchemaObject(input: unknown): input is SchemaObject {
  return typeof input === "object" && input !== null && !Array.isArray(input);
}

/** The schemas directly inside one, each with its keyword and its place below. */
export function* subschemas(schema: SchemaObject): Generator<{ keyword: string; place: string; schema: unknown }> {
  for (const [keyword, held] of Object.entries(schema)) {
    switch (KEYWORDS.get(keyword)) {
      case "schema":
        yield { keyword, place: keyword, schema: held };
        break;
      case "schemas":
        if (Array.isArray(held))
          for (const [i, one] of held.entries()) yield { keyword, place: `${keyword}.${i}`, schema: one };
        break;
      case "map":
        if (isSchemaObject(held)) {
          for (const [name, one] of Object.entries(held)) yield { keyword, place: `${keyword}.${name}`, schema: one };
        }
    }
  }
}

/** How many schemas one is made of, itself included. */
export function countSchemas(schema: unknown): number {
  if (!isSchemaObject(schema)) return 1;
  let count = 1;
  for (const below of subschemas(schema)) count += countSchemas(below.schema);
  return count;
}

/**
 * Judges what the validator would not, or not with a path: unknown keywords, patterns, Galley's own keywords, names that
 * no document can hold, and size. What standard keywords may hold is the meta-schema's to judge.
 */
export function walkSchema(schema: unknown, at: string, faults: Faults): void {
  new Walk(faults).schema(schema, at, 1);
}

class Walk {
  readonly #faults: Faults;
  #nodes = 0;

  constructor(faults: Faults) {
    this.#faults = faults;
  }

  schema(schema: unknown, at: string, depth: number): void {
    if (typeof schema === "boolean") return;
    if (!isSchemaObject(schema)) {
      this.#faults.add(at, "bad_value", "expects a JSON Schema: an object, true or false");
      return;
    }
    if (depth > SCHEMA_DEPTH) {
      this.#faults.add(at, "too_deep", `is nested deeper than ${SCHEMA_DEPTH} schemas`);
      return;
    }
    this.#nodes++;
    if (this.#nodes > SCHEMA_NODES) {
      if (this.#nodes === SCHEMA_NODES + 1) {
        this.#faults.add(at, "too_many_nodes", `is the schema after the ${SCHEMA_NODES} that one may hold`);
      }
      return;
    }
    for (const [keyword, operand] of Object.entries(schema)) this.#keyword(keyword, operand, `${at}.${keyword}`, depth);
    this.#own(schema, at);
    for (const below of subschemas(schema)) this.schema(below.schema, `${at}.${below.place}`, depth + 1);
  }

  #keyword(keyword: string, operand: unknown, at: string, depth: number): void {
    if (!KEYWORDS.has(keyword)) {
      this.#faults.add(at, "unknown_member", "is no keyword of JSON Schema 2020-12 nor one of Galley's");
      return;
    }
    switch (keyword) {
      case "pattern":
        if (typeof operand === "string") this.#pattern(operand, at);
        break;
      case "patternProperties":
        if (isSchemaObject(operand)) for (const source of Object.keys(operand)) this.#pattern(source, at);
        break;
      case "properties":
        if (isSchemaObject(operand)) this.#names(Object.keys(operand), at, depth);
        break;
      case "required":
        if (depth === 1 && Array.isArray(operand))
          this.#names(
            operand.filter((name) => typeof name === "string"),
            at,
            1,
          );
        break;
      case "$id":
      case "$schema":
        if (depth > 1) this.#faults.add(at, "not_available_yet", `${keyword} may stand at the top only`);
        break;
      case "enum":
        if (Array.isArray(operand)) for (const [i, literal] of operand.entries()) this.#literal(literal, `${at}.${i}`);
        break;
      case "const":
      case "default":
        this.#literal(operand, at);
        break;
      case "$ref":
        if (typeof operand !== "string" || !operand.startsWith("#")) {
          this.#faults.add(at, "bad_operand", 'expects a reference inside this schema, as in "#/$defs/name"');
        }
    }
  }

  /** Names of properties: no document holds an illegal one, and the server's fields are not the schema's to judge. */
  #names(names: readonly string[], at: string, depth: number): void {
    for (const name of names) {
      const fault = keyFault(name);
      if (fault !== undefined) this.#faults.add(at, "bad_value", fault);
      else if (depth === 1 && name.startsWith("_")) {
        const message = `${JSON.stringify(name)} is reserved: a schema judges a document without the server's fields`;
        this.#faults.add(at, "reserved_field", message);
      }
    }
  }

  #literal(literal: unknown, at: string): void {
    decodeValue(structuredClone(literal), at, this.#faults, 2);
  }

  #pattern(source: string, at: string): void {
    const fault = patternFault(source);
    if (fault !== undefined) this.#faults.add(at, "bad_operand", fault);
  }

  /** Galley's keywords. */
  #own(schema: SchemaObject, at: string): void {
    const classes = CLASS_KEYWORDS.filter((name) => Object.hasOwn(schema, name));
    for (const name of classes) {
      if (schema[name] !== true) this.#faults.add(`${at}.${name}`, "bad_operand", "expects true");
    }
    if (classes.length > 1 || (classes.length === 1 && Object.hasOwn(schema, "type"))) {
      this.#faults.add(
        at,
        "bad_value",
        `expects one of type, ${CLASS_KEYWORDS.join(", ")}: each names the value's class`,
      );
    }
    for (const name of ["ref", "file"]) {
      if (!Object.hasOwn(schema, name)) continue;
      const target = name === "ref" ? "collection" : "bucket";
      if (!isCollectionName(schema[name]))
        this.#faults.add(`${at}.${name}`, "bad_operand", `expects the name of a ${target}`);
      if (schema.type !== "string")
        this.#faults.add(`${at}.${name}`, "bad_value", 'expects "type": "string" beside it');
    }
  }
}
