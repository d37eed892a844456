import type { Path } from "#protocol/paths";
import type { Finding } from "../publishing/rule-findings.ts";
import type { CollectionRules, Lookup, RuleNode, RuleSet } from "../rule-tree.ts";
import type { LintContext } from "./lint.ts";
import { maskOver } from "./masked.ts";
import { leavesOf, partsOf, variablesIn } from "./rule-walk.ts";

/** `self_granting_lookup` and `limit_by_lookup`. */
export function* lookupLints({ rules }: LintContext): Generator<Finding> {
  for (const lookup of lookupsIn(rules)) yield* selfGranting(lookup, rules);
  for (const { name, at, rules: all } of partsOf(rules)) {
    for (const { rule } of all) {
      for (const { path, negated, node } of leavesOf(rule.node)) {
        const lookup = negated && path[0] === "$has" ? rule.lookups.get(path[1] as string) : undefined;
        if (lookup?.from !== name || at !== name) continue;
        const place = rules.placeOf(node) ?? rule.at;
        const paths = [...new Set([...leavesOf(lookup.where)].map((leaf) => leaf.path.join(".")))];
        const message = `${place}: asks that no other document is there, and two creates at once both see none; declare a unique index over ${paths.join(", ")}`;
        yield {
          id: "limit_by_lookup",
          level: "warning",
          path: place,
          message,
          fix: { index: { paths, unique: true } },
        };
      }
    }
  }
}

/** Each lookup that a rule uses, once. */
export function lookupsIn(rules: RuleSet): ReadonlySet<Lookup> {
  const found = new Set<Lookup>();
  for (const part of partsOf(rules)) {
    for (const { rule } of [...part.rules, ...part.masks])
      for (const lookup of rule.lookups.values()) found.add(lookup);
  }
  return found;
}

function* selfGranting(lookup: Lookup, rules: RuleSet): Generator<Finding> {
  const from = rules.collections.get(lookup.from);
  if (!from) return;
  const leaves = [...leavesOf(lookup.where)];
  const personal = leaves.filter(({ leaf }) => variablesIn(leaf).some((name) => name.startsWith("$auth.")));
  const deciding = [...leaves.map(({ path }) => path), ...(lookup.select ? [lookup.select] : [])].filter(
    ([head]) => head !== "_id",
  );
  // Whoever names a new thing founds it: nobody has rights over what was not there.
  const founds = leaves.some(
    ({ path, leaf }) => path[0] === "_id" && variablesIn(leaf).some((v) => v.startsWith("$doc.")),
  );
  const ways: string[] = [];
  if (!founds && isOwnChoice(from.create.node) && !deciding.some((path) => isKept(from, path, "create")))
    ways.push("create");
  if (isOwnChoice(from.update.before.node)) {
    const ofPerson = new Set(personal.map(({ path }) => path.join(".")));
    const tied = [...leavesOf(from.update.before.node)].some(({ path }) => ofPerson.has(path.join(".")));
    const rights = tied ? deciding.filter((path) => !ofPerson.has(path.join("."))) : deciding;
    if (rights.some((path) => !isKept(from, path, "update"))) ways.push("change");
  }
  if (ways.length === 0) return;
  const fields = [...new Set(deciding.map((path) => path.join(".")))].join(", ");
  const message = `${lookup.at}: grants rights by documents of ${lookup.from} that the person who gets them may ${ways.join(" and ")}; let others decide ${fields}: by a lookup, a role, or "immutable" and "write" masks`;
  yield { id: "self_granting_lookup", level: "warning", path: lookup.at, message };
}

/** Whether somebody can meet a rule by what they write themselves, or by signing up. */
function isOwnChoice(node: RuleNode): boolean {
  switch (node.kind) {
    case "true":
      return true;
    case "false":
      return false;
    case "and":
      return node.of.every(isOwnChoice);
    case "or":
      return node.of.some(isOwnChoice);
  }
  const leaf = node.kind === "not" ? node.of : node;
  const [head, fact = ""] = leaf.path;
  if (head === "$has" || (head === "$auth" && !CHOSEN.includes(fact))) return false;
  return variablesIn(leaf).every((name) => !name.startsWith("$lookup.") && !/^\$auth\.(?:roles|claims)/.test(name));
}

const CHOSEN = ["id", "kind", "email"];

/** Whether a mask or the rule on what will be stored keeps a field from who writes it. */
function isKept(from: CollectionRules, path: Path, action: "create" | "update"): boolean {
  const mask = maskOver(from, path);
  if (mask?.write && !isOwnChoice(mask.write.node)) return true;
  if (action === "create") return false;
  return (
    mask?.immutable === true ||
    [...leavesOf(from.update.after.node)].some((use) => use.path.join(".") === path.join("."))
  );
}
