import { FALSE, TRUE } from "#protocol/ast";
import { describe } from "#protocol/describe";
import { parseInDialect } from "#protocol/filter";
import { jsonBytes } from "#protocol/json-size";
import { LIMITS } from "#protocol/limits";
import { isObjectValue } from "#protocol/values";
import type { Lookup, Rule, RuleNode } from "../rule-tree.ts";
import { RuleDialect } from "./rule-dialect.ts";
import { createBudget, type RuleScope } from "./rule-scope.ts";
import { checkUses, isPerDocument, lookupsOf, type RuleSite, variablesOf } from "./rule-uses.ts";

const NO_LOOKUPS: ReadonlyMap<string, Lookup> = new Map();

/** The rule of what is not said, or has a fault. */
export function closed(at: string): Rule {
  return Object.freeze({ at, node: FALSE, variables: Object.freeze([]), perDocument: false, lookups: NO_LOOKUPS });
}

/** Reads `true`, `false` or a filter. @param forms what else may stand there, for messages */
export function readRule(input: unknown, site: RuleSite, at: string, scope: RuleScope, forms = ""): Rule {
  if (input === false) return closed(at);
  if (input === true) return Object.freeze({ ...closed(at), node: TRUE });
  if (!isObjectValue(input)) {
    const expected = forms === "" ? "true, false or a filter" : `true, false, a filter${forms}`;
    scope.faults.add(at, "wrong_type", `expects ${expected}, got ${describe(input)}`);
    return closed(at);
  }
  const node = readFilter(input, site, at, scope);
  if (!node) return closed(at);
  return Object.freeze({
    at,
    node,
    variables: variablesOf(node),
    perDocument: isPerDocument(node),
    lookups: reachedLookups(node, scope),
  });
}

/** Reads a filter of rules, its macros expanded; undefined if it has a fault. */
export function readFilter(input: unknown, site: RuleSite, at: string, scope: RuleScope): RuleNode | undefined {
  const { faults } = scope;
  const before = faults.list.length;
  if (faults.full) return undefined;
  const bytes = jsonBytes(input, LIMITS.filterBytes);
  if (bytes > LIMITS.filterBytes) {
    faults.add(at, "too_large", `is longer than ${LIMITS.filterBytes} bytes as JSON`);
    return undefined;
  }
  const budget = createBudget(LIMITS.filterBytes, bytes, at, faults, scope.budget);
  const node = parseInDialect(input, at, faults, new RuleDialect(scope, budget));
  checkUses(node, site, at, scope);
  return faults.list.length === before && !faults.full ? node : undefined;
}

/** The lookups that a node uses and those that their `where` uses. */
function reachedLookups(node: RuleNode, { lookups }: RuleScope): ReadonlyMap<string, Lookup> {
  const reached = new Map<string, Lookup>();
  const pending = [...lookupsOf(node)];
  for (const name of pending) {
    const lookup = lookups.get(name)?.lookup;
    if (!lookup || reached.has(name)) continue;
    reached.set(name, lookup);
    pending.push(...lookupsOf(lookup.where));
  }
  return reached.size === 0 ? NO_LOOKUPS : reached;
}
