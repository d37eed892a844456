import { isObjectValue } from "#protocol/values";
import type { Rule } from "../rule-tree.ts";
import { closed, readRule } from "./rule-reader.ts";
import type { RuleScope } from "./rule-scope.ts";
import { readFixed } from "./rule-shapes.ts";

export const ACTION_KEYS = ["list", "get", "create", "update", "delete"] as const;
type Written = { readonly [action in (typeof ACTION_KEYS)[number]]?: unknown };

export interface ActionRules {
  readonly list: Rule;
  readonly get: Rule;
  readonly create: Rule;
  readonly update: { readonly before: Rule; readonly after: Rule };
  readonly delete: Rule;
}

/** Reads the rules of the five actions; access-rules.md 2. What is not said is closed. */
export function readActions(written: Written, at: string, scope: RuleScope): ActionRules {
  const { create = false, update = false, delete: remove = false } = written;
  return {
    ...readSeeing(written, at, scope),
    create: readRule(create, "action", `${at}.create`, scope),
    update: readUpdate(update, `${at}.update`, scope),
    delete: readRule(remove, "action", `${at}.delete`, scope),
  };
}

/** `list` and `get`, each of which may name the other. */
function readSeeing(written: Written, at: string, scope: RuleScope): { readonly list: Rule; readonly get: Rule } {
  const { list = false, get = false } = written;
  if (list === "get" && get === "list") {
    scope.faults.add(`${at}.get`, "wrong_type", 'names "list", which names "get": one of them must be a rule');
    return { list: closed(`${at}.list`), get: closed(`${at}.get`) };
  }
  if (list === "get") {
    // What a list reaches must be fit for a list.
    const rule = readRule(get, "list", `${at}.get`, scope);
    return { list: rule, get: rule };
  }
  const rule = readRule(list, "list", `${at}.list`, scope, ' or "get"');
  return { list: rule, get: get === "list" ? rule : readRule(get, "action", `${at}.get`, scope, ' or "list"') };
}

/** Both images, or one rule for both. */
function readUpdate(input: unknown, at: string, scope: RuleScope): { readonly before: Rule; readonly after: Rule } {
  const keys = isObjectValue(input) ? Object.keys(input) : [];
  if (keys.length === 0 || !keys.every((key) => key === "before" || key === "after")) {
    const rule = readRule(input, "action", at, scope, " or {before, after}");
    return Object.freeze({ before: rule, after: rule });
  }
  const written = readFixed(input, at, ["before", "after"], scope.faults);
  // A side that stands for both must be fit for both.
  if (written.before === undefined || written.after === undefined) {
    const side = written.before === undefined ? "after" : "before";
    const rule = readRule(written[side], "action", `${at}.${side}`, scope);
    return Object.freeze({ before: rule, after: rule });
  }
  return Object.freeze({
    before: readRule(written.before, "action", `${at}.before`, scope),
    after: readRule(written.after, "after", `${at}.after`, scope),
  });
}
