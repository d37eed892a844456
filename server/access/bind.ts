import { type ElementTest, FALSE, type Leaf, type Node, type Term, TRUE, Variable } from "#protocol/ast";
import { RANK, rankOf } from "#protocol/compare";
import { compileFilter } from "#protocol/match";
import type { ObjectValue, Value } from "#protocol/values";
import { valueAt } from "./caller.ts";
import type { RuleNode } from "./rule-tree.ts";

/** What is known where a rule is bound. */
export interface Bindings {
  /** A variable's value; null: it has none, and poisons its leaf; undefined: it is not known yet, and stays. */
  value(variable: Variable): Value | undefined;
  /** The values of a variable that is the whole operand of `$in`; null and undefined as above. */
  values(variable: Variable): readonly Value[] | null | undefined;
  /** What an exists lookup finds for this caller in every document; null: it is poisoned; undefined: documents tell. */
  readonly has?: (name: string) => boolean | null | undefined;
  /** What leaves whose path starts with `$auth` or `$request` are tested against. */
  readonly facts: ObjectValue;
  /** Told of every leaf that is FALSE because a variable has no value: for explanations. */
  readonly poisoned?: (leaf: Leaf<Term>, variable: string) => void;
}

/**
 * Binds a rule to a caller (access-rules.md 3 and 4): what tests the caller folds to true or false, variables become
 * values, and a leaf with a variable that has none is FALSE, negated or not. What is not known yet stays as it is.
 */
export function bind(node: RuleNode, bindings: Bindings): RuleNode {
  switch (node.kind) {
    case "true":
    case "false":
      return node;
    case "and":
    case "or":
      return joined(
        node.kind,
        node.of.map((part) => bind(part, bindings)),
      );
    case "not":
      return bindLeaf(node, node.of, bindings);
    default:
      return bindLeaf(node, node, bindings);
  }
}

/** Joins nodes, constants folded. */
export function joined(kind: "and" | "or", nodes: readonly RuleNode[]): RuleNode {
  const [neutral, absorbing] = kind === "and" ? [TRUE, FALSE] : [FALSE, TRUE];
  if (nodes.some((node) => node.kind === absorbing.kind)) return absorbing;
  const rest = nodes.filter((node) => node.kind !== neutral.kind);
  const [only] = rest;
  if (!only) return neutral;
  return rest.length === 1 ? only : Object.freeze({ kind, of: Object.freeze(rest) });
}

/** Whether nothing is left that only a document can tell. */
export function isClosed(node: RuleNode): node is Node {
  switch (node.kind) {
    case "true":
    case "false":
      return true;
    case "and":
    case "or":
      return node.of.every(isClosed);
    case "not":
      return isClosedLeaf(node.of);
    default:
      return isClosedLeaf(node);
  }
}

function isClosedLeaf(leaf: Leaf<Term>): leaf is Leaf {
  if (leaf.path[0] === HAS) return false;
  switch (leaf.kind) {
    case "compare":
      return !(leaf.value instanceof Variable);
    case "in":
      return !leaf.values.some((value) => value instanceof Variable);
    case "text":
      return !(leaf.text instanceof Variable);
    case "elementValue":
      return leaf.of.every((test) => isClosedLeaf(test.kind === "not" ? test.of : test));
    case "elementObject":
      return isClosed(leaf.of);
    default:
      return true;
  }
}

/** Where the path of an exists lookup's leaf starts. */
export const HAS = "$has";
const FACTS: ReadonlySet<string | undefined> = new Set(["$auth", "$request"]);

/** Thrown where a variable without a value stands, however deep inside the leaf. */
class Poison {
  readonly variable: string;

  constructor(variable: string) {
    this.variable = variable;
  }
}

/** @param node the leaf, or its negation */
function bindLeaf(node: RuleNode, leaf: Leaf<Term>, bindings: Bindings): RuleNode {
  try {
    if (leaf.path[0] === HAS) return foldHas(node, leaf, bindings);
    const filled = fill(leaf, bindings);
    const aboutCaller = FACTS.has(leaf.path[0]);
    // A set lookup that is not read yet leaves the verdict open.
    if (aboutCaller && isClosedLeaf(filled)) return foldFact(filled, node.kind === "not", bindings);
    if (aboutCaller && valueAt(bindings.facts, leaf.path) === null) throw new Poison(leaf.path.join("."));
    if (filled === leaf) return node;
    // A lookup that finds nothing: nothing is among it.
    if (filled.kind === "in" && filled.values.length === 0) return node.kind === "not" ? TRUE : FALSE;
    return node.kind === "not" ? Object.freeze({ kind: "not", of: filled }) : filled;
  } catch (error) {
    if (!(error instanceof Poison)) throw error;
    bindings.poisoned?.(leaf, error.variable);
    return FALSE;
  }
}

/** An exists lookup that is poisoned is FALSE, negated or not. */
function foldHas(node: RuleNode, leaf: Leaf<Term>, { has }: Bindings): RuleNode {
  const found = has?.(leaf.path[1] as string);
  if (found === undefined) return node;
  return found !== null && found !== (node.kind === "not") ? TRUE : FALSE;
}

/** A test of the caller. Of what a caller does not have, only `$exists` may speak. */
function foldFact(leaf: Leaf, negated: boolean, { facts }: Bindings): RuleNode {
  if (leaf.kind !== "exists" && valueAt(facts, leaf.path) === null) throw new Poison(leaf.path.join("."));
  return compileFilter(leaf)(facts) === negated ? FALSE : TRUE;
}

/** The leaf with values in place of its variables; the same one if there are none. @throws Poison */
function fill(leaf: Leaf<Term>, bindings: Bindings): Leaf<Term> {
  switch (leaf.kind) {
    case "compare": {
      const value = termOf(leaf.value, bindings);
      if (value === leaf.value) return leaf;
      if (leaf.op !== "eq" && !(value instanceof Variable) && !isOrdered(value)) throw new Poison(nameOf(leaf.value));
      return Object.freeze({ ...leaf, value });
    }
    case "in": {
      if (!leaf.values.some((value) => value instanceof Variable)) return leaf;
      const values = leaf.values.flatMap((term) => elementsOf(term, bindings));
      return Object.freeze({ ...leaf, values: Object.freeze(values) });
    }
    case "text": {
      if (!(leaf.text instanceof Variable)) return leaf;
      const text = termOf(leaf.text, bindings);
      if (text instanceof Variable) return leaf;
      if (typeof text !== "string" || text === "") throw new Poison(leaf.text.name);
      return Object.freeze({ ...leaf, text });
    }
    case "elementValue": {
      const of = leaf.of.map((test) => fillTest(test, bindings));
      return of.every((test, i) => test === leaf.of[i]) ? leaf : Object.freeze({ ...leaf, of: Object.freeze(of) });
    }
    case "elementObject": {
      const of = fillInside(leaf.of, bindings);
      return of === leaf.of ? leaf : Object.freeze({ ...leaf, of });
    }
    default:
      return leaf;
  }
}

function fillTest(test: ElementTest<Term>, bindings: Bindings): ElementTest<Term> {
  if (test.kind !== "not") return fill(test, bindings);
  const of = fill(test.of, bindings);
  return of === test.of ? test : Object.freeze({ kind: "not", of });
}

/** Within `$elemMatch` nothing folds, since one leaf without a value poisons the whole. */
function fillInside(node: RuleNode, bindings: Bindings): RuleNode {
  switch (node.kind) {
    case "true":
    case "false":
      return node;
    case "and":
    case "or": {
      const of = node.of.map((part) => fillInside(part, bindings));
      return of.every((part, i) => part === node.of[i])
        ? node
        : Object.freeze({ kind: node.kind, of: Object.freeze(of) });
    }
    default:
      return fillTest(node, bindings);
  }
}

function termOf(term: Term, bindings: Bindings): Term {
  if (!(term instanceof Variable)) return term;
  const value = bindings.value(term);
  if (value === null) throw new Poison(term.name);
  return value === undefined ? term : value;
}

function elementsOf(term: Term, bindings: Bindings): readonly Term[] {
  if (!(term instanceof Variable)) return [term];
  if (!term.spread) return [termOf(term, bindings)];
  const values = bindings.values(term);
  if (values === undefined) return [term];
  if (values === null || values.includes(null)) throw new Poison(term.name);
  return values;
}

/** What may be compared by order; a literal of another kind is refused when a rule is read. */
function isOrdered(value: Value): boolean {
  const rank = rankOf(value);
  return rank !== RANK.null && rank !== RANK.array && rank !== RANK.object;
}

function nameOf(term: Term): string {
  return term instanceof Variable ? term.name : "";
}
