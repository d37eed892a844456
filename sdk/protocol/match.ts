import type { ElementMatch, ElementTest, Leaf, Node } from "./ast.ts";
import { type Found, MISSING } from "./compare.ts";
import { elementTest, leafTest, type Predicate, type Test } from "./leaf-test.ts";
import { isNumericSegment, own, type Path, someValue } from "./paths.ts";
import { isObjectValue, type ObjectValue, type Value } from "./values.ts";

/**
 * Compiles a filter to a function that judges documents. This is the definition of the language (query-language.md 3):
 * whatever an engine does must answer the same.
 */
export function compileFilter(node: Node): (document: ObjectValue) => boolean {
  return compile(node, memberOfObject);
}

/** Compiles what `parseElementMatch` read to a function that judges one element of an array. */
export function compileElement(leaf: ElementMatch): (element: Value) => boolean {
  return elementTest(leaf, compileInside);
}

type Root = ObjectValue | readonly Value[];
/** Gives a member of the root, where every path starts. */
type Member = (root: Root, key: string) => Found;

function compileInside(node: Node): Predicate {
  return compile(node, memberOfElement);
}

function memberOfObject(root: Root, key: string): Found {
  return own(root as ObjectValue, key);
}

/** An array counts as an object with the keys "0", "1" …; it has no other, not even `length`. */
function memberOfElement(root: Root, key: string): Found {
  if (!Array.isArray(root)) return own(root as ObjectValue, key);
  return isNumericSegment(key) && Number(key) < root.length ? (root[Number(key)] as Value) : MISSING;
}

function compile(node: Node, member: Member): Predicate {
  switch (node.kind) {
    case "true":
      return () => true;
    case "false":
      return () => false;
    case "and":
    case "or":
      return compileGroup(node.kind, node.of, member);
    default:
      return compileTests("and", [node], member);
  }
}

/** Tests of one path are one iteration, however many there are; other nodes are compiled by themselves. */
function compileGroup(kind: "and" | "or", nodes: readonly Node[], member: Member): Predicate {
  const byPath = new Map<string, ElementTest[]>();
  const parts: Predicate[] = [];
  for (const node of nodes) {
    if (!isTest(node)) {
      parts.push(compile(node, member));
      continue;
    }
    const leaf = node.kind === "not" ? node.of : node;
    const key = `${isOpen(leaf)} ${leaf.path.join(".")}`;
    const tests = byPath.get(key);
    if (tests) tests.push(node);
    else byPath.set(key, [node]);
  }
  parts.unshift(...[...byPath.values()].map((tests) => compileTests(kind, tests, member)));
  const [first, second] = parts;
  if (first && parts.length === 1) return first;
  if (first && second && parts.length === 2) {
    return kind === "and" ? (root) => first(root) && second(root) : (root) => first(root) || second(root);
  }
  return kind === "and"
    ? (root) => parts.every((accepts) => accepts(root))
    : (root) => parts.some((accepts) => accepts(root));
}

function isTest(node: Node): node is ElementTest {
  return node.kind !== "true" && node.kind !== "false" && node.kind !== "and" && node.kind !== "or";
}

/** Leaves and negated leaves of one path, joined by `kind`. */
function compileTests(kind: "and" | "or", nodes: readonly ElementTest[], member: Member): Predicate {
  const tests = nodes.map((node) => ({
    negated: node.kind === "not",
    test: leafTest(node.kind === "not" ? node.of : node, compileInside),
  }));
  const [only] = nodes as [ElementTest];
  const { path } = only.kind === "not" ? only.of : only;
  const open = isOpen(only.kind === "not" ? only.of : only);
  const [first] = tests;
  if (first && tests.length === 1 && path.length === 1) return compileMember(path, open, member, first);
  const lone = loneValue(path, open, member);
  if (first && tests.length === 1) {
    const { test, negated } = first;
    return (root) => {
      const found = lone(root);
      return (found === MANY ? someOf(root, path, open, member, test) : test(found)) !== negated;
    };
  }
  const judge = (passes: (test: Test) => boolean): boolean =>
    kind === "and"
      ? tests.every(({ test, negated }) => passes(test) !== negated)
      : tests.some(({ test, negated }) => passes(test) !== negated);
  return (root) => {
    const found = lone(root);
    if (found !== MANY) return judge((test) => test(found));
    const all: Found[] = [];
    someOf(root, path, open, member, (value) => {
      all.push(value);
      return false;
    });
    return judge((test) => all.some(test));
  };
}

interface LeafTest {
  readonly test: Test;
  readonly negated: boolean;
}

/**
 * One test of a member of the root, as most are. Of thousands of filters that are tried in turn, none is in the processor's
 * cache, so what counts is how few objects one is made of.
 */
function compileMember(path: Path, open: boolean, member: Member, { test, negated }: LeafTest): Predicate {
  const name = path[0] as string;
  return (root) => {
    const found = member(root, name);
    return (open && Array.isArray(found) ? someOf(root, path, open, member, test) : test(found)) !== negated;
  };
}

/** `$size` and `$elemMatch` judge an array at the end of the path as a whole. */
function isOpen(leaf: Leaf): boolean {
  return leaf.kind !== "size" && leaf.kind !== "elementValue" && leaf.kind !== "elementObject";
}

const MANY: unique symbol = Symbol("MANY");

/** Finds what a path yields where it meets no array, which is one value; `MANY` where it meets one. */
function loneValue(path: Path, open: boolean, member: Member): (root: Root) => Found | typeof MANY {
  const [first, ...rest] = path as readonly [string, ...string[]];
  return (root) => {
    let value = member(root, first);
    for (const segment of rest) {
      if (Array.isArray(value)) return MANY;
      if (value === MISSING || !isObjectValue(value)) return MISSING;
      value = own(value, segment);
    }
    return open && Array.isArray(value) ? MANY : value;
  };
}

function someOf(root: Root, path: Path, open: boolean, member: Member, visit: Test): boolean {
  return someValue(member(root, path[0] as string), path, open, visit, 1);
}
