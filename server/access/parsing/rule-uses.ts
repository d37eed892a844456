import { type Leaf, type Term, Variable } from "#protocol/ast";
import type { RuleNode } from "../rule-tree.ts";
import { cite, didYouMean } from "./rule-faults.ts";
import type { RuleScope } from "./rule-scope.ts";

/** Where a rule stands, which decides what it may ask. A macro's place is where it is used. */
export type RuleSite = "macro" | "list" | "action" | "after" | "field" | "set lookup" | "exists lookup";

/** A name that a leaf uses: a variable's, of a key that tests the caller, or `$has.name`. */
interface Use {
  readonly name: string;
  readonly leaf: RuleNode;
  /** Whether it is compared with the caller, not with a field. */
  readonly withCaller: boolean;
}

/** Adds a fault for each name that does not exist, or not where the rule stands; access-rules.md 3 and 5. */
export function checkUses(node: RuleNode, site: RuleSite, at: string, scope: RuleScope): void {
  for (const use of usesOf(node)) checkUse(use, site, scope.places.of(use.leaf) ?? at, scope);
}

function checkUse({ name, withCaller }: Use, site: RuleSite, at: string, { faults, lookups }: RuleScope): void {
  const refuse = (message: string) => faults.add(at, "variable_not_here", message);
  const [head = "", rest = ""] = splitName(name);
  if (withCaller && (head === "$before" || head === "$doc")) {
    refuse(`${head} is compared with fields of a document, not with the caller`);
  } else if (head === "$before" && site !== "after" && site !== "macro") {
    refuse("$before exists only in update.after");
  } else if (head === "$doc" && site !== "exists lookup" && site !== "macro") {
    refuse("$doc exists only in the where of an exists lookup");
  } else if (head === "$lookup" && site === "exists lookup") {
    refuse("the where of an exists lookup may not use another lookup");
  } else if (head === "$has" && site === "list") {
    const message = `${cite(rest)} reads $doc, which a list cannot do; use a set lookup with select`;
    faults.add(at, "lookup_not_in_list", message);
  } else if (head === "$has" && site !== "action" && site !== "after" && site !== "macro") {
    refuse("$has exists only in the rules of actions");
  } else if (head === "$has" || head === "$lookup") {
    const entry = lookups.get(rest);
    if (!entry) faults.add(at, "unknown_lookup", `no lookup ${cite(rest)}${didYouMean(rest, lookups.all())}`);
    else if (entry.isSet && head === "$has") {
      faults.add(at, "lookup_kind", `"${rest}" has select, so it is a list: use it as {"$in": "$lookup.${rest}"}`);
    } else if (!entry.isSet && head === "$lookup") {
      faults.add(at, "lookup_kind", `"${rest}" has no select, so it is no list: use it as {"$has": "${rest}"}`);
    }
  }
}

/** The names of variables that a caller, or a lookup for them, gives a value; sorted, each once. */
export function variablesOf(node: RuleNode): readonly string[] {
  const names = [...usesOf(node)]
    .map(({ name }) => name)
    .filter((name) => /^\$(?:auth|request|now|lookup)\b/.test(name));
  return Object.freeze([...new Set(names)].sort());
}

/** Names of the lookups that a node uses itself, each once. */
export function lookupsOf(node: RuleNode): ReadonlySet<string> {
  const uses = [...usesOf(node)].map(({ name }) => splitName(name));
  return new Set(uses.flatMap(([head, rest]) => (head === "$has" || head === "$lookup" ? [rest] : [])));
}

/** Whether a node asks for more than one document's own fields: `$before`, `$has`. */
export function isPerDocument(node: RuleNode): boolean {
  return [...usesOf(node)].some(({ name }) => /^\$(?:before|has)\./.test(name));
}

function splitName(name: string): readonly [head: string, rest: string] {
  const dot = name.indexOf(".");
  return dot < 0 ? [name, ""] : [name.slice(0, dot), name.slice(dot + 1)];
}

function* usesOf(node: RuleNode, withCaller = false): Generator<Use> {
  switch (node.kind) {
    case "true":
    case "false":
      return;
    case "and":
    case "or":
      for (const part of node.of) yield* usesOf(part, withCaller);
      return;
    case "not":
      yield* usesOfLeaf(node.of, withCaller);
      return;
    default:
      yield* usesOfLeaf(node, withCaller);
  }
}

function* usesOfLeaf(leaf: Leaf<Term>, inCaller: boolean): Generator<Use> {
  const [head] = leaf.path;
  const ofCaller = head === "$auth" || head === "$request";
  const withCaller = inCaller || ofCaller;
  if (ofCaller || head === "$has") yield { name: leaf.path.join("."), leaf, withCaller };
  switch (leaf.kind) {
    case "compare":
      if (leaf.value instanceof Variable) yield { name: leaf.value.name, leaf, withCaller };
      return;
    case "in":
      for (const value of leaf.values) if (value instanceof Variable) yield { name: value.name, leaf, withCaller };
      return;
    case "text":
      if (leaf.text instanceof Variable) yield { name: leaf.text.name, leaf, withCaller };
      return;
    case "elementValue":
      for (const test of leaf.of) yield* usesOf(test, withCaller);
      return;
    case "elementObject":
      yield* usesOf(leaf.of, withCaller);
  }
}
