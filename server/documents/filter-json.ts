import type { ElementTest, Leaf, Node } from "#protocol/ast";
import type { ObjectValue, Value } from "#protocol/values";

/** A filter as its JSON says it, for people to read. */
export function filterJson(node: Node): ObjectValue {
  switch (node.kind) {
    case "true":
      return {};
    case "false":
      return { $nor: [{}] };
    case "and":
    case "or":
      return { [`$${node.kind}`]: node.of.map(filterJson) };
    default:
      return { [pathOf(node)]: testJson(node) };
  }
}

function pathOf(node: ElementTest): string {
  return (node.kind === "not" ? node.of : node).path.join(".");
}

function testJson(node: ElementTest): ObjectValue {
  if (node.kind !== "not") return leafJson(node);
  const { of } = node;
  if (of.kind === "exists") return { $exists: false };
  if (of.kind === "compare" && of.op === "eq") return { $ne: of.value };
  return of.kind === "in" ? { $nin: of.values } : { $not: leafJson(of) };
}

function leafJson(leaf: Leaf): ObjectValue {
  switch (leaf.kind) {
    case "compare":
      return { [`$${leaf.op}`]: leaf.value };
    case "in":
      return { $in: leaf.values };
    case "exists":
      return { $exists: true };
    case "type":
      return { $type: leaf.classes };
    case "size":
      return { $size: leaf.length };
    case "mod":
      return { $mod: [leaf.divisor, leaf.remainder] };
    case "text":
      return { [{ start: "$startsWith", end: "$endsWith", any: "$contains" }[leaf.at]]: leaf.text };
    case "elementValue":
      return { $elemMatch: Object.assign({}, ...leaf.of.map(testJson)) as Value };
    case "elementObject":
      return { $elemMatch: filterJson(leaf.of) };
  }
}
