import type { Faults } from "#protocol/errors";
import { IN_PLACE } from "./keywords.ts";
import { isSchemaObject, type SchemaObject, subschemas } from "./walk.ts";

/** How often schemas may judge one value again, all references followed; more would be a bomb. */
const IN_PLACE_STEPS = 5000;

/** Finds what a local `$ref` names: `#`, a JSON pointer or an anchor. Undefined if there is no such schema. */
export function resolveRef(root: SchemaObject, ref: string): unknown {
  if (ref === "#") return root;
  if (!ref.startsWith("#/")) return anchors(root).get(ref.slice(1));
  let found: unknown = root;
  for (const part of ref.slice(2).split("/")) {
    const name = decode(part).replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as SchemaObject)[name];
  }
  return found;
}

/** References that lead nowhere, and those that come back to their own value without end. */
export function checkRefs(root: SchemaObject, at: string, faults: Faults): void {
  const steps = new Map<unknown, number | "open">();
  const count = (schema: unknown, place: string): number => {
    if (!isSchemaObject(schema)) return 1;
    const known = steps.get(schema);
    if (known === "open") {
      faults.add(place, "bad_value", "comes back to itself without going down into the value: it would never end");
      return 1;
    }
    if (known !== undefined) return known;
    steps.set(schema, "open");
    let sum = 1;
    for (const below of subschemas(schema)) {
      if (IN_PLACE.has(below.keyword)) sum += count(below.schema, `${place}.${below.place}`);
    }
    if (typeof schema.$ref === "string" && schema.$ref.startsWith("#")) {
      const target = resolveRef(root, schema.$ref);
      if (isSchemaObject(target) || typeof target === "boolean") sum += count(target, `${place}.$ref`);
      else faults.add(`${place}.$ref`, "bad_operand", `there is no schema at ${JSON.stringify(schema.$ref)}`);
    }
    if (sum > IN_PLACE_STEPS) {
      faults.add(place, "too_many_nodes", `judges one value more than ${IN_PLACE_STEPS} times over`);
      sum = 1;
    }
    steps.set(schema, sum);
    return sum;
  };
  const visit = (schema: unknown, place: string): void => {
    if (!isSchemaObject(schema)) return;
    count(schema, place);
    for (const below of subschemas(schema)) visit(below.schema, `${place}.${below.place}`);
  };
  visit(root, at);
}

function anchors(root: SchemaObject): Map<string, SchemaObject> {
  const found = new Map<string, SchemaObject>();
  const visit = (schema: unknown): void => {
    if (!isSchemaObject(schema)) return;
    if (typeof schema.$anchor === "string") found.set(schema.$anchor, schema);
    for (const below of subschemas(schema)) visit(below.schema);
  };
  visit(root);
  return found;
}

/** A pointer in a URI fragment is percent-encoded. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
