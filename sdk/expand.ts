import type { Expanded } from "./protocol/api.ts";
import type { Json } from "./types/document.ts";

/**
 * Loaded with the first question that asks for it. Puts the referred documents at `_expanded`, by path: a document or null, or a list of these where the path leads
 * through an array. The property is not enumerable, so the document can be put back as it was read.
 */
export function attach<D extends Json>(document: D, { included, references }: Omit<Expanded<Json>, "document">): D {
  const value: Json = {};
  for (const [path, collection] of Object.entries(references)) {
    const documents = included[collection] ?? {};
    const find = (id: unknown): unknown => (Object.hasOwn(documents, id as string) ? documents[id as string] : null);
    const found = follow(document, path.split("."));
    value[path] = Array.isArray(found) ? found.map(find) : find(found);
  }
  return Object.defineProperty(document, "_expanded", { value });
}

/** What stands at a path; through an array, the list of what its elements give. */
export function follow(value: unknown, [key, ...rest]: readonly string[]): unknown {
  if (Array.isArray(value)) return value.flatMap((item) => follow(item, key === undefined ? [] : [key, ...rest]) ?? []);
  if (key === undefined) return value;
  return typeof value === "object" && value && Object.hasOwn(value, key)
    ? follow((value as Json)[key], rest)
    : undefined;
}
