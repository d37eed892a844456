import type { CompareOp, ElementMatch, ElementTest, Leaf, Node } from "./ast.ts";
import { compare, compareStrings, equal, type Found, MISSING, RANK, type Rank, rankOf } from "./compare.ts";
import { memberTest } from "./member-test.ts";
import type { ObjectValue, Value, ValueClass } from "./values.ts";
import { isObjectValue } from "./values.ts";

/** Judges one value that a path yielded. */
export type Test = (found: Found) => boolean;
/** Judges an object, or an array as the object of its elements. */
export type Predicate = (root: ObjectValue | readonly Value[]) => boolean;

/**
 * What a leaf asks of one value of its path; query-language.md 3.
 *
 * @param compile compiles the filter of an object form of `$elemMatch`, whose roots may be arrays
 */
export function leafTest(leaf: Leaf, compile: (node: Node) => Predicate): Test {
  switch (leaf.kind) {
    case "compare":
      return leaf.op === "eq" ? equalTest(leaf.value) : rangeTest(leaf.op, leaf.value);
    case "in":
      return memberTest(leaf.values);
    case "exists":
      return (found) => found !== MISSING;
    case "type":
      return typeTest(leaf.classes);
    case "size":
      return (found) => Array.isArray(found) && found.length === leaf.length;
    case "mod":
      return modTest(leaf.divisor, leaf.remainder);
    case "text":
      return textTest(leaf.at, leaf.text);
    case "elementValue":
    case "elementObject": {
      const accepts = elementTest(leaf, compile);
      return (found) => Array.isArray(found) && found.some(accepts);
    }
  }
}

/** What an `$elemMatch` asks of one element; query-language.md 3.3. */
export function elementTest(leaf: ElementMatch, compile: (node: Node) => Predicate): (element: Value) => boolean {
  if (leaf.kind === "elementObject") {
    const accepts = compile(leaf.of);
    return (element) => (Array.isArray(element) || isObjectValue(element)) && accepts(element);
  }
  const tests = leaf.of.map((test) => elementLeafTest(test, compile));
  return (element) => tests.every((test) => test(element));
}

function elementLeafTest(test: ElementTest, compile: (node: Node) => Predicate): Test {
  if (test.kind !== "not") return leafTest(test, compile);
  const accepts = leafTest(test.of, compile);
  return (found) => !accepts(found);
}

function equalTest(value: Value): Test {
  switch (typeof value) {
    case "string":
    case "boolean":
      return (found) => found === value;
    case "number":
      return (found) => found === value || (typeof found === "bigint" && equal(found, value));
    default:
      return (found) => equal(found, value);
  }
}

function rangeTest(op: Exclude<CompareOp, "eq">, bound: Value): Test {
  if (typeof bound === "number" || typeof bound === "bigint") return numberTest(op, bound);
  const passes = ORDER[op];
  if (typeof bound === "string") {
    return (found) => typeof found === "string" && passes(compareStrings(found, bound));
  }
  const rank = rankOf(bound);
  return (found) => rankOf(found) === rank && passes(compare(found, bound));
}

const ORDER: Record<Exclude<CompareOp, "eq">, (order: number) => boolean> = {
  gt: (order) => order > 0,
  gte: (order) => order >= 0,
  lt: (order) => order < 0,
  lte: (order) => order <= 0,
};

/** JavaScript compares a number with a bigint exactly. */
function numberTest(op: Exclude<CompareOp, "eq">, bound: number | bigint): Test {
  switch (op) {
    case "gt":
      return (found) => isNumber(found) && found > bound;
    case "gte":
      return (found) => isNumber(found) && found >= bound;
    case "lt":
      return (found) => isNumber(found) && found < bound;
    case "lte":
      return (found) => isNumber(found) && found <= bound;
  }
}

function isNumber(found: Found): found is number | bigint {
  return typeof found === "number" || typeof found === "bigint";
}

function typeTest(classes: readonly ValueClass[]): Test {
  const ranks: ReadonlySet<Rank> = new Set(classes.flatMap((name) => (name === "int64" ? [] : [RANK[name]])));
  const long = classes.includes("int64");
  return (found) => found !== MISSING && (ranks.has(rankOf(found)) || (long && typeof found === "bigint"));
}

function modTest(divisor: number, remainder: number): Test {
  const [d, r] = [BigInt(divisor), BigInt(remainder)];
  return (found) => {
    if (typeof found === "bigint") return found % d === r;
    if (typeof found !== "number") return false;
    const whole = Math.trunc(found);
    return whole >= -TWO_63 && whole < TWO_63 && whole % divisor === remainder;
  };
}

const TWO_63 = 2 ** 63;

function textTest(at: "start" | "end" | "any", text: string): Test {
  switch (at) {
    case "start":
      return (found) => typeof found === "string" && found.startsWith(text);
    case "end":
      return (found) => typeof found === "string" && found.endsWith(text);
    case "any":
      return (found) => typeof found === "string" && found.includes(text);
  }
}
