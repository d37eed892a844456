import { bind } from "../bind.ts";
import { valueAt } from "../caller.ts";
import type { Finding } from "../publishing/rule-findings.ts";
import type { CollectionRules, Rule, RuleNode } from "../rule-tree.ts";
import type { LintContext } from "./lint.ts";
import { partsOf } from "./rule-walk.ts";

const FACTS = { $auth: { kind: "anonymous" }, $request: {} };
const SIGNED_IN = { "$auth.id": { $exists: true } };

/** `open_write` and `open_read`: what somebody who is not signed in may always do. */
export function* openLints({ rules }: LintContext): Generator<Finding> {
  for (const { name, at, rules: all } of partsOf(rules)) {
    const seeing = all.filter(({ rule, writes }) => !writes && isOpen(rule));
    const writing = all.filter(({ rule, writes }) => writes && isOpen(rule));
    for (const { rule } of seeing) {
      const hidden = at === name ? hiddenIn(rules.collections.get(name)) : [];
      const shown = hidden.length > 0 ? `all is public but ${hidden.join(", ")}` : "all of it is public";
      const message = `${rule.at}: is true for everybody, signed in or not: ${shown}`;
      yield { id: "open_read", level: "note", path: rule.at, message };
    }
    for (const { rule, actions } of writing) {
      // An update is open only if both of its images are.
      const openSides = all.filter((one) => one.actions.includes("update")).every((one) => isOpen(one.rule));
      if (actions.every((action) => action === "update") && !openSides) continue;
      const message = `${rule.at}: is true for everybody, signed in or not, so anybody may ${actions.join(" and ")} in ${at}; say who may`;
      yield { id: "open_write", level: "warning", path: rule.at, message, fix: SIGNED_IN };
    }
  }
}

/** Fields that somebody who is not signed in does not see everywhere. */
function hiddenIn(collection: CollectionRules | undefined): string[] {
  return (collection?.fields ?? []).filter(({ read }) => !isOpen(read)).map(({ path }) => path.join("."));
}

function isOpen({ node }: Rule): boolean {
  return boundForAnonymous(node).kind === "true";
}

function boundForAnonymous(node: RuleNode): RuleNode {
  return bind(node, {
    facts: FACTS,
    value: ({ name }) => (name.startsWith("$auth.") ? valueAt(FACTS, name.split(".")) : undefined),
    values: ({ name }) => (name.startsWith("$auth.") ? null : undefined),
  });
}
