import type { Leaf, Node } from "./ast.ts";
import { encodeValue } from "./values.ts";

/**
 * The key of a normalised filter: JSON text of nested arrays (query-language.md 7). Equal keys mean equal filters, so
 * the text itself is what maps use; a hash of it may go into logs and cursors only.
 */
export function canonicalKey(node: Node): string {
  switch (node.kind) {
    case "true":
    case "false":
      return `["${node.kind}"]`;
    case "and":
    case "or":
      return `["${node.kind}",${node.of.map(canonicalKey).join(",")}]`;
    case "not":
      return `["not",${canonicalKey(node.of)}]`;
    default:
      return leafKey(node);
  }
}

function leafKey(leaf: Leaf): string {
  const path = JSON.stringify(leaf.path.join("."));
  switch (leaf.kind) {
    case "compare":
      return `["compare","${leaf.op}",${path},${encodeValue(leaf.value)}]`;
    case "in":
      return `["in",${path},${encodeValue(leaf.values)}]`;
    case "exists":
      return `["exists",${path}]`;
    case "type":
      return `["type",${path},${JSON.stringify(leaf.classes)}]`;
    case "size":
      return `["size",${path},${leaf.length}]`;
    case "mod":
      return `["mod",${path},${leaf.divisor},${leaf.remainder}]`;
    case "text":
      return `["text","${leaf.at}",${path},${JSON.stringify(leaf.text)}]`;
    case "elementValue":
      return `["elementValue",${path},${leaf.of.map(canonicalKey).join(",")}]`;
    case "elementObject":
      return `["elementObject",${path},${canonicalKey(leaf.of)}]`;
  }
}
