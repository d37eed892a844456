import type { Term } from "#protocol/ast";
import { Variable } from "#protocol/ast";
import { normalise } from "#protocol/normalise";
import { type Document, encodeValue, type ObjectValue, type Value } from "#protocol/values";
import { type Bindings, bind, isClosed } from "./bind.ts";
import { BoundRule, whereFor } from "./bound-rule.ts";
import { valueAt } from "./caller.ts";
import type { Lookups } from "./lookups.ts";
import { createMasks, type Masks, NO_MASKS } from "./masks/masks.ts";
import type { BoundField, CollectionRules, Lookup, Rule, RuleNode } from "./rule-tree.ts";

/** `$now` of a list is bound to ticks, so that one page and the next, and live queries, ask the same. */
const TICK_MILLISECONDS = 30_000;
/** Bound forms kept of one rule; then they are made anew. */
const MOST_KEPT = 1000;
const LOOKUP = "$lookup.";

/** Who asks, and when. */
export interface Caller {
  readonly facts: ObjectValue;
  /** Epoch milliseconds of the request. */
  readonly now: number;
  readonly lookups: Lookups;
  /** Where none of this ever changes: the rule that was bound last, since a request asks for the same several times. */
  readonly last?: LastBound;
}

export interface LastBound {
  rule?: Rule;
  ticks?: boolean;
  bound?: BoundRule;
}

/** Thrown where lookups have to be read before a verdict can be given: `Lookups.settle`, then ask again. */
export class Unsettled extends Error {}

const rules = new WeakMap<Rule, Map<string, BoundRule>>();
const masks = new WeakMap<CollectionRules, Map<string, Masks>>();

/**
 * A rule for a caller. Kept by the values of the variables that it uses: a rule without variables is bound once, one of
 * roles once per set of roles.
 *
 * @param ticks whether `$now` goes by ticks, as in `list`
 * @throws Unsettled
 */
export function bindRule(rule: Rule, caller: Caller, ticks = false): BoundRule {
  const { last } = caller;
  if (last?.bound && last.rule === rule && last.ticks === ticks) return last.bound;
  const bound = boundOnce(rule, caller, ticks);
  // What a lookup finds may change while a request waits.
  if (last && rule.lookups.size === 0) Object.assign(last, { rule, ticks, bound });
  return bound;
}

function boundOnce(rule: Rule, caller: Caller, ticks: boolean): BoundRule {
  const key = keyOf(rule, caller, ticks);
  if (key === undefined) return made(rule, caller, ticks);
  let kept = rules.get(rule);
  if (!kept) {
    kept = new Map();
    rules.set(rule, kept);
  }
  return keptIn(kept, key, () => made(rule, caller, ticks));
}

/** As far as the caller alone tells, no lookup read: what is never true then is forbidden, whoever is in which team. */
export function bindStatically(rule: Rule, caller: Caller, ticks: boolean, poisoned?: Bindings["poisoned"]): BoundRule {
  const bindings: Bindings = {
    ...bindingsOf(rule, caller, ticks, (lookup) => knownUnread(rule, lookup, caller, ticks)?.values),
    has: (name) => {
      const lookup = rule.lookups.get(name);
      return lookup && knownUnread(rule, lookup, caller, false)?.exists;
    },
  };
  const bound = bind(rule.node, poisoned ? { ...bindings, poisoned } : bindings);
  return new BoundRule(rule, isClosed(bound) ? normalise(bound) : bound);
}

/** Whether nothing that is stored can make a rule hold for a caller: asked before anything is read. */
export function isForbidden(rule: Rule, caller: Caller, ticks: boolean): boolean {
  // Without lookups the caller alone tells, and what they told is kept.
  return (rule.lookups.size === 0 ? bindRule(rule, caller, ticks) : bindStatically(rule, caller, ticks)).never;
}

/** What is known of a lookup that is not read: a `where` that never holds for this caller finds nothing. */
function knownUnread(
  rule: Rule,
  lookup: Lookup,
  caller: Caller,
  ticks: boolean,
): { readonly values: readonly Value[] | null; readonly exists: boolean | null } | undefined {
  const where = boundWhere(rule, lookup, caller, ticks, (inner) => knownUnread(rule, inner, caller, ticks)?.values);
  if (!where) return POISONED;
  return where.kind === "false" ? NOTHING : undefined;
}

const POISONED = Object.freeze({ values: null, exists: null });
const NOTHING = Object.freeze({ values: Object.freeze([]), exists: false });

/** The field masks of a collection for a caller. @throws Unsettled */
export function bindMasks(collection: CollectionRules, caller: Caller): Masks {
  const { fields } = collection;
  if (fields.length === 0) return NO_MASKS;
  const keys = fields.flatMap(({ read, write, default: value }) => [
    keyOf(read, caller, true),
    write && keyOf(write, caller, true),
    value instanceof Variable ? keyOfVariable(value.name, caller, true) : "",
  ]);
  const make = () => createMasks(fields.map((field) => boundField(field, caller)));
  if (fields.some((field) => field.default instanceof Variable && field.default.name === "$now")) return make();
  const kept = masks.get(collection) ?? new Map<string, Masks>();
  masks.set(collection, kept);
  return keptIn(kept, keys.join("\n"), make);
}

function boundField(field: CollectionRules["fields"][number], caller: Caller): BoundField {
  const { path, read, write, immutable, default: value } = field;
  return {
    path,
    read: bindRule(read, caller, true).filter,
    write: write && bindRule(write, caller, true).filter,
    immutable,
    default: defaultOf(value, caller),
  };
}

function defaultOf(term: Term | undefined, caller: Caller): Value | undefined {
  if (!(term instanceof Variable)) return term;
  return callerValue(term, caller, false) ?? undefined;
}

/** A rule, or a part of one, that is not kept. @param poisoned as in {@link Bindings} @throws Unsettled */
export function made(rule: Rule, caller: Caller, ticks: boolean, poisoned?: Bindings["poisoned"]): BoundRule {
  const bindings = bindingsOf(rule, caller, ticks, (lookup) => lookupValues(rule, lookup, caller, ticks));
  const bound = bind(rule.node, poisoned ? { ...bindings, poisoned } : bindings);
  return new BoundRule(rule, isClosed(bound) ? normalise(bound) : bound);
}

/**
 * The verdict of an exists lookup for a document; null: it is poisoned, and neither it nor its negation holds; undefined:
 * not read yet, and noted to be. @throws Unsettled
 */
export function existsFor(rule: Rule, lookup: Lookup, document: Document, caller: Caller): boolean | null | undefined {
  const where = boundWhere(rule, lookup, caller, false, (inner) => lookupValues(rule, inner, caller, false));
  const filter = where && (isClosed(where) ? where : whereFor(where, document));
  return filter && caller.lookups.exists(lookup, filter);
}

/** Null: it is FALSE because a variable has no value. */
function boundWhere(
  rule: Pick<Rule, "lookups">,
  lookup: Lookup,
  caller: Caller,
  ticks: boolean,
  values: Parameters<typeof bindingsOf>[3],
): RuleNode | null {
  let poisoned = false;
  const where = bind(lookup.where, {
    ...bindingsOf(rule, caller, ticks, values),
    poisoned() {
      poisoned = true;
    },
  });
  return poisoned && where.kind === "false" ? null : where;
}

/** What a rule's variables are for a caller. `values`: how the values of a set lookup are had. */
export function bindingsOf(
  rule: Pick<Rule, "lookups">,
  caller: Caller,
  ticks: boolean,
  values: (lookup: Lookup) => readonly Value[] | null | undefined,
): Bindings {
  return {
    facts: caller.facts,
    value: (variable) => callerValue(variable, caller, ticks),
    values(variable) {
      if (!variable.name.startsWith(LOOKUP)) {
        const found = callerValue(variable, caller, ticks);
        return found === undefined || Array.isArray(found) ? found : null;
      }
      const lookup = rule.lookups.get(variable.name.slice(LOOKUP.length));
      return lookup ? values(lookup) : null;
    },
  };
}

/** The values of a set lookup, null if it is poisoned: it overflows, or asks by what the caller has not. @throws Unsettled */
export function lookupValues(
  rule: Pick<Rule, "lookups">,
  lookup: Lookup,
  caller: Caller,
  ticks: boolean,
): readonly Value[] | null {
  const where = boundWhere(rule, lookup, caller, ticks, (inner) => lookupValues(rule, inner, caller, ticks));
  if (!where || !isClosed(where)) return null;
  if (where.kind === "false") return [];
  const values = caller.lookups.values(lookup, normalise(where));
  if (values === undefined) throw new Unsettled();
  return values;
}

/** Undefined: only a document tells. */
function callerValue({ name, offset }: Variable, caller: Caller, ticks: boolean): Value | undefined {
  if (name === "$now") return new Date(nowOf(caller, ticks) + offset);
  if (name.startsWith("$auth.") || name.startsWith("$request.")) return valueAt(caller.facts, name.split("."));
  return name.startsWith("$before.") || name.startsWith("$doc.") ? undefined : null;
}

function nowOf({ now }: Caller, ticks: boolean): number {
  return ticks ? Math.floor(now / TICK_MILLISECONDS) * TICK_MILLISECONDS : now;
}

/** Undefined: nobody will ask the same again. @throws Unsettled */
function keyOf(rule: Rule, caller: Caller, ticks: boolean): string | undefined {
  const { variables } = rule;
  if (variables.length === 0) return "";
  if (!ticks && variables.includes("$now")) return undefined;
  if (variables.length === 1) {
    const [name] = variables as readonly [string];
    // What most rules ask for; nobody's is empty. The text as it is held is found fastest.
    if (name === "$auth.id") return ((caller.facts.$auth as ObjectValue).id as string | undefined) ?? "";
    return keyOfVariable(name, caller, ticks, rule);
  }
  return variables.map((name) => keyOfVariable(name, caller, ticks, rule)).join("\n");
}

function keyOfVariable(name: string, caller: Caller, ticks: boolean, rule?: Rule): string {
  if (name === "$now") return `${nowOf(caller, ticks)}`;
  if (!name.startsWith(LOOKUP)) return encodeValue(valueAt(caller.facts, name.split(".")));
  const lookup = rule?.lookups.get(name.slice(LOOKUP.length));
  if (!rule || !lookup?.select) return "";
  const values = lookupValues(rule, lookup, caller, ticks);
  return values === null ? "null" : `#${numberOf(values)}`;
}

/** The same values are the same object as long as they are held, so a number tells them. */
const numbers = new WeakMap<readonly Value[], number>();
let nextNumber = 0;

function numberOf(values: readonly Value[]): number {
  const known = numbers.get(values) ?? nextNumber++;
  numbers.set(values, known);
  return known;
}

function keptIn<T>(kept: Map<string, T>, key: string, make: () => T): T {
  const known = kept.get(key);
  if (known !== undefined) return known;
  const value = make();
  if (kept.size >= MOST_KEPT) kept.clear();
  kept.set(key, value);
  return value;
}
