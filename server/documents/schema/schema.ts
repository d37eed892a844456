import type { ValidateFunction } from "ajv/dist/2020.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Faults, GalleyError } from "#protocol/errors";
import { jsonBytes } from "#protocol/json-size";
import type { ObjectValue } from "#protocol/values";
import { deeperThan } from "../nesting.ts";
import { compileValidator } from "./compile.ts";
import { fillDefaults, hasDefaults } from "./defaults.ts";
import { addFaults } from "./faults.ts";
import { addFormats } from "./formats.ts";
import { Places } from "./places.ts";
import { checkRefs } from "./refs.ts";
import { countSchemas, isSchemaObject, type SchemaObject, subschemas, walkSchema } from "./walk.ts";

/** Bytes of a schema's JSON text. */
const SCHEMA_BYTES = 256 * 1024;
/** Levels of its JSON, literals included. What follows may recurse. */
const SCHEMA_LEVELS = 128;
/** Characters of a document up to which every fault is told; of a larger one the first, since each costs memory. */
const EVERY_FAULT_CHARACTERS = 128 * 1024;
/** Schemas inside one that a validator may nest to stop at its first fault. */
const SCHEMAS_NESTED = 300;

/** Places of a collection without a schema: only the server's fields are known. */
export const OPEN_PLACES = new Places({});

/** The schema of a collection; http-api.md "Collections". It judges documents without the server's fields. */
export class Schema {
  /** As it was given. */
  readonly source: SchemaObject;
  readonly places: Places;
  readonly #defaults: boolean;
  /** Made at first use: a start with a thousand collections compiles none. */
  #every: ValidateFunction | undefined;
  #first: ValidateFunction | undefined;

  constructor(source: SchemaObject) {
    this.source = source;
    this.places = new Places(source);
    this.#defaults = hasDefaults(source);
  }

  /** The fields with the schema's defaults where they are absent. */
  fill(fields: ObjectValue): ObjectValue {
    return this.#defaults ? fillDefaults(this.source, fields) : fields;
  }

  /**
   * Adds what does not fit.
   * @param size characters of the document's text: a large one is told its first fault only
   */
  judge(fields: ObjectValue, at: string, faults: Faults, size = 0): void {
    const validate = size > EVERY_FAULT_CHARACTERS ? this.#firstFault() : this.#everyFault();
    if (fits(validate, fields, at, faults)) return;
    addFaults(validate.errors ?? [], fields, at, faults);
    validate.errors = null;
  }

  #everyFault(): ValidateFunction {
    this.#every ??= compileValidator(this.source, true);
    return this.#every;
  }

  /** Its code nests with each property, so a large schema has none. */
  #firstFault(): ValidateFunction {
    if (countSchemas(this.source) > SCHEMAS_NESTED) return this.#everyFault();
    this.#first ??= compileValidator(this.source, false);
    return this.#first;
  }

  /** @throws GalleyError `schema_violation` with every fault */
  enforce(fields: ObjectValue, at: string, size: number): void {
    const faults = new Faults();
    this.judge(fields, at, faults, size);
    const [first] = faults.list;
    if (first) throw new GalleyError("schema_violation", first.message, { faults: faults.list });
  }
}

/**
 * A schema that follows its references through a thousand steps may need more stack than there is, and what ajv writes for
 * `unevaluated…` behind a reference fails where that one has evaluated nothing. Whatever is not judged is refused.
 */
function fits(validate: ValidateFunction, fields: ObjectValue, at: string, faults: Faults): boolean {
  try {
    return validate(fields);
  } catch (error) {
    const isDeep = error instanceof RangeError;
    faults.add(
      at,
      "schema",
      isDeep ? "takes its schema through too many references" : "cannot be judged by its schema",
    );
    return false;
  }
}

/**
 * Reads a schema from a request. Whatever is wrong is a fault with its path; what comes back compiles.
 * @returns undefined only if a fault was added
 */
export function parseSchema(input: unknown, at: string, faults: Faults): Schema | undefined {
  const before = faults.list.length;
  const failed = () => faults.list.length > before;
  if (!isSchemaObject(input)) faults.add(at, "bad_value", "expects a JSON Schema as an object, or null for none");
  else if (jsonBytes(input, SCHEMA_BYTES) > SCHEMA_BYTES) {
    faults.add(at, "too_long", `is longer than ${SCHEMA_BYTES} bytes as JSON`);
  } else if (deeperThan(input, SCHEMA_LEVELS)) {
    faults.add(at, "too_deep", `is nested deeper than ${SCHEMA_LEVELS} levels as JSON`);
  } else walkSchema(input, at, faults);
  if (!isSchemaObject(input) || failed()) return undefined;
  judgeByMetaSchema(input, at, faults);
  if (failed()) return undefined;
  checkFormats(input, at, faults);
  checkRefs(input, at, faults);
  if (failed()) return undefined;
  try {
    const schema = new Schema(input);
    // Whatever is too large to run, or fills itself without end, shows at the first run.
    schema.judge(schema.fill({}), at, new Faults());
    return schema;
  } catch (error) {
    faults.add(at, "bad_value", `cannot be compiled: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** The dialect that a schema may name as its own. */
const DIALECT = "https://json-schema.org/draft/2020-12/schema";
/** Holds the meta-schema and the formats; made when the first schema is given. */
let meta: Ajv2020 | undefined;

function metaValidator(): Ajv2020 {
  if (!meta) {
    meta = new Ajv2020({ strict: false, allErrors: true, logger: false });
    addFormats(meta);
  }
  return meta;
}

function judgeByMetaSchema(schema: SchemaObject, at: string, faults: Faults): void {
  if (schema.$schema !== undefined && schema.$schema !== DIALECT && schema.$schema !== `${DIALECT}#`) {
    faults.add(`${at}.$schema`, "bad_operand", `expects ${DIALECT}, the one dialect that is read`);
    return;
  }
  const validate = metaValidator().getSchema(DIALECT);
  if (validate && validate(schema) !== true) addFaults(validate.errors ?? [], schema, at, faults);
}

function checkFormats(schema: unknown, at: string, faults: Faults): void {
  if (!isSchemaObject(schema)) return;
  const { format } = schema;
  if (typeof format === "string" && !Object.hasOwn(metaValidator().formats, format)) {
    faults.add(`${at}.format`, "bad_operand", `${JSON.stringify(format.slice(0, 40))} is not a format that is known`);
  }
  for (const below of subschemas(schema)) checkFormats(below.schema, `${at}.${below.place}`, faults);
}
