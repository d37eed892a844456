import { type ElementTest, FALSE, type Leaf, type Node, TRUE } from "./ast.ts";
import { canonicalKey } from "./canonical.ts";
import { compare } from "./compare.ts";
import { freezeValue } from "./freeze.ts";
import { LIMITS } from "./limits.ts";
import { negate } from "./negate.ts";
import { normalNumbers } from "./normal-numbers.ts";
import type { Path } from "./paths.ts";
import type { Value } from "./values.ts";

/**
 * The one form of all filters that differ only in how they are written; query-language.md 7. It matches what `node`
 * matches, and normalising it again changes nothing. Laws 1 and 2 there are filter.ts's and negate.ts's work.
 */
export function normalise(node: Node): Node {
  switch (node.kind) {
    case "true":
    case "false":
      return node;
    case "and":
    case "or":
      return group(node.kind, node.of.map(normalise));
    case "not":
      return negate(normaliseLeaf(node.of));
    default:
      return normaliseLeaf(node);
  }
}

/** All of the nodes, normalised: how an access rule joins a query's filter. */
export function and(...nodes: readonly Node[]): Node {
  return group("and", nodes.map(normalise));
}

/** Joins normalised nodes: constants fold, groups flatten, one child stands alone, children sort and lose duplicates. */
function group(kind: "and" | "or", nodes: readonly Node[]): Node {
  const [neutral, absorbing] = kind === "and" ? [TRUE, FALSE] : [FALSE, TRUE];
  const flat = nodes.flatMap((node) => (node.kind === kind ? node.of : [node]));
  if (flat.some((node) => node.kind === absorbing.kind)) return absorbing;
  const tests = flat.filter((node) => node.kind !== neutral.kind);
  const children = distinct(kind === "or" ? mergeEqualities(tests) : tests);
  const [only] = children;
  if (!only) return neutral;
  return children.length === 1 ? only : Object.freeze({ kind, of: Object.freeze(children) });
}

/** Sorts by canonical text, each text once. */
function distinct<T extends Node>(nodes: readonly T[]): readonly T[] {
  if (nodes.length < 2) return nodes;
  const texts = new Map(nodes.map((node) => [canonicalKey(node), node]));
  return [...texts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, node]) => node);
}

type Equality = Extract<Leaf, { kind: "compare" | "in" }>;

/** Law 5: of an `or`, the eq and in on one path become one in, unless it would hold too many values. */
function mergeEqualities(nodes: readonly Node[]): readonly Node[] {
  const byPath = new Map<string, Equality[]>();
  for (const node of nodes) {
    if (!isEquality(node)) continue;
    const path = node.path.join(".");
    const group = byPath.get(path);
    if (group) group.push(node);
    else byPath.set(path, [node]);
  }
  if (byPath.size === 0) return nodes;
  const merged = new Set<Node>();
  const made: Node[] = [];
  for (const leaves of byPath.values()) {
    const [first] = leaves;
    if (!first || leaves.length === 1) continue;
    const values = distinctValues(leaves.flatMap((leaf) => (leaf.kind === "in" ? leaf.values : [leaf.value])));
    if (values.length > LIMITS.inValues) continue;
    made.push(membership(first.path, values));
    for (const leaf of leaves) merged.add(leaf);
  }
  return [...nodes.filter((node) => !merged.has(node)), ...made];
}

function isEquality(node: Node): node is Equality {
  return node.kind === "in" || (node.kind === "compare" && node.op === "eq");
}

/** Law 4: no value is false, one is eq. */
function membership(path: Path, values: readonly Value[]): Leaf | typeof FALSE {
  const [only] = values;
  if (only === undefined) return FALSE;
  if (values.length === 1) return Object.freeze({ kind: "compare", op: "eq", path, value: only });
  return Object.freeze({ kind: "in", path, values: Object.freeze(values) });
}

function normaliseLeaf(leaf: Leaf): Node {
  const plain = plainLeaf(leaf);
  if (plain.kind === "in") return membership(plain.path, plain.values);
  // No element passes false, so neither does the array.
  if (plain.kind === "elementObject" && plain.of.kind === "false") return FALSE;
  return plain;
}

/** What holds for every leaf, inside the value form of `$elemMatch` too: it stays a leaf of its kind. */
function plainLeaf(leaf: Leaf): Leaf {
  switch (leaf.kind) {
    case "compare": {
      const value = plainNumbers(leaf.value);
      return value === leaf.value ? leaf : Object.freeze({ ...leaf, value });
    }
    case "in":
      return Object.freeze({ ...leaf, values: Object.freeze(distinctValues(leaf.values.map(plainNumbers))) });
    case "type":
      return Object.freeze({ ...leaf, classes: Object.freeze([...new Set(leaf.classes)].sort()) });
    case "elementValue":
      return Object.freeze({ ...leaf, of: Object.freeze(distinct(leaf.of.map(plainTest))) });
    case "elementObject":
      return Object.freeze({ ...leaf, of: normalise(leaf.of) });
    default:
      return leaf;
  }
}

function plainTest(test: ElementTest): ElementTest {
  return test.kind === "not" ? Object.freeze({ kind: "not", of: plainLeaf(test.of) }) : plainLeaf(test);
}

function distinctValues(values: readonly Value[]): Value[] {
  const sorted = [...values].sort(compare);
  return sorted.filter((value, i) => i === 0 || compare(sorted[i - 1] as Value, value) !== 0);
}

/** Law 7, at any depth. */
function plainNumbers(value: Value): Value {
  return freezeValue(normalNumbers(value));
}
