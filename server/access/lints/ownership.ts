import type { Finding } from "../publishing/rule-findings.ts";
import type { CollectionRules } from "../rule-tree.ts";
import type { LintContext } from "./lint.ts";
import { maskOver } from "./masked.ts";
import { asksWho, isOfDocument, leavesOf, rulesOf } from "./rule-walk.ts";
import { classesAt } from "./schema-paths.ts";

/** `owner_not_scalar` and `client_writable_role`. */
export function* ownershipLints(context: LintContext): Generator<Finding> {
  for (const rules of context.rules.collections.values()) {
    yield* notScalar(rules, context);
    yield* clientWritable(rules, context);
  }
}

/** Equality looks into arrays, so `ownerId: ["you", "me"]` is mine as well. */
function* notScalar(rules: CollectionRules, { rules: set, declared }: LintContext): Generator<Finding> {
  const schema = declared(rules.name)?.schema;
  const told = new Set<string>();
  for (const { rule, writes } of rulesOf(rules)) {
    if (!writes) continue;
    const uses = [...leavesOf(rule.node)];
    const guarded = uses.flatMap(({ leaf, path, negated }) =>
      negated && leaf.kind === "type" && leaf.classes.includes("array") ? [path.join(".")] : [],
    );
    for (const use of uses) {
      const path = use.path.join(".");
      if (use.negated || !isOfDocument(use) || !asksWho(use.leaf) || path.startsWith("_")) continue;
      if (told.has(path) || guarded.includes(path) || isOneKind(classesAt(schema, use.path))) continue;
      told.add(path);
      const place = set.placeOf(use.node) ?? rule.at;
      const guard = { [path]: { $not: { $type: "array" } } };
      const message = `${place}: also holds for a list that names somebody among others; give ${path} a type in the schema of ${rules.name}, or add ${JSON.stringify(guard)}`;
      yield { id: "owner_not_scalar", level: "warning", path: place, message, fix: guard };
    }
  }
}

/** Whether it is said what stands there: a scalar, or on purpose a list. */
function isOneKind(classes: readonly string[] | undefined): boolean {
  return classes !== undefined && (!classes.includes("array") || classes.every((name) => name === "array"));
}

/** Who may set the field that a rule tests takes the right that it gives. */
function* clientWritable(rules: CollectionRules, { rules: set }: LintContext): Generator<Finding> {
  const { before, after } = rules.update;
  if (before.node.kind === "false" || after.node.kind === "false") return;
  const pinned = new Set([...leavesOf(after.node)].map(({ path }) => path.join(".")));
  const told = new Set<string>();
  for (const rule of new Set([before, rules.delete])) {
    for (const use of leavesOf(rule.node)) {
      const path = use.path.join(".");
      if (!isOfDocument(use) || !asksWho(use.leaf) || path.startsWith("_") || told.has(path) || pinned.has(path))
        continue;
      const mask = maskOver(rules, use.path);
      if (mask?.immutable || (mask?.write && mask.write.node.kind !== "true")) continue;
      told.add(path);
      const place = set.placeOf(use.node) ?? rule.at;
      const message = `${place}: tests ${path}, which whoever may update sets at will; make it immutable, or have update.after test it too`;
      yield {
        ...{ id: "client_writable_role", level: "warning", path: place, message },
        fix: { fields: { [path]: { immutable: true } } },
      };
    }
  }
}
