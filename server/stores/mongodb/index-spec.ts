import type { CreateIndexesOptions, IndexDescription } from "mongodb";
import type { IndexDefinition } from "../document-store.ts";
import { indexKeys } from "../plan.ts";

/** What every index of Galley's is named like; others are other programs' and are left alone. */
const PREFIX = "galley:";

/** The name of an index, made of its definition: the same on every node, and another for every other definition. */
export function indexName({ paths, unique }: IndexDefinition): string {
  return `${PREFIX}${unique ? "unique:" : ""}${paths.join(",")}`;
}

/** Whether an index of MongoDB's is one of Galley's, by its name. */
export function isOwnIndex(name: string): boolean {
  return name.startsWith(PREFIX);
}

/**
 * The index as MongoDB knows it (query-language.md 8): `_id` at the end, so that it serves a whole sort. A unique one has
 * no `_id`, and holds documents only that have every path: a plain one would take missing for null.
 */
export function indexSpec(definition: IndexDefinition): IndexDescription {
  const keys = indexKeys(definition);
  const key = new Map<string, 1 | -1>();
  for (const { path, descending } of keys) key.set(path.join("."), descending ? -1 : 1);
  const name = indexName(definition);
  if (!definition.unique) {
    if (!key.has("_id")) key.set("_id", keys.at(-1)?.descending ? -1 : 1);
    return { name, key };
  }
  const exists = keys.map(({ path }) => [path.join("."), { $exists: true }]);
  const options: CreateIndexesOptions = { unique: true, partialFilterExpression: Object.fromEntries(exists) };
  return { name, key, ...options };
}
