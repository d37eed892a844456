import { FALSE, type Node, type Term, TRUE } from "./ast.ts";

/** The exact negation of a node, with every `not` at a leaf (query-language.md 7, law 2). */
export function negate<T extends Term>(node: Node<T>): Node<T> {
  switch (node.kind) {
    case "true":
      return FALSE;
    case "false":
      return TRUE;
    case "and":
      return Object.freeze({ kind: "or", of: Object.freeze(node.of.map((of) => negate(of))) });
    case "or":
      return Object.freeze({ kind: "and", of: Object.freeze(node.of.map((of) => negate(of))) });
    case "not":
      return node.of;
    default:
      return Object.freeze({ kind: "not", of: node });
  }
}
