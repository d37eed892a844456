import type { Document } from "mongodb";
import type { ElementTest, Leaf, Node } from "#protocol/ast";
import type { ValueClass } from "#protocol/values";
import { toBson } from "./values.ts";

/**
 * The MongoDB filter that finds exactly what a normalised node accepts (query-language.md 8.2). No operator of ours is
 * handed through: the filter is made of the operators named here and of literals under `$eq` and `$in`, so nothing a
 * client writes is ever read as an operator.
 *
 * @param byBranches whether indexes are to be found for the branches of an `or`, and not for what stands beside it
 */
export function toMongoFilter(node: Node, byBranches = false): Document {
  switch (node.kind) {
    case "true":
      return {};
    case "false":
      return { $nor: [{}] };
    case "and":
      return { $and: conjunctsOf(node.of, byBranches) };
    case "or":
      return { $or: node.of.map((branch) => toMongoFilter(branch, byBranches)) };
    case "not":
      return { [pathOf(node.of)]: node.of.kind === "exists" ? { $exists: false } : { $not: operatorOf(node.of) } };
    default:
      return { [pathOf(node)]: operatorOf(node) };
  }
}

/**
 * Beside an `$or`, mongod 6.0.5 pushes a test inside `$elemMatch` down into the branches, to find both by one index, and
 * there takes its path for one of the document: `{a: {$elemMatch: {c: null}}, $or: [...]}` by an index on `a.c` and
 * another path loses documents. So of the two, one is written in a form that it finds no index for.
 */
function conjunctsOf(nodes: readonly Node[], byBranches: boolean): Document[] {
  const kinds = nodes.map(({ kind }) => kind);
  const plain = !kinds.includes("elementObject") || !kinds.includes("or");
  return nodes.map((node) => {
    const filter = toMongoFilter(node, byBranches);
    return plain || node.kind !== (byBranches ? "elementObject" : "or") ? filter : withoutIndex(filter);
  });
}

/** The same filter, evaluated and never looked up. */
export function withoutIndex(filter: Document): Document {
  return { $nor: [{ $nor: [filter] }] };
}

function pathOf(leaf: Leaf): string {
  return leaf.path.join(".");
}

/** mongod reads the operand of `$size` as an int32 and refuses a larger one. No document holds so many elements. */
const MOST_ELEMENTS = 2 ** 31 - 1;

/** What a leaf asks of the values of its path, as an object with one operator. */
function operatorOf(leaf: Leaf): Document {
  switch (leaf.kind) {
    case "compare":
      return { [`$${leaf.op}`]: toBson(leaf.value) };
    case "in":
      return { $in: leaf.values.map((value) => toBson(value)) };
    case "exists":
      return { $exists: true };
    case "type":
      return { $type: leaf.classes.map((name) => TYPES[name]) };
    case "size":
      return { $size: Math.min(leaf.length, MOST_ELEMENTS) };
    case "mod":
      // As longs, so that mongod need not turn a double into one.
      return { $mod: [BigInt(leaf.divisor), BigInt(leaf.remainder)] };
    case "text":
      return { $regex: patternOf(leaf.at, leaf.text) };
    case "elementValue":
      return { $elemMatch: Object.assign({}, ...leaf.of.map(elementOperatorOf)) };
    case "elementObject":
      return { $elemMatch: toMongoFilter(leaf.of) };
  }
}

const TYPES: Record<ValueClass, string> = {
  null: "null",
  number: "number",
  int64: "long",
  string: "string",
  object: "object",
  array: "array",
  binary: "binData",
  bool: "bool",
  date: "date",
};

/**
 * One test of the value form of `$elemMatch`, which is one object of operators: so each stands in it once (filter.ts
 * sees to that) and a negation has to be an operator of its own.
 */
function elementOperatorOf(test: ElementTest): Document {
  if (test.kind !== "not") return operatorOf(test);
  switch (test.of.kind) {
    case "compare":
      return { $ne: toBson(test.of.value) };
    case "in":
      return { $nin: test.of.values.map((value) => toBson(value)) };
    default:
      throw new Error(`the value form of $elemMatch holds no negated ${test.of.kind}`);
  }
}

/** `\z` and not `$`, which also matches before a final newline. */
export function patternOf(at: "start" | "end" | "any", text: string): string {
  const literal = text.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&").replaceAll("\0", "\\x00");
  if (at === "start") return `^${literal}`;
  return at === "end" ? `${literal}\\z` : literal;
}
