import type { Leaf, Term } from "#protocol/ast";
import { Variable } from "#protocol/ast";
import type { Value } from "#protocol/values";
import type { BoundRule, Images } from "../bound-rule.ts";
import { valueAt } from "../caller.ts";
import { bindingsOf, bindStatically, type Caller, existsFor, lookupValues, made, Unsettled } from "../rule-binder.ts";
import type { Rule, RuleNode, RuleSet } from "../rule-tree.ts";
import { describeLeaf, type LeafParts } from "./trace-leaf.ts";

/** One clause of a rule with its verdict. */
export interface Trace extends Partial<LeafParts> {
  /** Where it stands, as in `posts.update.before.$use(author).authorId`. */
  readonly path: string;
  readonly op: string;
  /** null: a document would tell, and there is none. */
  readonly value: boolean | null;
  readonly children?: readonly Trace[];
  /** The variable without a value that makes it false, and why it has none. */
  readonly poisoned?: { readonly variable: string; readonly reason: string };
}

/** What a rule is traced for. */
export interface TraceQuestion {
  readonly rules: Pick<RuleSet, "placeOf">;
  readonly rule: Rule;
  readonly caller: Caller;
  /** Absent: as far as the caller alone tells. */
  readonly images?: Images | undefined;
  /** Whether `$now` goes by ticks, as in `list`. */
  readonly ticks: boolean;
}

/**
 * Every clause of a rule with the verdict that the judge itself gives on it: each is bound and judged as if it were a rule,
 * by the code that judges requests, so that an explanation cannot disagree with a verdict.
 *
 * @throws Unsettled
 */
export function traceRule(question: TraceQuestion): Trace {
  const { rule } = question;
  const tree = traceNode(rule.node, rule.at, question);
  if (tree.path === rule.at) return tree;
  return { path: rule.at, op: "and", value: tree.value, children: [tree] };
}

function traceNode(node: RuleNode, parent: string, question: TraceQuestion): Trace {
  const path = question.rules.placeOf(node) ?? parent;
  switch (node.kind) {
    case "true":
    case "false":
      return { path, op: node.kind, value: node.kind === "true" };
    case "and":
    case "or": {
      const children = node.of.map((part, i) => traceNode(part, `${path}[${i}]`, question));
      return { path, op: node.kind, value: verdictOn(node, question), children };
    }
    default:
      return traceLeaf(node, path, question);
  }
}

function traceLeaf(
  node: Exclude<RuleNode, { kind: "true" | "false" | "and" | "or" }>,
  path: string,
  question: TraceQuestion,
): Trace {
  const leaf: Leaf<Term> = node.kind === "not" ? node.of : node;
  let missing: string | undefined;
  const value = verdictOn(node, question, (_, variable) => {
    missing ??= variable;
  });
  const resolve = (variable: Variable) => resolved(variable, question);
  const { images, caller } = question;
  const parts = describeLeaf(leaf, node.kind === "not", {
    resolve,
    document: images?.image.value,
    facts: caller.facts,
  });
  missing ??= value === false ? beforeMissing(leaf, question) : undefined;
  const poisoned =
    missing === undefined ? {} : { poisoned: { variable: missing, reason: whyMissing(missing, caller) } };
  return { path, value, ...parts, ...poisoned };
}

/** The verdict of the judge on a part of a rule. */
function verdictOn(
  node: RuleNode,
  { rule, caller, images, ticks }: TraceQuestion,
  poisoned?: (leaf: Leaf<Term>, variable: string) => void,
): boolean | null {
  const part: Rule = { ...rule, node };
  if (!images) return fixed(bindStatically(part, caller, ticks, poisoned));
  const verdict = made(part, caller, ticks, poisoned).holds(images, (lookup, document) =>
    existsFor(rule, lookup, document, caller),
  );
  if (verdict === undefined) throw new Unsettled();
  return verdict;
}

function fixed({ never, always }: BoundRule): boolean | null {
  return never ? false : always ? true : null;
}

/** Undefined: it has none, or only a document would tell. */
function resolved(variable: Variable, { rule, caller, images, ticks }: TraceQuestion): Value | undefined {
  if (variable.name.startsWith("$before.")) {
    return images?.before ? valueAt(images.before.value, variable.name.split(".").slice(1)) : undefined;
  }
  const bindings = bindingsOf(rule, caller, ticks, (lookup) =>
    images ? lookupValues(rule, lookup, caller, ticks) : undefined,
  );
  return (variable.spread ? bindings.values(variable) : bindings.value(variable)) ?? undefined;
}

/** `$before` is bound per document, after the rest. */
function beforeMissing(leaf: Leaf<Term>, question: TraceQuestion): string | undefined {
  if (!question.images) return undefined;
  const terms =
    leaf.kind === "compare" ? [leaf.value] : leaf.kind === "in" ? leaf.values : leaf.kind === "text" ? [leaf.text] : [];
  const missing = terms.find(
    (term): term is Variable =>
      term instanceof Variable && term.name.startsWith("$before.") && (resolved(term, question) ?? null) === null,
  );
  return missing?.name;
}

function whyMissing(variable: string, { facts }: Caller): string {
  if (variable.startsWith("$lookup."))
    return "it has no value: the lookup found more than it may, or could not be bound";
  if (variable.startsWith("$before.")) return "the stored document has no such value";
  if (variable === "$request.origin") return "the request has no Origin header";
  if (!variable.startsWith("$auth.")) return "it has no value that can be compared";
  if (valueAt(facts, ["$auth", "kind"]) === "anonymous") return "the caller is not signed in";
  return variable === "$auth.email" ? "the address is not proven" : "the caller has none";
}
