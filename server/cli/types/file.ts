import type { SchemaObject } from "../../documents/schema/walk.ts";
import { TypeNames } from "./names.ts";
import { Printer } from "./printer.ts";
import { defaultsOf, refsOf } from "./schema-meta.ts";
import { noteOf } from "./schema-objects.ts";
import { SchemaPlaces } from "./schema-places.ts";
import type { Seen } from "./seen.ts";
import { comment, key, quoted } from "./text.ts";

/** What is known of a collection. */
export interface Known {
  readonly name: string;
  /** By its schema, by documents that were looked at, or not at all, for a reason. */
  readonly by:
    | { readonly schema: SchemaObject }
    | { readonly seen: Seen; readonly documents: number }
    | { readonly reason: string };
  /** Paths that access rules fill in. */
  readonly filled: readonly string[];
}

/** The first line of a file, by which one is known that may be written over. */
export const HEAD = "// Written by `galley types` from a server's collections. What is changed here is lost.";

/** Writes the types of all collections. The same collections give the same text. */
export function writeTypes(collections: readonly Known[], notes: readonly string[] = []): string {
  const names = new TypeNames();
  const sorted = [...collections].sort((a, b) => (a.name < b.name ? -1 : 1));
  const typed = sorted.filter(({ by }) => !("reason" in by));
  const types = names.ofCollections(new Map(typed.map((known) => [known.name, wishOf(known)])));
  const entries: string[] = [];
  const declared: string[] = [];
  for (const { name, by, filled } of sorted) {
    const type = types.get(name) ?? "Json";
    if ("reason" in by) {
      entries.push(`${comment(by.reason, "  ")}${entry(name, "Json", [])}`);
    } else if ("seen" in by) {
      const { seen, documents } = by;
      entries.push(entry(name, type, filled));
      const printer = new Printer({ open: (place: Seen) => place.shape() }, names, type);
      declared.push(printer.declarations(seen, inferredNote(name, documents)));
    } else {
      const places = new SchemaPlaces(by.schema);
      const defaults = new Set([...defaultsOf(by.schema), ...filled]);
      entries.push(entry(name, type, [...defaults], refsOf(places)));
      const source = {
        open: (place: typeof places.document) => places.open(place),
        nameOf: (place: typeof places.document) => places.nameOf(place),
        noteOf: (place: typeof places.document) => noteOf(place.schemas[0]),
      };
      declared.push(new Printer(source, names, type).declarations(places.document, noteOf(by.schema)));
    }
  }
  const schema = `export interface Schema {\n${entries.join("")}}\n`;
  const body = [schema, ...declared].join("\n");
  return [HEAD, ...notes.map((note) => `// ${note}`), importOf(body), body].filter((part) => part !== "").join("\n");
}

function importOf(body: string): string {
  const used = ["Defined", "Json"].filter((name) => new RegExp(`\\b${name}\\b`).test(body));
  return used.length === 0 ? "" : `import type { ${used.join(", ")} } from "@galley/sdk";\n`;
}

/** A schema whose title is a name says how its type is called. */
function wishOf({ by }: Known): string | undefined {
  if (!("schema" in by)) return undefined;
  const { title } = by.schema;
  return typeof title === "string" && /^[A-Z][A-Za-z0-9]*$/.test(title) ? title : undefined;
}

/** Characters of a collection's entry that stands on one line. */
const LINE = 100;

/** A collection in the schema, with what only its definition tells. */
function entry(name: string, type: string, defaults: readonly string[], refs?: ReadonlyMap<string, string>): string {
  const filled = [...defaults].sort().map(quoted);
  const sorted = [...(refs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  const referred = sorted.map(([path, to]) => `${key(path)}: ${quoted(to)}`);
  if (filled.length === 0 && !refs) return `  ${key(name)}: ${type};\n`;
  const union = filled.join(" | ");
  const meta = [
    ...(filled.length > 0 ? [`defaults: ${union}`] : []),
    ...(refs ? [`refs: ${referred.length > 0 ? `{ ${referred.join("; ")} }` : "{}"}`] : []),
  ];
  const line = `  ${key(name)}: Defined<${type}, { ${meta.join("; ")} }>;\n`;
  if (line.length <= LINE) return line;
  const lines = union.length <= LINE ? ` ${union}` : filled.map((path) => `\n        | ${path}`).join("");
  const long = [
    ...(filled.length > 0 ? [`      defaults:${lines};\n`] : []),
    ...(referred.length > 0 ? [`      refs: {\n${referred.map((to) => `        ${to};\n`).join("")}      };\n`] : []),
    ...(refs && referred.length === 0 ? ["      refs: {};\n"] : []),
  ];
  return `  ${key(name)}: Defined<\n    ${type},\n    {\n${long.join("")}    }\n  >;\n`;
}

/** In steps, so that the file stays as it is when one more document comes. */
function inferredNote(name: string, documents: number): string {
  const step = [10, 100, 1000].find((most) => documents < most);
  const count = step === undefined ? "1,000" : `fewer than ${step === 1000 ? "1,000" : step}`;
  return `Inferred from ${count} documents: \`${name}\` has no schema.`;
}
