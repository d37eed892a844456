import type { Leaf, Node } from "./ast.ts";
import type { Path } from "./paths.ts";

/** Every path that a filter touches. */
export function pathsOf(filter: Node): readonly Path[] {
  switch (filter.kind) {
    case "true":
    case "false":
      return [];
    case "and":
    case "or":
      return filter.of.flatMap(pathsOf);
    case "not":
      return pathsOfLeaf(filter.of);
    default:
      return pathsOfLeaf(filter);
  }
}

function pathsOfLeaf(leaf: Leaf): readonly Path[] {
  if (leaf.kind !== "elementObject") return [leaf.path];
  return [leaf.path, ...pathsOf(leaf.of).map((inner) => [...leaf.path, ...inner])];
}
