import type { Finding } from "../publishing/rule-findings.ts";
import type { LintContext } from "./lint.ts";
import { lookupsIn } from "./lookups.ts";
import { asksWho, isOfDocument, type LeafUse, leavesOf, partsOf, type RulePart, variablesIn } from "./rule-walk.ts";

/** `role_by_part`: of a role, the whole name is a role. */
export function* roleLints({ rules }: LintContext): Generator<Finding> {
  const told = new Set<string>();
  const roots = [...partsOf(rules)].flatMap((part) => [...part.rules, ...part.masks].map(({ rule }) => rule));
  for (const { at, node } of [...roots, ...[...lookupsIn(rules)].map(({ at, where }) => ({ at, node: where }))]) {
    for (const { leaf, path, node: placed } of leavesOf(node)) {
      const place = rules.placeOf(placed) ?? at;
      if (leaf.kind !== "text" || path.join(".") !== "$auth.roles" || told.has(place)) continue;
      told.add(place);
      const role = typeof leaf.text === "string" ? leaf.text : "editor";
      const other = `${leaf.at === "start" ? "" : "no-"}${role}${leaf.at === "end" ? "" : "-yet"}`;
      const fix = { "$auth.roles": role };
      const message = `${place}: compares a part of each role, so it also holds for "${other}"; write ${JSON.stringify(fix)}`;
      yield { id: "role_by_part", level: "warning", path: place, message, fix };
    }
  }
}

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
