import type { RuleNode } from "../rule-tree.ts";

/** Whether one rule holds wherever another does, as far as their shapes tell: false is no proof that it does not. */
export function implies(narrow: RuleNode, wide: RuleNode): boolean {
  if (wide.kind === "true" || narrow.kind === "false" || keyOf(narrow) === keyOf(wide)) return true;
  if (narrow.kind === "or") return narrow.of.every((part) => implies(part, wide));
  if (wide.kind === "and") return wide.of.every((part) => implies(narrow, part));
  if (narrow.kind === "and" && narrow.of.some((part) => implies(part, wide))) return true;
  return wide.kind === "or" && wide.of.some((part) => implies(narrow, part));
}

function keyOf(node: RuleNode): string {
  return JSON.stringify(node, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}
