import { sameData } from "#protocol/same-data";
import { encodeValue, type ObjectValue, type Value } from "#protocol/values";
import type { Images } from "../access/bound-rule.ts";
import type { LookupTimes } from "../access/explaining/simulated-rights.ts";
import { type Trace, traceRule } from "../access/explaining/trace.ts";
import { shown } from "../access/explaining/trace-leaf.ts";
import { inWords, reasonsOf } from "../access/explaining/trace-reasons.ts";
import type { Judgement } from "../access/rights.ts";
import { existsFor, lookupValues, made } from "../access/rule-binder.ts";
import type { CollectionRules, FieldRule, Rule } from "../access/rule-tree.ts";
import type { Action } from "../access/scopes.ts";
import { fieldsOf } from "./images.ts";
import type { Outcome, Question } from "./simulation.ts";

/** Values of a lookup that are shown. */
const MOST_VALUES = 20;
/** What a request that is allowed ends with. */
const DONE = { list: 200, get: 200, create: 201, update: 200, delete: 204 } as const;

/** A question's outcome with all that led to it, as JSON (access-rules.md 9). @throws Unsettled */
export function explanationOf(question: Question, outcome: Outcome, times: LookupTimes): ObjectValue {
  const { verdict, error } = outcome;
  const { tree, reasons, words } = whyOf(question, outcome);
  const paths = reasons.map(({ path }) => path);
  return {
    verdict,
    ...(verdict !== "unknown" && { status: error?.status ?? DONE[question.action] }),
    ...(error && { code: error.code }),
    because: paths.length === 1 ? (paths[0] as string) : paths,
    summary: words,
    tree: treeValue(tree),
    poisoned: poisonedIn(tree),
    lookups: lookupsOf(question, outcome, times),
    fields: fieldsIn(question, outcome),
    rulesVersion: question.rules.version,
  };
}

const UNTOLD = { list: "a list shows what the rule lets through", one: "it depends on the document" };

interface Why {
  readonly tree: Trace;
  readonly reasons: readonly Trace[];
  readonly words: string;
}

function whyOf(question: Question, outcome: Outcome): Why {
  const { verdict, error } = outcome;
  const judged = judgementsOf(question, outcome);
  const last = judged.at(-1);
  const denied = verdict === "deny" && last?.allowed === false ? last : undefined;
  if (denied) return becauseOf(traced(denied, question, outcome), question);
  const mask = error && maskAt(error.details.field ?? fieldIn(error.message, error.code), question);
  if (mask) return becauseOfMask(mask, error.code === "field_not_queryable", question, outcome);
  const trees = judged.filter(({ allowed }) => allowed).map((judgement) => traced(judgement, question, outcome));
  const [first] = trees;
  const tree =
    first && trees.length > 1
      ? { path: `${question.collection}.update`, op: "and", value: true, children: trees }
      : (first ?? untold(question, outcome));
  // Not the rules' doing.
  if (error) return { tree, reasons: [], words: error.message };
  return verdict === "deny" && first === undefined
    ? becauseOf(tree, question)
    : {
        tree,
        reasons: reasonsOf(tree),
        words: inWords(reasonsOf(tree)) || UNTOLD[question.action === "list" ? "list" : "one"],
      };
}

/** Verdicts on the action itself, without whether its document may be seen; a PUT of nothing stored is a create. */
function judgementsOf({ action, collection, before }: Question, { rights }: Outcome): readonly Judgement[] {
  const own = (one: Action) => one === action || (action === "update" && !before && one === "create");
  return rights.heard.filter((one) => one.collection === collection && own(one.action));
}

function becauseOf(tree: Trace, { collection, rules }: Question): Why {
  const reasons = reasonsOf(tree);
  if (rules.collections.has(collection)) return { tree, reasons, words: inWords(reasons) };
  return { tree, reasons, words: `no rules speak of ${collection}, so it is closed` };
}

function traced(judgement: Judgement, question: Question, outcome: Outcome): Trace {
  const { action, rule, images } = judgement;
  const stored = question.before && action !== "create" ? { image: question.before } : undefined;
  return traceOf(rule, action === "list", images ?? stored, question, outcome);
}

function traceOf(
  rule: Rule,
  ticks: boolean,
  images: Images | undefined,
  { rules, collection, action }: Question,
  { rights }: Outcome,
): Trace {
  const placed = rule.at === "" ? { ...rule, at: `${collection}.${action}` } : rule;
  return traceRule({ rules, rule: placed, caller: rights.caller, images, ticks });
}

/** The rule itself, where nothing was judged by it. */
function untold(question: Question, outcome: Outcome): Trace {
  const { collection, action, rules } = question;
  const of = rules.collections.get(collection);
  const rule = action === "update" ? of?.update.before : of?.[action];
  if (!rule) return { path: `${collection}.${action}`, op: "false", value: false };
  return traceOf(rule, action === "list", undefined, question, outcome);
}

function becauseOfMask(mask: FieldRule, asked: boolean, question: Question, outcome: Outcome): Why {
  const name = mask.path.join(".");
  if (!asked && mask.immutable && question.before) {
    const tree = { path: `${mask.at}.immutable`, op: "immutable", field: name, value: false };
    return { tree, reasons: [tree], words: `${name} may be given at create and is never changed afterwards` };
  }
  const rule = asked ? mask.read : (mask.write ?? mask.read);
  const image = asked ? undefined : question.before;
  const tree = traceOf(rule, true, image && { image }, question, outcome);
  // That some document hides it is enough.
  const reasons = tree.value === null ? [tree] : reasonsOf(tree);
  const what = asked ? "is not readable in every document, so no question may touch it" : "may not be written";
  return { tree, reasons, words: tree.value === null ? `${name} ${what}` : `${name} ${what}: ${inWords(reasons)}` };
}

/** The mask that covers a path, or lies beneath it. */
function maskAt(field: unknown, { collection, rules }: Question): FieldRule | undefined {
  if (typeof field !== "string") return undefined;
  const masks = rules.collections.get(collection)?.fields ?? [];
  return masks.find(({ path }) => {
    const name = path.join(".");
    return name === field || field.startsWith(`${name}.`) || name.startsWith(`${field}.`);
  });
}

/** Messages of faults start with their path. */
function fieldIn(message: string, code: string): string | undefined {
  return code === "field_not_queryable" ? message.slice(0, message.indexOf(":")) : undefined;
}

function treeValue({ children, operand, poisoned, found, ...node }: Trace): ObjectValue {
  return {
    ...node,
    ...(operand && { operand: { ...operand } }),
    ...(found && { found }),
    ...(poisoned && { poisoned: { ...poisoned } }),
    ...(children && { children: children.map(treeValue) }),
  };
}

function poisonedIn({ path, poisoned, children = [] }: Trace): readonly ObjectValue[] {
  const own = poisoned ? [{ path, ...poisoned }] : [];
  return [...own, ...children.flatMap(poisonedIn)];
}

function lookupsOf(question: Question, outcome: Outcome, times: LookupTimes): readonly ObjectValue[] {
  const judged = judgementsOf(question, outcome);
  const { caller } = outcome.rights;
  const seen = new Map<string, ObjectValue>();
  for (const { rule, images, action } of judged) {
    if (!images) continue;
    for (const lookup of rule.lookups.values()) {
      if (seen.has(lookup.at)) continue;
      const about = { name: lookup.name, from: lookup.from };
      if (!lookup.select) {
        const found = existsFor(rule, lookup, images.image.value, caller);
        if (found !== undefined) seen.set(lookup.at, { ...about, found });
        continue;
      }
      const values = lookupValues(rule, lookup, caller, action === "list");
      const list = (values ?? []).slice(0, MOST_VALUES).map(shown);
      const ms = Math.round((times.get(lookup.at) ?? 0) * 100) / 100;
      seen.set(lookup.at, {
        ...about,
        count: values?.length ?? lookup.max,
        values: list,
        overflow: values === null,
        ms,
      });
    }
  }
  return [...seen.values()];
}

function fieldsIn(question: Question, { scope, after, rights }: Outcome): ObjectValue {
  const { before, collection, rules } = question;
  const image = before ?? after;
  const of = rules.collections.get(collection);
  if (!of) return { hidden: [], readOnly: [], notQueryable: [], changed: [] };
  const { masks } = scope;
  return {
    hidden: image ? masks.hidden(image.value) : [],
    readOnly: image ? readOnlyIn(of, { image }, rights.caller) : [],
    notQueryable: of.fields.filter(({ path }) => !masks.queryable(path)).map(({ path }) => path.join(".")),
    changed: before && after ? changedIn(fieldsOf(before.value), fieldsOf(after.value)) : [],
  };
}

function readOnlyIn({ fields }: CollectionRules, images: Images, caller: Outcome["rights"]["caller"]): string[] {
  const closed = fields.filter(({ immutable, write, read }) => {
    return immutable || made(write ?? read, caller, true).holds(images, () => undefined) !== true;
  });
  return closed.map(({ path }) => path.join("."));
}

function changedIn(before: ObjectValue, after: ObjectValue): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const part = (of: ObjectValue, name: string): ObjectValue =>
    Object.hasOwn(of, name) ? { value: of[name] as Value } : {};
  return names.filter((name) => !sameData(part(before, name), part(after, name)));
}

/** An explanation as plain JSON, for an error's details. */
export function plainJson(value: ObjectValue): unknown {
  return JSON.parse(encodeValue(value));
}
