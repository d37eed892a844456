import type { Path } from "#protocol/paths";
import type { CollectionRules, FieldRule } from "../rule-tree.ts";

/** The mask that stands at a path or above it. */
export function maskOver({ fields }: CollectionRules, path: Path): FieldRule | undefined {
  return fields.find((field) => field.path.every((segment, i) => path[i] === segment));
}
