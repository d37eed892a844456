import type { Rule } from "../rule-tree.ts";
import { cite, didYouMean } from "./rule-faults.ts";
import { namesIn } from "./rule-mentions.ts";
import type { RuleScope } from "./rule-scope.ts";
import { readTexts } from "./rule-shapes.ts";
import { lookupsOf } from "./rule-uses.ts";

/** A macro that every rule must use, with what it uses itself: shared names, which mean the same in every collection. */
export interface RequiredMacro {
  readonly name: string;
  readonly macros: ReadonlySet<string>;
  readonly lookups: ReadonlySet<string>;
}

/** The macros that every rule must use: `shared.require`. */
export function readRequired(input: unknown, at: string, scope: RuleScope): readonly RequiredMacro[] {
  const { faults, macros } = scope;
  return readTexts(input, at, faults).map(([name, place]) => {
    if (!macros.get(name)) {
      faults.add(place, "unknown_macro", `no shared macro ${cite(name)}${didYouMean(name, macros.all())}`);
    }
    return requiredMacro(name, scope);
  });
}

function requiredMacro(name: string, { macros, lookups }: RuleScope): RequiredMacro {
  const usedMacros = new Set([name]);
  const usedLookups = new Set<string>();
  for (const macro of usedMacros) {
    const { body, broken = true } = macros.get(macro) ?? {};
    if (broken) continue;
    for (const inner of namesIn(body, "macros")) usedMacros.add(inner);
    for (const lookup of namesIn(body, "lookups")) usedLookups.add(lookup);
  }
  for (const lookup of usedLookups) {
    const { where } = lookups.get(lookup)?.lookup ?? {};
    for (const inner of where ? lookupsOf(where) : []) usedLookups.add(inner);
  }
  return Object.freeze({ name, macros: usedMacros, lookups: usedLookups });
}

/**
 * Adds a fault for each name of a collection that would hide one which a macro required of it is made of: by its own
 * `tenant` it would say for itself whose data it is.
 */
export function checkNotHidden(required: readonly RequiredMacro[], at: string, scope: RuleScope): void {
  for (const { name, ...used } of required) {
    for (const kind of ["macros", "lookups"] as const) {
      for (const own of scope[kind].own.keys()) {
        if (!used[kind].has(own)) continue;
        const why = kind === "macros" && own === name ? "is required" : `is used by the required macro ${cite(name)}`;
        const message = `${why}, so it is the same for all; choose another name, or list ${cite(name)} in "exempt"`;
        scope.faults.add(`${at}.${kind}.${own}`, "required_macro_missing", message);
      }
    }
  }
}

/** The macros that the rules of one collection must use: those required, but the ones in its `exempt`. */
export function readExempt(
  input: unknown,
  at: string,
  required: readonly RequiredMacro[],
  { faults }: RuleScope,
): readonly RequiredMacro[] {
  const names = required.map(({ name }) => name);
  const exempt = new Set<string>();
  for (const [name, place] of readTexts(input, at, faults)) {
    exempt.add(name);
    if (names.includes(name)) continue;
    faults.add(place, "unknown_macro", `${cite(name)} is not required by shared.require${didYouMean(name, names)}`);
  }
  return required.filter(({ name }) => !exempt.has(name));
}

/** Adds a fault for each rule that is not `false` and may hold where a required macro does not; access-rules.md 2.5. */
export function checkRequired(
  rules: Iterable<Rule>,
  required: readonly RequiredMacro[],
  { faults, places }: RuleScope,
): void {
  for (const { at, node } of new Set(rules)) {
    if (node.kind === "false" || faults.full) continue;
    for (const { name } of required) {
      if (places.requires(node, name)) continue;
      faults.add(at, "required_macro_missing", `must use ${cite(name)} in its top-level AND, or list it in "exempt"`);
    }
  }
}
