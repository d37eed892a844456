import type { FaultCode, Faults } from "#protocol/errors";
import { nearest } from "../../nearest.ts";

/** access-rules.md 12. */
export type RuleFaultCode = Extract<
  FaultCode,
  | "unknown_key"
  | "unknown_operator"
  | "operator_not_allowed"
  | "unknown_variable"
  | "variable_not_here"
  | "unknown_macro"
  | "macro_cycle"
  | "unknown_lookup"
  | "lookup_kind"
  | "lookup_not_in_list"
  | "reserved_collection"
  | "wrong_type"
  | "bad_path"
  | "too_large"
  | "required_macro_missing"
>;

/** Why one place of a set of rules was refused. The message starts with the path and says what would be right. */
export interface RuleFault {
  readonly path: string;
  readonly code: RuleFaultCode;
  readonly message: string;
}

/** What the parser of filters and values says, in the words of rules. */
const RULE_CODES: Readonly<Record<Exclude<FaultCode, RuleFaultCode>, RuleFaultCode>> = {
  not_available_yet: "operator_not_allowed",
  mixed_object: "wrong_type",
  bad_operand: "wrong_type",
  bad_value: "wrong_type",
  unsupported_value: "wrong_type",
  schema: "wrong_type",
  missing_member: "wrong_type",
  unknown_member: "unknown_key",
  reserved_field: "bad_path",
  numeric_segment: "bad_path",
  sort_parallel_arrays: "bad_path",
  sort_after_id: "bad_path",
  sort_key_too_long: "too_large",
  too_deep: "too_large",
  too_many_nodes: "too_large",
  too_many_branches: "too_large",
  too_many_values: "too_large",
  too_long: "too_large",
};

export function ruleFaults(faults: Faults): readonly RuleFault[] {
  return faults.list.map(({ path, code, message }) => ({ path, message, code: codeOf(code) }));
}

function codeOf(code: FaultCode): RuleFaultCode {
  return code in RULE_CODES ? RULE_CODES[code as keyof typeof RULE_CODES] : (code as RuleFaultCode);
}

/** Compared at most: an input's own names are as many as its author likes. */
const CANDIDATES = 200;
const WORD = 64;

/** ` Did you mean "…"?`, if one of the candidates is like the word; else what is said `instead`. */
export function didYouMean(word: string, candidates: Iterable<string>, instead = ""): string {
  const few: string[] = [];
  for (const candidate of candidates) {
    if (few.length === CANDIDATES) break;
    if (candidate.length <= WORD) few.push(candidate);
  }
  const meant = word.length <= WORD ? nearest(word, few) : undefined;
  return meant === undefined ? instead : `. Did you mean ${JSON.stringify(meant)}?`;
}

/** A text of the input, as messages cite it. */
export function cite(text: string): string {
  return JSON.stringify(text.length > WORD ? `${text.slice(0, WORD)}…` : text);
}
