import type { RuleNode } from "../rule-tree.ts";

/** Where the nodes of a set of rules stand in it, and which macros they came from. */
export interface RulePlaces {
  /** Notes where a node stands, unless it was noted nearer to it; a constant becomes a node of its own. */
  put(node: RuleNode, at: string): RuleNode;
  /** Notes that one node is the negation of another, at every depth. */
  negated(negation: RuleNode, node: RuleNode): void;
  of(node: RuleNode): string | undefined;
  /** Notes that a node is what a macro says. */
  putMacro(node: RuleNode, macro: string): void;
  /** Whether a macro holds wherever the node does, because it stands in its top-level AND. */
  requires(node: RuleNode, macro: string): boolean;
}

export function createRulePlaces(): RulePlaces {
  const places = new WeakMap<RuleNode, string>();
  const macros = new WeakMap<RuleNode, Set<string>>();

  const noted: RulePlaces = {
    put(node, at) {
      const own = node.kind === "true" || node.kind === "false" ? Object.freeze({ kind: node.kind }) : node;
      const placed = places.has(node) ? node : own;
      for (const here of node.kind === "not" ? [node, node.of] : [placed]) {
        if (!places.has(here)) places.set(here, at);
      }
      return placed;
    },
    negated(negation, node) {
      const at = places.get(node);
      if (at !== undefined && !places.has(negation) && negation.kind !== "true" && negation.kind !== "false") {
        places.set(negation, at);
      }
      if (!isGroup(negation) || !isGroup(node)) return;
      negation.of.forEach((part, i) => {
        const from = node.of[i];
        if (from) noted.negated(part, from);
      });
    },
    of: (node) => places.get(node) ?? (node.kind === "not" ? places.get(node.of) : undefined),
    putMacro(node, macro) {
      const known = macros.get(node);
      if (known) known.add(macro);
      else macros.set(node, new Set([macro]));
    },
    requires: (node, macro) =>
      macros.get(node)?.has(macro) === true ||
      (node.kind === "and" && node.of.some((part) => noted.requires(part, macro))),
  };
  return noted;
}

function isGroup(node: RuleNode): node is Extract<RuleNode, { kind: "and" | "or" }> {
  return node.kind === "and" || node.kind === "or";
}
