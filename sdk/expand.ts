import type { Included } from "./protocol/api.ts";
import type { Json } from "./types/document.ts";

/**
 * Puts the referred documents at `_expanded`, by path: a document or null, or a list of these where the path leads
 * through an array. The property is not enumerable, so the document can be put back as it was read.
 */
export function attach<D extends Json>(document: D, paths: readonly string[], included: Included<Json> = {}): D {
  const find = (id: unknown): Json | null => {
    for (const documents of Object.values(included)) {
      if (typeof id === "string" && Object.hasOwn(documents, id)) return documents[id] ?? null;
    }
    return null;
  };
  const expanded: Json = {};
  for (const path of paths) {
    const found = follow(document, path.split("."));
    expanded[path] = Array.isArray(found) ? found.map(find) : find(found);
  }
  return Object.defineProperty(document, "_expanded", { value: expanded });
}

/** What stands at a path; through an array, the list of what its elements give. */
function follow(value: unknown, path: readonly string[]): unknown {
  if (Array.isArray(value)) return value.flatMap((item) => follow(item, path) ?? []);
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const held =
    typeof value === "object" && value !== null && Object.hasOwn(value, key) ? (value as Json)[key] : undefined;
  return follow(held, rest);
}
