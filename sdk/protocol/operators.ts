import { type CompareOp, FALSE, type Leaf, type Node, type Term, TRUE, Variable } from "./ast.ts";
import { RANK, rankOf } from "./compare.ts";
import { describe } from "./describe.ts";
import type { FaultCode } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { Path } from "./paths.ts";
import type { Value, ValueClass } from "./values.ts";
import { isObjectValue } from "./values.ts";

/** Where an operator stands: the path it tests, its place in the input for faults, and how deeply it is nested. */
export interface Place {
  readonly path: Path;
  readonly at: string;
  readonly depth: number;
}

/** What the parser offers to the rows of {@link OPERATORS}. */
export interface OperandReader {
  /** A literal, copied, decoded and frozen; undefined if it was refused. */
  literal(operand: unknown, at: string): Value | undefined;
  /** The variable that an operand names in an access rule, or the operand to read as a literal. */
  given(operand: unknown, at: string): unknown;
  /** A variable or literal; undefined if it was refused. */
  term(operand: unknown, at: string): Term | undefined;
  /** The variable that stands for a whole list in an access rule; undefined if the operand is to be read as a list. */
  list(operand: unknown, at: string): Variable | undefined;
  /** Where the element of a list stands. */
  elementAt(at: string, index: number): string;
  /** The tests of an operator object, each on the path of `place`, AND-ed. */
  operators(operand: Record<string, unknown>, place: Place): Node<Term>;
  /** The operand of `$elemMatch`. */
  elementMatch(operand: unknown, place: Place): Node<Term>;
  /** The exact negation of a node. */
  negate(node: Node<Term>): Node<Term>;
  /** The node, once an access rule has noted where it stands. */
  placed(node: Node<Term>, at: string): Node<Term>;
  /** Whether `place` may nest one level more; adds the fault if not. */
  mayNest(place: Place): boolean;
  /** Adds a fault and gives a node to go on with, so that the other faults are found too. */
  refuse(at: string, code: FaultCode, message: string): Node<Term>;
}

export interface Operator {
  readonly parse: (operand: unknown, place: Place, reader: OperandReader) => Node<Term>;
  /** Whether the value form of `$elemMatch` may hold it, and of those marked "one" only one (query-language.md 3.3). */
  readonly inElement: boolean | "one";
}

/** One row an operator of a path; query-language.md 3. `$and $or $nor` hold filters and are filter.ts's own. */
export const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["$eq", { parse: parseEqual, inElement: true }],
  ["$ne", { parse: not(parseEqual), inElement: true }],
  ["$gt", { parse: range("gt"), inElement: true }],
  ["$gte", { parse: range("gte"), inElement: true }],
  ["$lt", { parse: range("lt"), inElement: true }],
  ["$lte", { parse: range("lte"), inElement: true }],
  ["$in", { parse: parseIn, inElement: true }],
  ["$nin", { parse: not(parseIn), inElement: true }],
  ["$not", { parse: parseNot, inElement: false }],
  ["$exists", { parse: parseExists, inElement: false }],
  ["$type", { parse: parseType, inElement: true }],
  ["$size", { parse: parseSize, inElement: true }],
  ["$all", { parse: parseAll, inElement: false }],
  ["$elemMatch", { parse: parseElemMatch, inElement: true }],
  ["$mod", { parse: parseMod, inElement: true }],
  ["$startsWith", { parse: text("start"), inElement: "one" }],
  ["$endsWith", { parse: text("end"), inElement: "one" }],
  ["$contains", { parse: text("any"), inElement: "one" }],
]);

/** Names kept for later (query-language.md 11), so that a filter which uses one is told apart from a misspelt one. */
export const SECOND_WAVE: ReadonlySet<string> = new Set([
  "$regex",
  "$options",
  "$search",
  "$geoWithin",
  "$near",
  "$numberDecimal",
]);

const CLASSES: ReadonlySet<string> = new Set<ValueClass>([
  "null",
  "number",
  "string",
  "object",
  "array",
  "binary",
  "bool",
  "date",
  "int64",
]);

type Parse = Operator["parse"];

function not(parse: Parse): Parse {
  return (operand, place, reader) => reader.negate(parse(operand, place, reader));
}

function parseEqual(operand: unknown, { path, at }: Place, reader: OperandReader): Node<Term> {
  const value = reader.term(operand, at);
  return value === undefined ? TRUE : leaf({ kind: "compare", op: "eq", path, value });
}

function range(op: Exclude<CompareOp, "eq">): Parse {
  return (operand, { path, at }, reader) => {
    const value = reader.term(operand, at);
    if (value === undefined) return TRUE;
    // What a variable stands for is known, and judged, when it is bound.
    const rank = value instanceof Variable ? undefined : rankOf(value);
    if (rank === RANK.null || rank === RANK.array || rank === RANK.object) {
      return reader.refuse(
        at,
        "bad_operand",
        `expects a number, string, date, bool or binary, got ${describe(operand)}`,
      );
    }
    return leaf({ kind: "compare", op, path, value });
  };
}

function parseIn(operand: unknown, { path, at }: Place, reader: OperandReader): Node<Term> {
  const list = reader.list(operand, at);
  if (list) return leaf({ kind: "in", path, values: Object.freeze([list]) });
  if (!Array.isArray(operand)) {
    return reader.refuse(at, "bad_operand", `expects an array of values, got ${describe(operand)}`);
  }
  if (operand.length > LIMITS.inValues) {
    const message = `expects at most ${LIMITS.inValues} values, got ${operand.length}`;
    return reader.refuse(at, "too_many_values", message);
  }
  const values = operand
    .map((item, i) => reader.term(item, reader.elementAt(at, i)))
    .filter((value) => value !== undefined);
  return leaf({ kind: "in", path, values: Object.freeze(values) });
}

function parseNot(operand: unknown, place: Place, reader: OperandReader): Node<Term> {
  if (!reader.mayNest(place)) return TRUE;
  const first = isObjectValue(operand) ? Object.keys(operand)[0] : undefined;
  if (!first?.startsWith("$")) {
    return reader.refuse(
      place.at,
      "bad_operand",
      `expects a non-empty object of operators, got ${describe(operand)}; to negate a value use $ne`,
    );
  }
  return reader.negate(reader.operators(operand as Record<string, unknown>, { ...place, depth: place.depth + 1 }));
}

function parseExists(operand: unknown, { path, at }: Place, reader: OperandReader): Node<Term> {
  if (typeof operand !== "boolean") {
    return reader.refuse(at, "bad_operand", `expects true or false, got ${describe(operand)}`);
  }
  const exists = leaf({ kind: "exists", path });
  return operand ? exists : reader.negate(exists);
}

function parseType(operand: unknown, { path, at }: Place, reader: OperandReader): Node<Term> {
  const classes: readonly unknown[] = Array.isArray(operand) ? operand : [operand];
  const names = [...CLASSES].join(", ");
  if (classes.length === 0) return reader.refuse(at, "bad_operand", `expects one or more of ${names}, got none`);
  for (const name of classes) {
    if (typeof name === "string" && CLASSES.has(name)) continue;
    const got = typeof name === "string" ? JSON.stringify(name.slice(0, 40)) : describe(name);
    return reader.refuse(at, "bad_operand", `expects one or more of ${names}, got ${got}`);
  }
  return leaf({ kind: "type", path, classes: Object.freeze([...new Set(classes)] as ValueClass[]) });
}

function parseSize(operand: unknown, { path, at }: Place, reader: OperandReader): Node<Term> {
  if (!Number.isSafeInteger(operand) || (operand as number) < 0) {
    return reader.refuse(at, "bad_operand", `expects an integer from 0, got ${describe(operand)}`);
  }
  // Adding 0 makes -0 a plain 0.
  return leaf({ kind: "size", path, length: (operand as number) + 0 });
}

function parseAll(operand: unknown, place: Place, reader: OperandReader): Node<Term> {
  const { at } = place;
  if (!Array.isArray(operand)) {
    return reader.refuse(at, "bad_operand", `expects an array of values, got ${describe(operand)}`);
  }
  if (operand.length > LIMITS.filterBranches) {
    const message = `expects at most ${LIMITS.filterBranches} values, got ${operand.length}`;
    return reader.refuse(at, "too_many_branches", message);
  }
  if (operand.length === 0) return FALSE;
  const elements = operand.filter(isElementMatch);
  if (elements.length > 0 && elements.length < operand.length) {
    return reader.refuse(at, "bad_operand", "expects only values or only $elemMatch objects, got both");
  }
  const tests = operand.map((item, i) => {
    const here = { ...place, at: reader.elementAt(at, i) };
    const test = elements.length > 0 ? reader.operators(item, here) : parseEqual(item, here, reader);
    return reader.placed(test, here.at);
  });
  return Object.freeze({ kind: "and", of: Object.freeze(tests) });
}

function isElementMatch(item: unknown): boolean {
  return isObjectValue(item) && Object.keys(item).length === 1 && Object.hasOwn(item, "$elemMatch");
}

function parseElemMatch(operand: unknown, place: Place, reader: OperandReader): Node<Term> {
  return reader.mayNest(place) ? reader.elementMatch(operand, { ...place, depth: place.depth + 1 }) : TRUE;
}

function parseMod(operand: unknown, { path, at }: Place, reader: OperandReader): Node<Term> {
  const [divisor, remainder, ...more]: unknown[] = Array.isArray(operand) ? operand.slice(0, 3) : [];
  if (!Number.isSafeInteger(divisor) || !Number.isSafeInteger(remainder) || divisor === 0 || more.length > 0) {
    return reader.refuse(at, "bad_operand", "expects [divisor, remainder], two integers, the divisor not 0");
  }
  return leaf({ kind: "mod", path, divisor: divisor as number, remainder: (remainder as number) + 0 });
}

function text(where: "start" | "end" | "any"): Parse {
  return (given, { path, at }, reader) => {
    const operand = reader.given(given, at);
    if (operand instanceof Variable) return leaf({ kind: "text", path, at: where, text: operand });
    if (typeof operand !== "string") {
      return reader.refuse(at, "bad_operand", `expects a string, got ${describe(operand)}`);
    }
    if (operand === "") return reader.refuse(at, "bad_operand", "expects a string that is not empty");
    if (operand.length > LIMITS.textOperand * 2 || [...operand].length > LIMITS.textOperand) {
      return reader.refuse(at, "too_long", `expects at most ${LIMITS.textOperand} characters`);
    }
    const literal = reader.literal(operand, at);
    return literal === undefined ? TRUE : leaf({ kind: "text", path, at: where, text: operand });
  };
}

function leaf(node: Leaf<Term>): Leaf<Term> {
  return Object.freeze(node);
}
