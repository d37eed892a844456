import type { Node } from "#protocol/ast";
import { normalise } from "#protocol/normalise";
import type { Value } from "#protocol/values";
import { bind, isClosed } from "../bind.ts";
import type { Finding } from "../publishing/rule-findings.ts";
import type { RuleNode } from "../rule-tree.ts";
import type { LintContext } from "./lint.ts";
import { lookupsIn } from "./lookups.ts";

/** Documents beyond which a lookup without an index is an error: each verdict would read them all. */
const MOST_SCANNED = 1000;
/** Somebody like anybody. What their roles and claims open is not asked for often. */
const SOMEBODY = { $auth: { id: "somebody", kind: "user", email: "somebody@example.com", roles: [], mfa: false } };

/** `unindexed_rule`: lists and lookups that read a whole collection. */
export function* indexLints({ rules, declared, missingIndex }: LintContext): Generator<Finding> {
  for (const { name, list } of rules.collections.values()) {
    const missing = lacking(list.node, name);
    if (!missing) continue;
    const message = `${list.at}: every list reads all of ${name}; ${told(missing.advice)}`;
    yield { id: "unindexed_rule", level: "warning", path: list.at, message, ...fixOf(missing.advice) };
  }
  for (const { at, from, where } of lookupsIn(rules)) {
    const missing = lacking(where, from);
    if (!missing) continue;
    const level = (declared(from)?.documents ?? 0) > MOST_SCANNED ? "error" : "warning";
    const message = `${at}: every verdict reads all of ${from}; ${told(missing.advice)}`;
    yield { id: "unindexed_rule", level, path: at, message, ...fixOf(missing.advice) };
  }

  function lacking(node: RuleNode, collection: string) {
    const filter = filterOf(node);
    if (!filter || filter.kind === "true" || filter.kind === "false") return undefined;
    return missingIndex(filter, declared(collection)?.indexes ?? []);
  }
}

/** A rule as it is asked of a store; undefined where that is not told by its shape. */
function filterOf(node: RuleNode): Node | undefined {
  const value = (name: string): Value => (name === "$now" ? new Date(0) : "somebody");
  const bound = bind(node, {
    facts: SOMEBODY,
    value: ({ name }) => value(name),
    values: () => ["somebody", "others"],
  });
  return isClosed(bound) ? normalise(bound) : undefined;
}

function told(advice: { readonly paths: readonly string[] } | undefined): string {
  return advice
    ? `declare an index over ${advice.paths.join(", ")}`
    : "no index can serve it: ask for what is, not for what is not";
}

function fixOf(advice: { readonly paths: readonly string[] } | undefined): { fix?: object } {
  return advice ? { fix: { index: { paths: advice.paths } } } : {};
}
