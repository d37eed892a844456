import { encodeValue, type Value } from "#protocol/values";
import type { Trace } from "./trace.ts";

/**
 * The cheapest set of clauses that would flip a verdict (access-rules.md 9): of a false AND all that are false, of a false
 * OR the cheapest one; of what is true the other way round.
 */
export function reasonsOf(tree: Trace): readonly Trace[] {
  const { children = [], op, value } = tree;
  if (value === null) return [];
  const alike = children.filter((child) => child.value === value).map(reasonsOf);
  if (alike.length === 0) return [tree];
  if ((op === "and") === value) return alike.reduce((least, other) => (other.length < least.length ? other : least));
  return [...new Map(alike.flat().map((reason) => [reason.path, reason])).values()];
}

/** Why, in words. */
export function inWords(reasons: readonly Trace[]): string {
  return reasons.map(wordsOf).join("; ");
}

const ASKS: Readonly<Record<string, string>> = {
  ...{ eq: "be", ne: "not be", gt: "be above", gte: "be at least", lt: "be below", lte: "be at most" },
  ...{ in: "be one of", nin: "be none of", startsWith: "start with", endsWith: "end with", contains: "contain" },
  ...{
    type: "be of type",
    size: "have as many elements as",
    mod: "leave the division of",
    elemMatch: "have an element as the rule says",
  },
};

function wordsOf(reason: Trace): string {
  const { op, path, value, field = "", poisoned, negated } = reason;
  if (op === "true" || op === "false") return `${path} is ${op}${value ? "" : ", so nobody may"}`;
  if (poisoned)
    return `${field} is compared with ${poisoned.variable}, which counts for nothing here: ${poisoned.reason}`;
  if (op === "has") return `the lookup ${JSON.stringify(field)} finds ${value === !negated ? "something" : "nothing"}`;
  if (op === "exists")
    return value === reason.operand?.value
      ? `${field} is there`
      : `${field} is ${reason.operand?.value ? "missing" : "there"}`;
  return `${foundWords(reason)}; ${operandWords(reason)}`;
}

function foundWords({ field = "", found }: Trace): string {
  if (found === undefined) return `${field} is not known`;
  if (found.length === 0) return `${field} is missing`;
  return found.length === 1 ? `${field} is ${said(found[0] as Value)}` : `${field} holds ${listed(found)}`;
}

function operandWords({ op, operand, negated }: Trace): string {
  if (operand?.variable === "$auth.id" && operand.value !== undefined) return `the caller is ${said(operand.value)}`;
  const asked = `${negated ? "must not" : "must"} ${ASKS[op] ?? op}`;
  if (operand?.value === undefined) return operand?.variable === undefined ? asked : `${asked} ${operand.variable}`;
  const value = Array.isArray(operand.value) ? `${listed(operand.value) || "nothing"}` : said(operand.value);
  return operand.variable === undefined ? `${asked} ${value}` : `${asked} ${operand.variable} (${value})`;
}

function listed(values: readonly Value[]): string {
  return values.map(said).join(", ");
}

/** Dates and large integers as people write them. */
function said(value: Value): string {
  if (value instanceof Date) return value.toISOString();
  return typeof value === "bigint" ? `${value}` : encodeValue(value);
}
