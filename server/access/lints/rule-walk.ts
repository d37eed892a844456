import { type Leaf, type Term, Variable } from "#protocol/ast";
import type { Path } from "#protocol/paths";
import type { CollectionRules, Rule, RuleNode, RuleSet } from "../rule-tree.ts";
import type { Action } from "../scopes.ts";

/** The rules of one collection or bucket, each once, though several actions may have it. */
export interface RulePart {
  readonly name: string;
  /** Where it stands, as in `posts` or `buckets.avatars`. */
  readonly at: string;
  readonly rules: readonly ActionRule[];
  /** The rules of its field masks. */
  readonly masks: readonly ActionRule[];
}

export interface ActionRule {
  readonly rule: Rule;
  readonly actions: readonly Action[];
  readonly writes: boolean;
}

/** Collections, then buckets. What a document judges has no rule. */
export function* partsOf({ collections, buckets }: RuleSet): Generator<RulePart> {
  for (const rules of collections.values()) {
    yield { name: rules.name, at: rules.name, rules: rulesOf(rules), masks: masksOf(rules) };
  }
  for (const rules of buckets.values()) {
    yield { name: rules.name, at: `buckets.${rules.name}`, rules: rulesOf(rules), masks: [] };
  }
}

export function masksOf({ fields }: Pick<CollectionRules, "fields">): readonly ActionRule[] {
  return fields.flatMap(({ read, write }) => [
    { rule: read, actions: [], writes: false },
    ...(write ? [{ rule: write, actions: [], writes: true }] : []),
  ]);
}

type Actions = {
  readonly [action in Exclude<Action, "update">]: Rule | "document";
} & { readonly update: CollectionRules["update"] | "document" };

export function rulesOf({ list, get, create, update, delete: remove }: Actions): readonly ActionRule[] {
  const found = new Map<Rule, Action[]>();
  const add = (rule: Rule | "document", action: Action) => {
    if (rule === "document") return;
    const actions = found.get(rule);
    if (!actions) found.set(rule, [action]);
    else if (!actions.includes(action)) actions.push(action);
  };
  add(list, "list");
  add(get, "get");
  add(create, "create");
  if (update !== "document") {
    add(update.before, "update");
    add(update.after, "update");
  }
  add(remove, "delete");
  return [...found].map(([rule, actions]) => ({
    rule,
    actions,
    writes: actions.some((action) => action !== "list" && action !== "get"),
  }));
}

/** One test in a rule, wherever in it. */
export interface LeafUse {
  readonly leaf: Leaf<Term>;
  /** From the top of the document; of what is inside `$elemMatch` too. */
  readonly path: Path;
  readonly negated: boolean;
  /** The leaf or its negation: what has a place. */
  readonly node: RuleNode;
}

export function* leavesOf(node: RuleNode, above: Path = [], outer?: RuleNode): Generator<LeafUse> {
  switch (node.kind) {
    case "true":
    case "false":
      return;
    case "and":
    case "or":
      for (const part of node.of) yield* leavesOf(part, above, outer);
      return;
  }
  const negated = node.kind === "not";
  const leaf = negated ? node.of : node;
  const path = [...above, ...leaf.path];
  const placed = outer ?? node;
  yield { leaf, path, negated, node: placed };
  if (leaf.kind === "elementObject") yield* leavesOf(leaf.of, path, placed);
  if (leaf.kind === "elementValue") for (const test of leaf.of) yield* leavesOf(test, path, placed);
}

/** Names of the variables that a leaf compares with. */
export function variablesIn(leaf: Leaf<Term>): readonly string[] {
  const terms: readonly Term[] =
    leaf.kind === "compare" ? [leaf.value] : leaf.kind === "in" ? leaf.values : leaf.kind === "text" ? [leaf.text] : [];
  return terms.flatMap((term) => (term instanceof Variable ? [term.name] : []));
}

/** Whether a leaf compares with who asks, or with what a lookup finds. */
export function asksWho(leaf: Leaf<Term>): boolean {
  return variablesIn(leaf).some((name) => name.startsWith("$auth.") || name.startsWith("$lookup."));
}

/** Whether a leaf tests the document itself. */
export function isOfDocument({ path: [head = ""] }: LeafUse): boolean {
  return !head.startsWith("$");
}
