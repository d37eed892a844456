import type { Faults } from "#protocol/errors";

/**
 * The part of JSON Schema 2020-12 that route bodies need. It is interpreted, not compiled: bodies are shallow, what
 * lies deeper is the language's to judge, and compiling forty validators would double the time to start.
 */
export interface Schema {
  readonly type?: JsonType | readonly JsonType[];
  readonly enum?: readonly (string | number)[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  /** For readers of the OpenAPI document; not checked. */
  readonly description?: string;
  readonly pattern?: string;
  readonly format?: string;
  readonly examples?: readonly unknown[];
  readonly $ref?: string;
}

type JsonType = "null" | "boolean" | "integer" | "number" | "string" | "array" | "object";

/** An object with exactly these members. */
export function object(properties: Record<string, Schema>, required: readonly string[] = []): Schema {
  return { type: "object", properties, required, additionalProperties: false };
}

/** Checks `value`, adding every fault with its path. An empty `at` stands for the body itself. */
export function checkSchema(schema: Schema, value: unknown, at: string, faults: Faults): void {
  if (!isType(schema.type, value)) {
    faults.add(at || "body", "bad_value", `expects ${typeText(schema.type)}, got ${typeOf(value)}`);
    return;
  }
  if (schema.enum !== undefined && !schema.enum.includes(value as string)) {
    faults.add(at || "body", "bad_value", `expects one of ${schema.enum.map((v) => JSON.stringify(v)).join(", ")}`);
  } else if (typeof value === "number") checkRange(schema, value, at, faults);
  else if (typeof value === "string") checkLength(schema, value, at, faults);
  else if (Array.isArray(value)) checkItems(schema, value, at, faults);
  else if (typeof value === "object" && value !== null) checkMembers(schema, value as Members, at, faults);
}

type Members = Readonly<Record<string, unknown>>;

function checkMembers(schema: Schema, value: Members, at: string, faults: Faults): void {
  const { properties, required = [], additionalProperties = true } = schema;
  if (properties === undefined && additionalProperties === true) return;
  for (const name of required) {
    if (!Object.hasOwn(value, name)) faults.add(join(at, name), "missing_member", "is missing");
  }
  for (const name of Object.keys(value)) {
    const known = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (known !== undefined) checkSchema(known, value[name], join(at, name), faults);
    else if (typeof additionalProperties === "object") {
      checkSchema(additionalProperties, value[name], join(at, name), faults);
    } else if (!additionalProperties) {
      const others = Object.keys(properties ?? {}).join(", ");
      faults.add(join(at, name), "unknown_member", `is not known here; known are ${others}`);
      if (faults.full) return;
    }
  }
}

function checkItems(schema: Schema, items: readonly unknown[], at: string, faults: Faults): void {
  if (schema.maxItems !== undefined && items.length > schema.maxItems) {
    faults.add(at, "too_many_values", `expects at most ${schema.maxItems} entries, got ${items.length}`);
    return;
  }
  if (schema.items === undefined) return;
  for (const [i, item] of items.entries()) checkSchema(schema.items, item, join(at, String(i)), faults);
}

function checkRange(
  { minimum = -Infinity, maximum = Infinity }: Schema,
  value: number,
  at: string,
  faults: Faults,
): void {
  if (value < minimum || value > maximum) {
    const range = maximum === Infinity ? `at least ${minimum}` : `from ${minimum} to ${maximum}`;
    faults.add(at, "bad_value", `expects a number ${range}, got ${value}`);
  }
}

function checkLength({ minLength = 0, maxLength = Infinity }: Schema, value: string, at: string, faults: Faults): void {
  if (value.length < minLength || value.length > maxLength) {
    const range = maxLength === Infinity ? `at least ${minLength}` : `${minLength} to ${maxLength}`;
    faults.add(at, "bad_value", `expects a string of ${range} characters, got ${value.length}`);
  }
}

function isType(type: Schema["type"], value: unknown): boolean {
  if (type === undefined) return true;
  const is = typeOf(value);
  return typeof type === "string" ? fits(type, is, value) : type.some((t) => fits(t, is, value));
}

function fits(type: JsonType, is: string, value: unknown): boolean {
  return type === is || (type === "integer" && Number.isInteger(value));
}

function typeOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function typeText(type: Schema["type"]): string {
  const types = typeof type === "string" ? [type] : (type ?? []);
  return types.map((t) => (t === "null" ? t : `${/^[aio]/.test(t) ? "an" : "a"} ${t}`)).join(" or ");
}

function join(at: string, name: string): string {
  return at === "" ? name : `${at}.${name}`;
}
