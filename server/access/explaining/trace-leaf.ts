import type { Leaf, Term } from "#protocol/ast";
import { Variable } from "#protocol/ast";
import { MISSING } from "#protocol/compare";
import { describe } from "#protocol/describe";
import { type Path, someValue } from "#protocol/paths";
import { encodeValue, type ObjectValue, type Value } from "#protocol/values";
import { HAS } from "../bind.ts";

/** Values that one clause shows, and characters of each. */
const MOST_SHOWN = 20;
const MOST_CHARACTERS = 500;

/** What a clause asks, and what there is. */
export interface LeafParts {
  readonly op: string;
  /** The path that it tests; of an exists lookup, its name. */
  readonly field: string;
  readonly negated?: true;
  readonly operand?: { readonly variable?: string; readonly value?: Value };
  /** What the path leads to, at most 20 values; absent without a document. */
  readonly found?: readonly Value[];
}

export interface LeafContext {
  /** A variable's value; undefined: none, or not known. */
  readonly resolve: (variable: Variable) => Value | undefined;
  readonly document: ObjectValue | undefined;
  readonly facts: ObjectValue;
}

export function describeLeaf(leaf: Leaf<Term>, negated: boolean, context: LeafContext): LeafParts {
  const [head, name] = leaf.path;
  if (head === HAS) return { op: "has", field: name as string, ...(negated && { negated: true }) };
  const { op, operand, negated: kept } = testOf(leaf, negated, context);
  const asksCaller = head === "$auth" || head === "$request";
  const root = asksCaller ? context.facts : context.document;
  return {
    op,
    field: leaf.path.join("."),
    ...(kept && { negated: true }),
    ...(operand && { operand }),
    ...(root && { found: foundIn(root, leaf.path, leaf.kind) }),
  };
}

interface LeafTest {
  readonly op: string;
  readonly operand?: LeafParts["operand"];
  readonly negated?: boolean;
}

function testOf(leaf: Leaf<Term>, negated: boolean, context: LeafContext): LeafTest {
  switch (leaf.kind) {
    case "compare": {
      const operand = operandOf(leaf.value, context);
      return leaf.op === "eq" ? { op: negated ? "ne" : "eq", operand } : { op: leaf.op, operand, negated };
    }
    case "in": {
      const op = negated ? "nin" : "in";
      const [only] = leaf.values;
      if (only instanceof Variable && leaf.values.length === 1) return { op, operand: operandOf(only, context) };
      const values = leaf.values.slice(0, MOST_SHOWN).map((term) => operandOf(term, context).value ?? null);
      const variable = leaf.values.find((term) => term instanceof Variable);
      return { op, operand: { ...(variable instanceof Variable && { variable: variable.name }), value: values } };
    }
    case "text": {
      const op = { start: "startsWith", end: "endsWith", any: "contains" }[leaf.at];
      return { op, operand: operandOf(leaf.text, context), negated };
    }
    case "exists":
      return { op: "exists", operand: { value: !negated } };
    case "type":
      return { op: "type", operand: { value: leaf.classes }, negated };
    case "size":
      return { op: "size", operand: { value: leaf.length }, negated };
    case "mod":
      return { op: "mod", operand: { value: [leaf.divisor, leaf.remainder] }, negated };
    case "elementValue":
    case "elementObject":
      return { op: "elemMatch", negated };
  }
}

function operandOf(term: Term, { resolve }: LeafContext): { variable?: string; value?: Value } {
  if (!(term instanceof Variable)) return { value: shown(term) };
  const value = resolve(term);
  if (value === undefined) return { variable: term.name };
  const list = term.spread && Array.isArray(value);
  return { variable: term.name, value: list ? value.slice(0, MOST_SHOWN).map(shown) : shown(value) };
}

/** As the language reads the path: what stands in arrays, not the arrays. */
function foundIn(root: ObjectValue, path: Path, kind: Leaf["kind"]): readonly Value[] {
  const whole = kind === "size" || kind === "elementValue" || kind === "elementObject";
  const found: Value[] = [];
  someValue(root, path, !whole, (value) => {
    const opened = !whole && Array.isArray(value) && value.length > 0;
    if (value !== MISSING && !opened) found.push(shown(value));
    return found.length === MOST_SHOWN;
  });
  return found;
}

/** A value that is short enough to be read. */
export function shown(value: Value): Value {
  if (typeof value === "string")
    return value.length > MOST_CHARACTERS ? `${value.slice(0, MOST_CHARACTERS)}…`.toWellFormed() : value;
  return typeof value === "object" && encodeValue(value).length > MOST_CHARACTERS ? describe(value) : value;
}
