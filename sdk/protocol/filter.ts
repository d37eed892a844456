import { type ElementMatch, type ElementTest, type Node, type Term, TRUE, Variable } from "./ast.ts";
import { describe } from "./describe.ts";
import type { Dialect, FilterPlace, FilterReader } from "./dialect.ts";
import type { FaultCode, Faults } from "./errors.ts";
import { freezeValue } from "./freeze.ts";
import { jsonBytes } from "./json-size.ts";
import { LIMITS } from "./limits.ts";
import { negate } from "./negate.ts";
import { OPERATORS, type OperandReader, type Place, SECOND_WAVE } from "./operators.ts";
import { type Path, parsePath } from "./paths.ts";
import { decodeValue, isObjectValue, isTag, type Value } from "./values.ts";

/**
 * Reads a filter (query-language.md 3) from parsed JSON. The result is frozen and shares nothing with the input, which
 * is not changed. Any input is safe, however deep or large.
 *
 * @param at what the input is called in faults, as in `filter`
 * @returns a node that may be used only if no fault was added
 */
export function parseFilter(input: unknown, at: string, faults: Faults): Node {
  const node = measured(input, at, faults, () =>
    new FilterParser(faults).filter(input, { at, depth: 0, inside: false }),
  );
  // Only a dialect makes variables.
  return node as Node;
}

/** Reads a filter that may say what the dialect allows. How long it may be is the caller's to judge. */
export function parseInDialect(input: unknown, at: string, faults: Faults, dialect: Dialect): Node<Term> {
  return new FilterParser(faults, dialect).filter(input, { at, depth: 0, inside: false });
}

/** Reads what stands alone where an operand would; undefined if it has a fault. */
export function parseTerm(input: unknown, at: string, faults: Faults, dialect: Dialect): Term | undefined {
  return new FilterParser(faults, dialect).term(input, at);
}

/**
 * Reads the operand of an `$elemMatch` that stands alone, as `$pull` and `$arrayFilters` have it (query-language.md 6).
 * The leaf's path is []; see `compileElement` in match.ts. Undefined if it has a fault.
 */
export function parseElementMatch(operand: unknown, at: string, faults: Faults): ElementMatch | undefined {
  const before = faults.list.length;
  const node = measured(operand, at, faults, () =>
    new FilterParser(faults).elementMatch(operand, { path: SELF, at, depth: 1 }),
  );
  if (faults.list.length > before) return undefined;
  return node.kind === "elementValue" || node.kind === "elementObject" ? (node as ElementMatch) : undefined;
}

function measured(input: unknown, at: string, faults: Faults, parse: () => Node<Term>): Node<Term> {
  const before = faults.list.length;
  const node = parse();
  // Last, because a more telling fault is one that the parser finds.
  if (faults.list.length === before && jsonBytes(input, LIMITS.filterBytes) > LIMITS.filterBytes) {
    faults.add(at, "too_long", TOO_LONG);
  }
  return node;
}

const TOO_LONG = `is longer than ${LIMITS.filterBytes} bytes as JSON`;
const LOGICAL = new Set(["$and", "$or", "$nor"]);
/** The path of an element that is tested itself. */
const SELF: Path = Object.freeze([]);

/** Recursion is bounded: it goes down only through `$and $or $nor $not $elemMatch`, and {@link mayNest} counts those. */
class FilterParser implements OperandReader, FilterReader {
  readonly #faults: Faults;
  readonly #dialect: Dialect | undefined;
  #nodes = 0;

  constructor(faults: Faults, dialect?: Dialect) {
    this.#faults = faults;
    this.#dialect = dialect;
  }

  filter(input: unknown, place: FilterPlace): Node<Term> {
    if (!isObjectValue(input)) {
      return this.refuse(place.at, "bad_operand", `expects an object of paths and operators, got ${describe(input)}`);
    }
    const tests: Node<Term>[] = [];
    for (const key of Object.keys(input)) {
      if (this.#stopped) break;
      const here = { ...place, at: `${place.at}.${key}` };
      const test = key.startsWith("$") ? this.#clause(key, input[key], here) : this.#field(key, input[key], here);
      tests.push(this.placed(test, here.at));
    }
    return this.placed(allOf(tests), place.at);
  }

  #field(key: string, value: unknown, { at, depth, inside }: FilterPlace): Node<Term> {
    return this.#test(value, { path: Object.freeze(parsePath(key, at, this.#faults, inside)), at, depth });
  }

  #clause(key: string, value: unknown, place: FilterPlace): Node<Term> {
    const { at, depth } = place;
    const path = this.#dialect?.path(key, place);
    if (path) return this.#test(value, { path, at, depth });
    const said = this.#dialect?.clause(key, value, place, this);
    if (said) return said;
    if (!this.count(at)) return TRUE;
    return LOGICAL.has(key)
      ? this.#logical(key, value, place)
      : this.#unknown(key, at, "expects a path or one of $and $or $nor", [...LOGICAL]);
  }

  #logical(operator: string, operand: unknown, place: FilterPlace): Node<Term> {
    const { at, depth } = place;
    if (!this.mayNest(place)) return TRUE;
    if (!Array.isArray(operand) || operand.length === 0) {
      return this.refuse(at, "bad_operand", `expects a non-empty array of filters, got ${describe(operand)}`);
    }
    if (operand.length > LIMITS.filterBranches) {
      const message = `expects at most ${LIMITS.filterBranches} filters, got ${operand.length}`;
      return this.refuse(at, "too_many_branches", message);
    }
    const branches: Node<Term>[] = [];
    for (let i = 0; i < operand.length && !this.#stopped; i++) {
      const branch = this.filter(operand[i], { ...place, at: this.elementAt(at, i), depth: depth + 1 });
      branches.push(operator === "$nor" ? this.negate(branch) : branch);
    }
    return Object.freeze({ kind: operator === "$or" ? "or" : "and", of: Object.freeze(branches) });
  }

  /** What stands at a path: an operator object if its first key is an operator, else a literal. */
  #test(value: unknown, place: Place): Node<Term> {
    const keys = isObjectValue(value) ? Object.keys(value) : [];
    const [first] = keys;
    if (first?.startsWith("$") && !isTag(first) && !this.#dialect?.isOperand(value as Record<string, unknown>)) {
      return this.operators(value as Record<string, unknown>, place);
    }
    if (!this.count(place.at)) return TRUE;
    const stray = first?.startsWith("$") ? undefined : keys.find((key) => key.startsWith("$"));
    if (stray !== undefined) return this.#mixed(place.at, stray);
    const term = this.term(value, place.at);
    if (term === undefined) return TRUE;
    return Object.freeze({ kind: "compare", op: "eq", path: place.path, value: term });
  }

  operators(object: Record<string, unknown>, place: Place): Node<Term> {
    const tests: Node<Term>[] = [];
    for (const key of Object.keys(object)) {
      const at = `${place.at}.${key}`;
      if (!this.count(at)) break;
      const operator = OPERATORS.get(key);
      if (operator) tests.push(this.placed(operator.parse(object[key], { ...place, at }, this), at));
      else if (!key.startsWith("$")) return this.#mixed(place.at, key);
      else {
        const known = [...OPERATORS.keys()];
        tests.push(this.#unknown(key, at, `expects one of ${known.join(" ")}`, known));
      }
    }
    return this.placed(allOf(tests), place.at);
  }

  elementMatch(operand: unknown, place: Place): Node<Term> {
    const [first] = isObjectValue(operand) ? Object.keys(operand) : [];
    if (first === undefined) {
      return this.refuse(place.at, "bad_operand", `expects a non-empty object, got ${describe(operand)}`);
    }
    const { path, at, depth } = place;
    if (first.startsWith("$") && !LOGICAL.has(first)) {
      const of = Object.freeze(this.#elementTests(operand as Record<string, unknown>, { path: SELF, at, depth }));
      return Object.freeze({ kind: "elementValue", path, of });
    }
    return Object.freeze({ kind: "elementObject", path, of: this.filter(operand, { at, depth, inside: true }) });
  }

  #elementTests(object: Record<string, unknown>, place: Place): ElementTest<Term>[] {
    const tests: ElementTest<Term>[] = [];
    let text: string | undefined;
    for (const key of Object.keys(object)) {
      const at = `${place.at}.${key}`;
      if (!this.count(at)) break;
      const operator = OPERATORS.get(key);
      if (!key.startsWith("$")) {
        this.#mixed(place.at, key);
        break;
      }
      if (!operator?.inElement) {
        const allowed = [...OPERATORS].filter(([, row]) => row.inElement).map(([name]) => name);
        this.#unknown(key, at, `expects, to test elements themselves, some of ${allowed.join(" ")}`, allowed);
      } else if (operator.inElement === "one" && text !== undefined) {
        this.refuse(at, "bad_operand", `expects no second text operator beside ${text} in one $elemMatch`);
      } else {
        if (operator.inElement === "one") text = key;
        const test = this.placed(operator.parse(object[key], { ...place, at }, this), at);
        if (isElementTest(test)) tests.push(test);
      }
    }
    return tests;
  }

  literal(operand: unknown, at: string): Value | undefined {
    const before = this.#faults.list.length;
    // Measured before it is copied, so that a huge literal costs next to nothing.
    if (jsonBytes(operand, LIMITS.filterBytes) > LIMITS.filterBytes) this.#faults.add(at, "too_long", TOO_LONG);
    else {
      const value = decodeValue(copy(operand, 1), at, this.#faults);
      if (this.#faults.list.length === before) return freezeValue(value);
    }
    return undefined;
  }

  given(operand: unknown, at: string): unknown {
    return this.#dialect ? this.#dialect.given(operand, at) : operand;
  }

  term(operand: unknown, at: string): Term | undefined {
    const given = this.given(operand, at);
    return given instanceof Variable ? given : this.literal(given, at);
  }

  list(operand: unknown, at: string): Variable | undefined {
    return this.#dialect?.list(operand, at);
  }

  negate(node: Node<Term>): Node<Term> {
    const negation = negate(node);
    this.#dialect?.negated(negation, node);
    return negation;
  }

  placed(node: Node<Term>, at: string): Node<Term> {
    return this.#dialect ? this.#dialect.placed(node, at) : node;
  }

  elementAt(at: string, index: number): string {
    return this.#dialect ? this.#dialect.elementAt(at, index) : `${at}.${index}`;
  }

  mayNest(place: { readonly at: string; readonly depth: number }): boolean {
    if (place.depth < LIMITS.filterDepth) return true;
    this.#faults.add(place.at, "too_deep", `is nested deeper than ${LIMITS.filterDepth} levels of operators`);
    return false;
  }

  refuse(at: string, code: FaultCode, message: string): Node<Term> {
    this.#faults.add(at, code, message);
    return TRUE;
  }

  #unknown(name: string, at: string, expected: string, known: readonly string[]): Node<Term> {
    if (this.#dialect?.refuses(name, at, known)) return TRUE;
    return SECOND_WAVE.has(name)
      ? this.refuse(at, "not_available_yet", `${name} is not available yet`)
      : this.refuse(at, "unknown_operator", `${expected}, got ${JSON.stringify(name.slice(0, 40))}`);
  }

  #mixed(at: string, key: string): Node<Term> {
    const name = JSON.stringify(key.slice(0, 40));
    return this.refuse(at, "mixed_object", `expects either operators or plain fields, got both (${name})`);
  }

  /** Counts one test; past the limit there is one fault, and the parser stops. */
  count(at: string): boolean {
    this.#nodes++;
    if (this.#nodes === LIMITS.filterNodes + 1) {
      this.#faults.add(at, "too_many_nodes", `is the test after the ${LIMITS.filterNodes} that a filter may have`);
    }
    return !this.#stopped;
  }

  get #stopped(): boolean {
    return this.#nodes > LIMITS.filterNodes;
  }
}

function allOf(tests: Node<Term>[]): Node<Term> {
  const [only] = tests;
  if (only && tests.length === 1) return only;
  return only ? Object.freeze({ kind: "and", of: Object.freeze(tests) }) : TRUE;
}

/** Rows that the value form admits give a leaf or its negation; anything else came with a fault. */
function isElementTest(node: Node<Term>): node is ElementTest<Term> {
  return node.kind !== "true" && node.kind !== "false" && node.kind !== "and" && node.kind !== "or";
}

/** A copy for `decodeValue` to change. What is nested too deeply is left as it is: it will be refused unread. */
function copy(input: unknown, level: number): unknown {
  if (typeof input !== "object" || input === null || level > LIMITS.documentDepth + 1) return input;
  if (Array.isArray(input)) return input.map((item) => copy(item, level + 1));
  // Object.fromEntries defines members, so that a key `__proto__` stays a key and is refused.
  return Object.fromEntries(Object.entries(input).map(([key, item]) => [key, copy(item, level + 1)]));
}
