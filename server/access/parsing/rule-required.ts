import type { Rule } from "../rule-tree.ts";
import { cite, didYouMean } from "./rule-faults.ts";
import type { RuleScope } from "./rule-scope.ts";
import { readTexts } from "./rule-shapes.ts";

/** Names of the macros that every rule must use: `shared.require`. */
export function readRequired(input: unknown, at: string, { faults, macros }: RuleScope): readonly string[] {
  return readTexts(input, at, faults).map(([name, place]) => {
    if (!macros.get(name)) {
      faults.add(place, "unknown_macro", `no shared macro ${cite(name)}${didYouMean(name, macros.all())}`);
    }
    return name;
  });
}

/** The macros that the rules of one collection must use: those required, but the ones in its `exempt`. */
export function readExempt(
  input: unknown,
  at: string,
  required: readonly string[],
  { faults }: RuleScope,
): readonly string[] {
  const exempt = new Set<string>();
  for (const [name, place] of readTexts(input, at, faults)) {
    exempt.add(name);
    if (required.includes(name)) continue;
    faults.add(place, "unknown_macro", `${cite(name)} is not required by shared.require${didYouMean(name, required)}`);
  }
  return required.filter((name) => !exempt.has(name));
}

/** Adds a fault for each rule that is not `false` and may hold where a required macro does not; access-rules.md 2.5. */
export function checkRequired(rules: Iterable<Rule>, required: readonly string[], { faults, places }: RuleScope): void {
  for (const { at, node } of new Set(rules)) {
    if (node.kind === "false" || faults.full) continue;
    for (const macro of required) {
      if (places.requires(node, macro)) continue;
      faults.add(at, "required_macro_missing", `must use ${cite(macro)} in its top-level AND, or list it in "exempt"`);
    }
  }
}
