import type { Leaf, Node } from "#protocol/ast";
import { GalleyError } from "#protocol/errors";
import type { Path } from "#protocol/paths";
import type { Scope } from "../access/authorize.ts";

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

/**
 * Demands that a question touches nothing that is hidden from its caller in some document: its answer would tell about it
 * (access-rules.md 6.5).
 * @throws GalleyError `field_not_queryable`; Unsettled
 */
export function demandQueryable(scope: Scope, paths: readonly Path[]): void {
  const { masks } = scope;
  if (masks.none) return;
  const path = paths.find((asked) => !masks.queryable(asked));
  if (!path) return;
  const message = `${path.join(".")}: the access rules do not allow questions about this field`;
  throw new GalleyError("field_not_queryable", message);
}
