import type { Leaf, Node, Term } from "#protocol/ast";
import { compileFilter } from "#protocol/match";
import type { ObjectValue } from "#protocol/values";
import type { Finding } from "../publishing/rule-findings.ts";
import type { Rule, RuleNode } from "../rule-tree.ts";
import type { LintContext } from "./lint.ts";
import { partsOf, variablesIn } from "./rule-walk.ts";

/** Everybody there is, by what of them is known in every case. */
const KINDS: readonly ObjectValue[] = ["anonymous", "guest", "user"].map((kind) => ({
  $auth: { kind, ...(kind !== "anonymous" && { id: "somebody", mfa: false }) },
}));

/** `always_false` and `untested_clause`. */
export function* clauseLints({ rules, observations }: LintContext): Generator<Finding> {
  const told = new Set<string>();
  const placed = (node: RuleNode, rule: Rule) => rules.placeOf(node) ?? rule.at;
  for (const part of partsOf(rules)) {
    for (const { rule } of [...part.rules, ...part.masks]) {
      if (rule.node.kind === "false") continue;
      for (const node of impossibleIn(rule.node)) {
        const path = placed(node, rule);
        if (told.has(path)) continue;
        told.add(path);
        yield { id: "always_false", level: "note", path, message: `${path}: holds for nobody, whatever is stored` };
      }
      // What masks say is not heard while tests run.
      for (const node of observations && part.rules.some((one) => one.rule === rule) ? clausesOf(rule.node) : []) {
        const path = placed(node, rule);
        const seen = observations?.clauses.get(path);
        if (told.has(path) || (seen?.held && seen.failed)) continue;
        told.add(path);
        const missing = seen ? (seen.held ? "fail" : "hold") : "hold, nor fail";
        const message = `${path}: no test saw it ${missing}; add one that does`;
        yield { id: "untested_clause", level: "note", path, message };
      }
    }
  }
}

/** What stands in ANDs and ORs, literals left out. */
function* clausesOf(node: RuleNode): Generator<RuleNode> {
  if (node.kind === "and" || node.kind === "or") for (const part of node.of) yield* clausesOf(part);
  else if (node.kind !== "true" && node.kind !== "false") yield node;
}

/** The outermost parts that can never hold. */
function* impossibleIn(node: RuleNode): Generator<RuleNode> {
  if (!KINDS.some((facts) => mayHold(node, facts))) yield node;
  else if (node.kind === "and" || node.kind === "or") for (const part of node.of) yield* impossibleIn(part);
}

/** Whether a rule may hold for somebody, as far as is known of all who are of a kind. */
function mayHold(node: RuleNode, facts: ObjectValue): boolean {
  switch (node.kind) {
    case "true":
      return true;
    case "false":
      return false;
    case "and":
      return node.of.every((part) => mayHold(part, facts));
    case "or":
      return node.of.some((part) => mayHold(part, facts));
    case "not":
      return leafMayHold(node.of, true, facts);
    default:
      return leafMayHold(node, false, facts);
  }
}

function leafMayHold(leaf: Leaf<Term>, negated: boolean, facts: ObjectValue): boolean {
  const { kind } = facts.$auth as { kind: string };
  const names = variablesIn(leaf);
  if (kind === "anonymous" && names.some((name) => name.startsWith("$auth.") && name !== "$auth.kind")) return false;
  // A list is no text, and is neither above nor below anything.
  if (names.includes("$auth.roles") && (leaf.kind === "text" || (leaf.kind === "compare" && leaf.op !== "eq")))
    return false;
  const [head, fact = ""] = leaf.path;
  if (head !== "$auth") return negated || leaf.kind !== "in" || leaf.values.length > 0;
  if (leaf.kind === "exists") return kind === "anonymous" || fact === "id" ? (kind !== "anonymous") !== negated : true;
  if (kind === "anonymous" && fact !== "kind") return false;
  if (names.length > 0 || !["kind", "mfa"].includes(fact)) return true;
  return compileFilter(leaf as Node)(facts) !== negated;
}
