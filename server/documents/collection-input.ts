import { isCollectionName } from "#protocol/batch";
import { describe } from "#protocol/describe";
import { Faults } from "#protocol/errors";
import { LIMITS } from "#protocol/limits";
import { parseMembers } from "#protocol/members";
import { parseSortKey } from "#protocol/sort";
import { isObjectValue } from "#protocol/values";
import type { IndexDefinition } from "../stores/document-store.ts";
import type { DefinitionChange } from "./definition-change.ts";
import { parseSchema, type Schema } from "./schema/schema.ts";

/** Body of `POST /v1/admin/collections`. @throws GalleyError `invalid_argument` with every fault */
export function parseCreation(body: unknown): { name: string; schema: Schema | undefined; indexes: IndexDefinition[] } {
  const faults = new Faults();
  const members = parseMembers(body, "", ["name", "schema", "indexes"], faults);
  const name = members?.get("name");
  if (members && !isCollectionName(name)) {
    faults.add(
      "name",
      name === undefined ? "missing_member" : "bad_value",
      "expects a-z, then up to 62 of a-z 0-9 _ -",
    );
  }
  const schema = schemaOf(members?.get("schema"), faults);
  const indexes = members?.has("indexes") ? parseIndexes(members.get("indexes"), "indexes", faults) : [];
  faults.throwIfAny();
  return { name: name as string, schema: schema ?? undefined, indexes };
}

/** Body of `PATCH /v1/admin/collections/{c}`. @throws GalleyError `invalid_argument` with every fault */
export function parseChange(body: unknown): DefinitionChange & { ifVersion?: number } {
  const faults = new Faults();
  const members = parseMembers(body, "", ["schema", "indexes", "ifVersion", "acceptExisting"], faults);
  const change: { -readonly [K in keyof DefinitionChange]: DefinitionChange[K] } & { ifVersion?: number } = {};
  for (const [name, member] of members ?? []) {
    switch (name) {
      case "schema": {
        const schema = schemaOf(member, faults);
        if (schema !== undefined) change.schema = schema;
        break;
      }
      case "indexes":
        change.indexes = parseIndexes(member, "indexes", faults);
        break;
      case "ifVersion":
        if (typeof member === "number" && Number.isSafeInteger(member) && member >= 0) change.ifVersion = member;
        else faults.add("ifVersion", "bad_operand", `expects the version that was read, got ${describe(member)}`);
        break;
      case "acceptExisting":
        if (typeof member === "boolean") change.acceptExisting = member;
        else faults.add("acceptExisting", "bad_operand", `expects true or false, got ${describe(member)}`);
    }
  }
  faults.throwIfAny();
  return change;
}

/** Body of `POST /v1/admin/collections/{c}/check`. @throws GalleyError `invalid_argument` with every fault */
export function parseCheck(body: unknown): Schema {
  const faults = new Faults();
  const members = parseMembers(body, "", ["schema"], faults);
  const schema = members && parseSchema(members.get("schema"), "schema", faults);
  faults.throwIfAny();
  return schema as Schema;
}

/** null takes the schema off; undefined says nothing of it. */
function schemaOf(input: unknown, faults: Faults): Schema | null | undefined {
  return input === undefined || input === null ? input : parseSchema(input, "schema", faults);
}

/** Reads a list of indexes: `[{paths: ["author", "-_createdAt"], unique?}]`. */
export function parseIndexes(input: unknown, at: string, faults: Faults): IndexDefinition[] {
  if (!Array.isArray(input)) {
    faults.add(at, "bad_operand", `expects an array of indexes, got ${describe(input)}`);
    return [];
  }
  if (input.length > LIMITS.indexesPerCollection) {
    faults.add(at, "too_many_values", `expects at most ${LIMITS.indexesPerCollection} indexes, got ${input.length}`);
    return [];
  }
  const indexes = input.flatMap((item: unknown, i) => parseIndex(item, `${at}.${i}`, faults) ?? []);
  const seen = new Set<string>();
  for (const [i, { paths }] of indexes.entries()) {
    const text = JSON.stringify(paths);
    if (seen.has(text)) faults.add(`${at}.${i}.paths`, "bad_value", "is declared twice");
    seen.add(text);
  }
  return indexes;
}

function parseIndex(input: unknown, at: string, faults: Faults): IndexDefinition | undefined {
  if (!isObjectValue(input)) {
    faults.add(at, "bad_operand", `expects {"paths": ["author", "-_createdAt"], "unique"?}, got ${describe(input)}`);
    return undefined;
  }
  const members = parseMembers(input, at, ["paths", "unique"], faults);
  const paths = pathsOf(members?.get("paths"), `${at}.paths`, faults);
  const unique = members?.has("unique") ? members.get("unique") : false;
  if (typeof unique !== "boolean")
    faults.add(`${at}.unique`, "bad_operand", `expects true or false, got ${describe(unique)}`);
  return unique === true ? { paths, unique } : { paths };
}

function pathsOf(input: unknown, at: string, faults: Faults): string[] {
  if (!Array.isArray(input) || input.length === 0 || input.length > LIMITS.indexPaths) {
    faults.add(at, "bad_operand", `expects 1 to ${LIMITS.indexPaths} paths in an array, "-" in front for descending`);
    return [];
  }
  const seen = new Set<string>();
  return input.flatMap((item: unknown, i) => {
    const place = `${at}.${i}`;
    if (typeof item !== "string") {
      faults.add(place, "bad_operand", `expects a path as text, got ${describe(item)}`);
      return [];
    }
    const path = parseSortKey(item, place, faults).path.join(".");
    if (path === "_id") faults.add(place, "bad_path", "_id ends every index already");
    if (seen.has(path)) faults.add(place, "bad_path", `${JSON.stringify(path)} is named twice`);
    seen.add(path);
    return [item];
  });
}
