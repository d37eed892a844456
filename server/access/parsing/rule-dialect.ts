import { FALSE, Variable } from "#protocol/ast";
import { describe } from "#protocol/describe";
import type { Dialect, FilterPlace, FilterReader } from "#protocol/dialect";
import { jsonBytes } from "#protocol/json-size";
import { LIMITS } from "#protocol/limits";
import { SECOND_WAVE } from "#protocol/operators";
import { isObjectValue } from "#protocol/values";
import type { RuleNode } from "../rule-tree.ts";
import { cite, didYouMean } from "./rule-faults.ts";
import type { Budget, Macro, RuleScope } from "./rule-scope.ts";
import { callerPath, isVariable, parseNow } from "./rule-variables.ts";

/** Macros that use macros, one inside the other. */
export const MACRO_DEPTH = 4;
/** Macros that one rule expands, since an empty one counts as no test. */
const MAX_USES = LIMITS.filterNodes;
/** Stands where a variable was refused. */
const REFUSED = new Variable("");
/** Variables that are lists, or may be. */
const LISTS = /^\$(?:auth\.roles$|auth\.claims\.|before\.|lookup\.)/;
const CLAUSES = ["$use", "$has", "$auth.id", "$auth.kind", "$auth.email", "$auth.roles", "$auth.mfa"];

/** What rules say beside filters (access-rules.md 2 and 3), for one rule. */
export class RuleDialect implements Dialect {
  readonly #scope: RuleScope;
  readonly #budget: Budget;
  readonly #used: ((macro: Macro, at: string) => void) | undefined;
  /** Names of the macros that are being expanded. */
  readonly #open: string[] = [];
  #uses = 0;

  /** @param used told of macros in place of expanding them */
  constructor(scope: RuleScope, budget: Budget, used?: (macro: Macro, at: string) => void) {
    this.#scope = scope;
    this.#budget = budget;
    this.#used = used;
  }

  given(operand: unknown, at: string): unknown {
    if (typeof operand === "string") return operand.startsWith("$") ? this.#variable(operand, at) : operand;
    if (typeof operand !== "object" || operand === null) return operand;
    if (isObjectValue(operand) && this.isOperand(operand)) {
      return "$literal" in operand ? operand.$literal : parseNow(operand.$now, this.#refuser(at));
    }
    const stray = jsonBytes(operand, LIMITS.filterBytes) <= LIMITS.filterBytes ? strayVariable(operand) : undefined;
    if (stray === undefined) return operand;
    const data = 'to write it as data, make the whole operand {"$literal": …}';
    this.#scope.faults.add(
      at,
      "variable_not_here",
      `${cite(stray)} stands inside a value; a variable is a whole operand; ${data}`,
    );
    return REFUSED;
  }

  #variable(text: string, at: string): Variable {
    if (!isVariable(text, this.#refuser(at))) return REFUSED;
    if (!text.startsWith("$lookup.")) return new Variable(text);
    const message = `${cite(text)} is a list: it stands alone as the operand of $in or $nin`;
    this.#scope.faults.add(at, "variable_not_here", message);
    return REFUSED;
  }

  list(operand: unknown, at: string): Variable | undefined {
    if (typeof operand !== "string" || !operand.startsWith("$")) return undefined;
    if (!isVariable(operand, this.#refuser(at))) return REFUSED;
    if (LISTS.test(operand)) return new Variable(operand, { spread: true });
    this.#scope.faults.add(at, "variable_not_here", `${cite(operand)} is one value; write [${cite(operand)}]`);
    return REFUSED;
  }

  isOperand(object: Readonly<Record<string, unknown>>): boolean {
    const [first, ...more] = Object.keys(object);
    return more.length === 0 && (first === "$literal" || first === "$now");
  }

  path(key: string, { at, inside }: FilterPlace): readonly string[] | undefined {
    const path = callerPath(key, this.#refuser(at));
    if (path && inside) this.#outside(at);
    return path;
  }

  clause(key: string, operand: unknown, place: FilterPlace, reader: FilterReader): RuleNode | undefined {
    if (key === "$use") return this.#use(operand, place, reader);
    return key === "$has" ? this.#has(operand, place, reader) : undefined;
  }

  #use(operand: unknown, place: FilterPlace, reader: FilterReader): RuleNode {
    const { at } = place;
    const names: readonly unknown[] = Array.isArray(operand) ? operand : [operand];
    if (
      names.length === 0 ||
      names.length > LIMITS.filterBranches ||
      !names.every((name) => typeof name === "string")
    ) {
      const got = describe(names.find((name) => typeof name !== "string") ?? operand);
      const message = `expects a macro's name, or a list of up to ${LIMITS.filterBranches}, got ${got}`;
      this.#scope.faults.add(at, "wrong_type", message);
      return FALSE;
    }
    const nodes = names.map((name) => this.#expand(name, place, reader));
    const [only] = nodes;
    return only && nodes.length === 1 ? only : Object.freeze({ kind: "and", of: Object.freeze(nodes) });
  }

  #expand(name: string, place: FilterPlace, reader: FilterReader): RuleNode {
    const { faults, macros, places } = this.#scope;
    const { at } = place;
    const macro = macros.get(name);
    // Names are not counted as tests, so there may be many.
    if (faults.full) return FALSE;
    if (!macro) faults.add(at, "unknown_macro", `no macro ${cite(name)}${didYouMean(name, macros.all())}`);
    else if (this.#used) this.#used(macro, at);
    else if (macro.broken) return FALSE;
    else if (this.#open.includes(name)) faults.add(at, "macro_cycle", cycle([...this.#open, name], name));
    else if (this.#open.length >= MACRO_DEPTH) faults.add(at, "too_large", TOO_NESTED);
    else if (++this.#uses > MAX_USES) {
      if (this.#uses === MAX_USES + 1) faults.add(at, "too_large", `uses macros more than ${MAX_USES} times`);
    } else if (this.#budget.spend(macro.bytes)) {
      this.#open.push(name);
      const node = reader.filter(macro.body, { ...place, at: `${at}(${name})` });
      this.#open.pop();
      places.putMacro(node, name);
      return node;
    }
    return FALSE;
  }

  #has(operand: unknown, { at, inside }: FilterPlace, reader: FilterReader): RuleNode {
    if (inside) this.#outside(at);
    if (!reader.count(at)) return FALSE;
    if (typeof operand === "string") return Object.freeze({ kind: "exists", path: Object.freeze(["$has", operand]) });
    this.#scope.faults.add(at, "wrong_type", `expects the name of an exists lookup, got ${describe(operand)}`);
    return FALSE;
  }

  refuses(operator: string, at: string, known: readonly string[]): boolean {
    const { faults } = this.#scope;
    if (operator === "$regex" || operator === "$options") {
      const message = "not allowed in rules; use $startsWith, $endsWith or $contains";
      faults.add(at, "operator_not_allowed", message);
      return true;
    }
    if (SECOND_WAVE.has(operator)) return false;
    const inFilter = known.includes("$or");
    const expected = `; expects ${inFilter ? "a path, $auth.…, $request.… or " : ""}one of ${known.join(" ")}`;
    const likely = didYouMean(
      operator,
      inFilter ? [...known, ...CLAUSES] : known,
      `${expected}${inFilter ? " $use $has" : ""}`,
    );
    faults.add(at, "unknown_operator", `no such operator${likely}`);
    return true;
  }

  placed(node: RuleNode, at: string): RuleNode {
    return this.#scope.places.put(node, at);
  }

  negated(negation: RuleNode, node: RuleNode): void {
    this.#scope.places.negated(negation, node);
  }

  elementAt(at: string, index: number): string {
    return `${at}[${index}]`;
  }

  #outside(at: string): void {
    this.#scope.faults.add(at, "operator_not_allowed", "does not test an element: put it beside $elemMatch");
  }

  #refuser(at: string) {
    const { faults } = this.#scope;
    return (code: Parameters<typeof faults.add>[1], message: string) => faults.add(at, code, message);
  }
}

export const TOO_NESTED = `macros use macros at most ${MACRO_DEPTH} deep`;

/** @param names as they call each other, from the outermost; only those from `first` on are in the cycle */
export function cycle(names: readonly string[], first: string): string {
  const called = names.slice(names.indexOf(first));
  const shown = called.length > 10 ? [...called.slice(0, 5), "…", ...called.slice(-4)] : called;
  return `macros call each other: ${shown.join(" → ")}`;
}

/** A text inside parsed JSON that starts with `$`. It keeps its own stack, so any depth is safe. */
function strayVariable(input: unknown): string | undefined {
  const pending: unknown[] = [input];
  while (pending.length > 0) {
    const item = pending.pop();
    if (typeof item === "string" && item.startsWith("$")) return item;
    if (typeof item === "object" && item !== null) pending.push(...Object.values(item));
  }
  return undefined;
}
