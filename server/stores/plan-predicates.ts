import type { ElementTest, Leaf, Node } from "#protocol/ast";
import type { Key } from "#protocol/compare";
import { EMPTY, RANK, rankOf } from "#protocol/compare";
import type { Path } from "#protocol/paths";
import { hasNumericSegment } from "#protocol/paths";
import type { Value, ValueClass } from "#protocol/values";
import type { Interval } from "./plan-intervals.ts";
import { half, intersect, point, points, startingWith, wholeClass } from "./plan-intervals.ts";

/**
 * What a filter says of the rows of an index: a document that passes has, among the keys that `path` gives it in its
 * tuples, one inside `intervals` (query-language.md 8.2).
 */
export interface Predicate {
  readonly path: Path;
  readonly intervals: readonly Interval[];
  /** Whether a document with such a key always passes, so that the conjunct needs no evaluation. */
  readonly exact: boolean;
  /** Which of the filter's conjuncts says so. */
  readonly conjunct: number;
  /** The `$elemMatch` objects around it, outermost first: tests in one of them hold for one element together. */
  readonly elements: readonly Element[];
}

/** One `$elemMatch` object; `depth` is the length of the path to its array. */
interface Element {
  readonly depth: number;
}

interface Narrowing {
  readonly intervals: readonly Interval[];
  readonly exact: boolean;
}

/** The parts of a filter that must all hold. */
export function conjunctsOf(filter: Node): readonly Node[] {
  if (filter.kind === "true") return [];
  return filter.kind === "and" ? filter.of : [filter];
}

export function predicatesOf(conjuncts: readonly Node[]): Predicate[] {
  const found: Predicate[] = [];
  for (const [conjunct, node] of conjuncts.entries()) collect(node, conjunct, [], [], found);
  return found;
}

/**
 * Whether one tuple of a document satisfies two predicates together if each is satisfied by some tuple. Tuples pair the
 * elements of one array, so two paths that may pass through the same array are independent tests, unless one
 * `$elemMatch` binds them to an element below which they part.
 */
export function holdTogether(a: Predicate, b: Predicate): boolean {
  let depth = 0;
  for (let i = 0; i < a.elements.length && a.elements[i] === b.elements[i]; i++)
    depth = (a.elements[i] as Element).depth;
  return a.path[depth] !== b.path[depth];
}

function collect(node: Node, conjunct: number, base: Path, elements: readonly Element[], found: Predicate[]): void {
  if (node.kind === "elementObject") {
    const path = [...base, ...node.path];
    const inside = [...elements, { depth: path.length }];
    for (const inner of conjunctsOf(node.of)) collect(inner, conjunct, path, inside, found);
    return;
  }
  const leaf = leafOf(node);
  if (!leaf) return;
  const path = [...base, ...leaf.path];
  // A filter reads `a.1.b` by key and by index; an index does not, so such a path is never looked up in one.
  if (hasNumericSegment(path)) return;
  const narrowing = node.kind === "not" ? narrowNegation(leaf) : narrow(leaf);
  if (!narrowing) return;
  // What holds for one element does not make the array around it one that `$elemMatch` accepts.
  found.push({ path, ...narrowing, exact: narrowing.exact && elements.length === 0, conjunct, elements });
}

function leafOf(node: Node): Leaf | undefined {
  switch (node.kind) {
    case "true":
    case "false":
    case "and":
    case "or":
      return undefined;
    case "not":
      return node.of;
    default:
      return node;
  }
}

/** Only absence shows in an index: as null, like a stored null. Any other negation is also true of other keys. */
function narrowNegation(leaf: Leaf): Narrowing | undefined {
  return leaf.kind === "exists" ? { intervals: [point(null)], exact: false } : undefined;
}

function narrow(leaf: Leaf): Narrowing | undefined {
  switch (leaf.kind) {
    case "compare":
      if (leaf.op !== "eq") return { intervals: [half(leaf.op, leaf.value)], exact: true };
      return { intervals: points(keysOfEqual(leaf.value)), exact: equalIsExact(leaf.value, leaf.path) };
    case "in":
      return {
        intervals: points(leaf.values.flatMap(keysOfEqual)),
        exact: leaf.values.every((value) => equalIsExact(value, leaf.path)),
      };
    case "type":
      return leaf.classes.includes("array") ? undefined : narrowType(leaf.classes);
    case "text":
      if (leaf.at === "start") return { intervals: [startingWith(leaf.text)], exact: true };
      return { intervals: [wholeClass(RANK.string)], exact: false };
    case "mod":
      return { intervals: [wholeClass(RANK.number)], exact: false };
    case "size":
      // The keys of a longer array are its elements, which tell nothing of its length.
      return leaf.length === 0 ? { intervals: [point(EMPTY)], exact: true } : undefined;
    case "elementValue":
      return narrowElement(leaf.of);
    case "exists":
    case "elementObject":
      return undefined;
  }
}

/** An array equals an element or the whole array, whose keys are its elements. */
function keysOfEqual(value: Value): Key[] {
  return Array.isArray(value) ? [value as Key, value.length === 0 ? EMPTY : (value[0] as Key)] : [value];
}

function equalIsExact(value: Value, path: Path): boolean {
  if (Array.isArray(value)) return value.length === 0;
  // Behind a scalar in an array a path yields nothing, yet its key is null: `{"a.b": null}` on `{a: [4]}` is false.
  return value !== null || path.length === 1;
}

const RANKS: Record<ValueClass, Parameters<typeof wholeClass>[0]> = {
  null: RANK.null,
  number: RANK.number,
  int64: RANK.number,
  string: RANK.string,
  object: RANK.object,
  array: RANK.array,
  binary: RANK.binary,
  bool: RANK.bool,
  date: RANK.date,
};

function narrowType(classes: readonly ValueClass[]): Narrowing {
  const ranks = [...new Set(classes.map((name) => RANKS[name]))].sort((a, b) => a - b);
  // A key does not tell a stored null from a missing field, nor an int64 from a double.
  const exact = !classes.includes("null") && (classes.includes("number") || !classes.includes("int64"));
  return { intervals: ranks.map((rank) => (rank === RANK.null ? point(null) : wholeClass(rank))), exact };
}

/** All tests of one element, whose key is the element itself, so they narrow together. A scalar has the same key. */
function narrowElement(tests: readonly ElementTest[]): Narrowing | undefined {
  let intervals: readonly Interval[] | undefined;
  for (const test of tests) {
    const next = test.kind === "not" ? undefined : narrowElementBy(test);
    if (next) intervals = intervals ? intersect(intervals, next) : next;
  }
  return intervals && { intervals, exact: false };
}

/** As {@link narrow}, for a value that is not opened: an array is a key like any other. */
function narrowElementBy(leaf: Leaf): readonly Interval[] | undefined {
  switch (leaf.kind) {
    case "compare":
      return [leaf.op === "eq" ? point(leaf.value) : half(leaf.op, leaf.value)];
    case "in":
      return points(leaf.values);
    case "type":
      return narrowType(leaf.classes).intervals;
    case "size":
    case "elementValue":
    case "elementObject":
      return [wholeClass(RANK.array)];
    case "text":
    case "mod":
      return narrow(leaf)?.intervals;
    case "exists":
      return undefined;
  }
}

/** Paths that yield a value in every document that passes; so do the paths they go through. */
export function requiredPaths(conjuncts: readonly Node[]): Path[] {
  return conjuncts.flatMap((node) => {
    if (node.kind === "elementObject") {
      return [node.path, ...requiredPaths(conjunctsOf(node.of)).map((path) => [...node.path, ...path])];
    }
    return refusesMissing(node) ? [node.path] : [];
  });
}

function refusesMissing(node: Node): node is Leaf {
  switch (node.kind) {
    case "compare":
      return rankOf(node.value) !== RANK.null;
    case "in":
      return node.values.every((value) => value !== null);
    case "exists":
    case "type":
    case "size":
    case "mod":
    case "text":
    case "elementValue":
    case "elementObject":
      return true;
    default:
      return false;
  }
}
