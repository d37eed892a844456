import { isCollectionName } from "#protocol/batch";
import { jsonBytes } from "#protocol/json-size";
import type { BucketRules, CollectionRules, FieldRule, Rule } from "../rule-tree.ts";
import { ACTION_KEYS, type ActionRules, readActions } from "./rule-actions.ts";
import { cite } from "./rule-faults.ts";
import { readFields } from "./rule-fields.ts";
import { checkHidden, MAX_LOOKUPS, nameLookups, readLookups } from "./rule-lookups.ts";
import { checkMacros, nameMacros } from "./rule-macros.ts";
import { checkNotHidden, checkRequired, type RequiredMacro, readExempt } from "./rule-required.ts";
import { createBudget, Names, type RuleScope } from "./rule-scope.ts";
import { readFixed } from "./rule-shapes.ts";

/** Bytes of the JSON of one collection's rules, macros expanded; access-rules.md 2.6. */
const MAX_BYTES = 64 * 1024;
const NAMES = ["macros", "lookups", "exempt"] as const;
const COLLECTION_KEYS = [...ACTION_KEYS, "fields", ...NAMES] as const;
const BUCKET_KEYS = [...ACTION_KEYS, ...NAMES] as const;
type Key = (typeof COLLECTION_KEYS)[number];
type Written = { readonly [name in Key]?: unknown };

/** What the whole set has, which each collection is read with. */
export interface SharedRules {
  readonly scope: RuleScope;
  /** Macros that every rule must use. */
  readonly required: readonly RequiredMacro[];
}

/** One collection or bucket, its own macros and lookups read. */
interface Part {
  readonly at: string;
  readonly written: Written;
  readonly scope: RuleScope;
}

/** Undefined if it cannot be one. */
export function readCollection(name: string, input: unknown, shared: SharedRules): CollectionRules | undefined {
  const part = openPart(name, input, name, COLLECTION_KEYS, shared);
  if (!part) return undefined;
  const actions = readActions(part.written, name, part.scope);
  const fields = readFields(part.written.fields, `${name}.fields`, part.scope);
  checkRules(part, rulesOf(actions), fields, shared);
  return Object.freeze({ name, ...actions, fields });
}

/** As a collection's; the `document` that a file belongs to may judge an action. */
export function readBucket(name: string, input: unknown, shared: SharedRules): BucketRules | undefined {
  const part = openPart(name, input, `buckets.${name}`, BUCKET_KEYS, shared);
  if (!part) return undefined;
  const { written, at, scope } = part;
  const byDocument = ACTION_KEYS.filter((action) => {
    const named = action === "list" || action === "get" ? (written[action] as keyof Written) : action;
    return written[action] === DOCUMENT || ((named === "list" || named === "get") && written[named] === DOCUMENT);
  });
  const own = Object.fromEntries(Object.entries(written).filter(([key]) => !byDocument.some((name) => name === key)));
  const actions = readActions(own, at, scope);
  checkRules(part, rulesOf(actions), [], shared);
  return Object.freeze({ name, ...actions, ...Object.fromEntries(byDocument.map((action) => [action, DOCUMENT])) });
}

const DOCUMENT = "document" as const;

function openPart(
  name: string,
  input: unknown,
  at: string,
  keys: readonly Key[],
  { scope: shared }: SharedRules,
): Part | undefined {
  const { faults } = shared;
  if (!isNamed(name, at, shared)) return undefined;
  const bytes = jsonBytes(input, MAX_BYTES);
  const budget = createBudget(MAX_BYTES, bytes, at, faults, shared.budget);
  if (!budget.spend(0)) return undefined;
  const written: Written = readFixed(input, at, keys, faults, "action");
  const lookups = nameLookups(written.lookups, `${at}.lookups`, shared);
  const macros = nameMacros(written.macros, `${at}.macros`, shared);
  const scope: RuleScope = {
    ...shared,
    budget,
    lookups: new Names(lookups, shared.lookups),
    macros: new Names(macros, shared.macros),
  };
  checkMacros(macros, `${at}.macros`, scope);
  readLookups(lookups, `${at}.lookups`, scope);
  if (lookups.size > 0) checkHidden(`${at}.lookups`, shared.lookups.own.values(), scope);
  return { at, written, scope };
}

function isNamed(name: string, at: string, { faults }: RuleScope): boolean {
  const named: boolean = isCollectionName(name);
  if (named) return true;
  if (name.startsWith("_")) faults.add(at, "reserved_collection", `${cite(name)} belongs to the server`);
  else faults.add(at, "bad_path", `${cite(name)} is no name: a letter a-z, then up to 62 of a-z 0-9 _ -`);
  return false;
}

/** Adds what only all rules together show. */
function checkRules(
  { at, written, scope }: Part,
  actions: readonly Rule[],
  fields: readonly FieldRule[],
  { required }: SharedRules,
): void {
  const demanded = readExempt(written.exempt, `${at}.exempt`, required, scope);
  checkRequired(actions, demanded, scope);
  checkNotHidden(demanded, at, scope);
  const all = [...actions, ...fields.flatMap(({ read, write }) => (write ? [read, write] : [read]))];
  const names = new Set([...scope.lookups.own.keys(), ...all.flatMap(({ lookups }) => [...lookups.keys()])]);
  if (names.size <= MAX_LOOKUPS) return;
  scope.faults.add(at, "too_large", `may have and reach at most ${MAX_LOOKUPS} lookups, got ${names.size}`);
}

function rulesOf({ list, get, create, update, delete: remove }: ActionRules): readonly Rule[] {
  return [list, get, create, update.before, update.after, remove];
}
