import type { Finding } from "../publishing/rule-findings.ts";
import type { LintContext } from "./lint.ts";
import { asksWho, isOfDocument, type LeafUse, leavesOf, partsOf, type RulePart, variablesIn } from "./rule-walk.ts";

/** `negated_caller` and `origin_is_weak`. */
export function* callerLints({ rules }: LintContext): Generator<Finding> {
  const told = new Set<string>();
  for (const part of partsOf(rules)) {
    for (const { rule, writes } of [...part.rules, ...part.masks]) {
      for (const use of leavesOf(rule.node)) {
        const path = rules.placeOf(use.node) ?? rule.at;
        if (use.negated && isAboutCaller(use, part, rule.lookups) && !told.has(`negated ${path}`)) {
          told.add(`negated ${path}`);
          const message = `${path}: opens for everybody but some: whoever is not known, or not yet, is let in; say who may instead`;
          yield { id: "negated_caller", level: "warning", path, message };
        }
        const asksOrigin =
          use.path.join(".") === "$request.origin" || variablesIn(use.leaf).includes("$request.origin");
        if (writes && asksOrigin && !told.has(`origin ${path}`)) {
          told.add(`origin ${path}`);
          const message = `${path}: only browsers send an honest origin, a script sends any; let $auth decide who writes`;
          yield { id: "origin_is_weak", level: "warning", path, message };
        }
      }
    }
  }
}

function isAboutCaller(
  use: LeafUse,
  { name, at }: RulePart,
  lookups: ReadonlyMap<string, { readonly from: string }>,
): boolean {
  const [head, lookup = ""] = use.path;
  // Of the same collection it is meant as a limit, which has a lint of its own.
  if (head === "$has") return lookups.get(lookup)?.from !== name || at !== name;
  // That somebody is not signed in is said on purpose.
  if (!isOfDocument(use)) return head === "$auth" && use.leaf.kind !== "exists";
  return asksWho(use.leaf);
}
