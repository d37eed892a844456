import type { Path } from "#protocol/paths";
import { isObjectValue } from "#protocol/values";
import { didYouMean } from "../parsing/rule-faults.ts";
import { namesIn } from "../parsing/rule-mentions.ts";
import type { Finding } from "../publishing/rule-findings.ts";
import type { LintContext } from "./lint.ts";
import { lookupsIn } from "./lookups.ts";
import { isOfDocument, leavesOf, masksOf, rulesOf } from "./rule-walk.ts";
import { fieldsBeside, isUnknown } from "./schema-paths.ts";

/** `unknown_field` and `unused`. */
export function* nameLints(context: LintContext): Generator<Finding> {
  yield* unknownFields(context);
  yield* unused(context.source);
}

function* unknownFields({ rules, declared }: LintContext): Generator<Finding> {
  for (const { at, from, where, select } of lookupsIn(rules)) {
    const schema = declared(from)?.schema;
    if (schema === undefined) continue;
    const asked = [...leavesOf(where)]
      .filter(isOfDocument)
      .map(({ path, node }) => [rules.placeOf(node) ?? at, path] as const);
    const chosen = select ? [[`${at}.select`, select] as const] : [];
    for (const [path, field] of [...asked, ...chosen])
      if (isUnknown(schema, field)) yield* unknownAt(path, field, from, schema);
  }
  for (const collection of rules.collections.values()) {
    const schema = declared(collection.name)?.schema;
    if (schema === undefined) continue;
    const places = new Map<string, Path>();
    for (const { rule } of [...rulesOf(collection), ...masksOf(collection)]) {
      for (const use of leavesOf(rule.node)) {
        if (isOfDocument(use) && isUnknown(schema, use.path)) places.set(rules.placeOf(use.node) ?? rule.at, use.path);
      }
    }
    for (const { at, path } of collection.fields) if (isUnknown(schema, path)) places.set(at, path);
    for (const [path, field] of places) yield* unknownAt(path, field, collection.name, schema);
  }
}

function* unknownAt(path: string, field: Path, collection: string, schema: unknown): Generator<Finding> {
  if (field[0]?.startsWith("_")) return;
  const meant = didYouMean(field.at(-1) ?? "", fieldsBeside(schema, field));
  const message = `${path}: the schema of ${collection} has no ${field.join(".")}${meant}`;
  yield { id: "unknown_field", level: "note", path, message };
}

type Part = Readonly<Record<string, unknown>>;

/** Macros and lookups that nothing names. A collection's own name hides a shared one. */
function* unused(source: unknown): Generator<Finding> {
  const { shared, collections, buckets } = objectOf(source);
  const parts = [
    ...Object.entries(objectOf(collections)).map(([name, part]) => [name, objectOf(part)] as const),
    ...Object.entries(objectOf(buckets)).map(([name, part]) => [`buckets.${name}`, objectOf(part)] as const),
  ];
  const sharedPart = objectOf(shared);
  for (const kind of ["macros", "lookups"] as const) {
    const namedByShared = namesIn(sharedPart, kind);
    const used = new Set(namedByShared);
    if (kind === "macros" && Array.isArray(sharedPart.require))
      for (const name of sharedPart.require) used.add(String(name));
    for (const [at, part] of parts) {
      const named = namesIn(part, kind);
      const own = Object.keys(objectOf(part[kind]));
      for (const name of own) if (!named.has(name) && !namedByShared.has(name)) yield unusedAt(`${at}.${kind}.${name}`);
      for (const name of named) if (!own.includes(name)) used.add(name);
    }
    for (const name of Object.keys(objectOf(sharedPart[kind]))) {
      if (!used.has(name)) yield unusedAt(`shared.${kind}.${name}`);
    }
  }
}

function unusedAt(path: string): Finding {
  return { id: "unused", level: "note", path, message: `${path}: is never used` };
}

function objectOf(input: unknown): Part {
  return isObjectValue(input) ? (input as Part) : {};
}
