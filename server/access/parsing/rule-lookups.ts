import { isCollectionName } from "#protocol/batch";
import { describe } from "#protocol/describe";
import { parsePlainPath } from "#protocol/paths";
import { isObjectValue } from "#protocol/values";
import type { Lookup } from "../rule-tree.ts";
import { cite } from "./rule-faults.ts";
import { isRuleName, NAME_RULE } from "./rule-names.ts";
import { readFilter } from "./rule-reader.ts";
import type { LookupEntry, RuleScope } from "./rule-scope.ts";
import { readFixed, readMembers } from "./rule-shapes.ts";
import { lookupsOf, variablesOf } from "./rule-uses.ts";

/** Values of a set lookup, and how many it has where `max` does not say. */
const MAX_VALUES = 1000;
/** Lookups that the rules of one collection may define, and reach. */
export const MAX_LOOKUPS = 8;

/** The lookups that are defined at a place, not yet looked into but for what kind they are. */
export function nameLookups(
  input: unknown,
  at: string,
  { faults }: Pick<RuleScope, "faults">,
): Map<string, LookupEntry & { readonly input: unknown }> {
  const entries = new Map<string, LookupEntry & { readonly input: unknown }>();
  for (const [name, lookup] of readMembers(input, at, faults, "an object of lookups by name")) {
    if (faults.full) break;
    if (!isRuleName(name)) faults.add(`${at}.${name}`, "bad_path", NAME_RULE);
    else {
      const isSet = isObjectValue(lookup) && Object.hasOwn(lookup, "select");
      entries.set(name, { name, isSet, lookup: undefined, input: lookup });
    }
  }
  return entries;
}

/** Reads the lookups of a place and fills them in. */
export function readLookups(
  entries: ReadonlyMap<string, LookupEntry & { readonly input: unknown }>,
  at: string,
  scope: RuleScope,
): void {
  for (const entry of entries.values()) {
    if (scope.faults.full) return;
    entry.lookup = readLookup(entry.name, entry.input, `${at}.${entry.name}`, scope);
  }
  for (const { lookup } of entries.values()) if (lookup?.select) checkNested(lookup, scope);
}

/** access-rules.md 5.3: one set lookup, once, that uses none itself. */
function checkNested({ where, at }: Lookup, { faults, lookups }: RuleScope): void {
  const [used, ...more] = lookupsOf(where);
  if (used === undefined) return;
  if (more.length > 0) {
    faults.add(`${at}.where`, "lookup_kind", `"${used}" and "${more[0]}" are used; a lookup may use one other, once`);
  }
  const inner = lookups.get(used)?.lookup;
  if (inner && lookupsOf(inner.where).size > 0) {
    faults.add(
      `${at}.where`,
      "lookup_kind",
      `"${used}" uses a lookup itself; a lookup may use only one that uses none`,
    );
  }
}

/** Adds a fault for a lookup that hides a shared one which a shared lookup needs, and cannot do its work. */
export function checkHidden(at: string, shared: Iterable<LookupEntry>, { faults, lookups }: RuleScope): void {
  for (const { name, lookup } of shared) {
    for (const used of lookup ? lookupsOf(lookup.where) : []) {
      const own = lookups.own.get(used);
      if (!own || (own.isSet && !(own.lookup && lookupsOf(own.lookup.where).size > 0))) continue;
      const message = `the shared lookup "${name}" uses this name, so it must be a set lookup that uses no other`;
      faults.add(`${at}.${used}`, "lookup_kind", message);
    }
  }
}

function readLookup(name: string, input: unknown, at: string, scope: RuleScope): Lookup | undefined {
  const { faults } = scope;
  const before = faults.list.length;
  if (!isObjectValue(input)) {
    faults.add(at, "wrong_type", `expects {from, where} or {from, where, select, max}, got ${describe(input)}`);
    return undefined;
  }
  const { from, where, select, max } = readFixed(input, at, ["from", "where", "select", "max"], faults);
  checkFrom(from, `${at}.from`, scope);
  const path = typeof select === "string" ? Object.freeze(parsePlainPath(select, `${at}.select`, faults)) : undefined;
  const isSet = Object.hasOwn(input, "select");
  if (isSet && !path) faults.add(`${at}.select`, "wrong_type", `expects the path of a field, got ${describe(select)}`);
  checkMax(max, isSet, `${at}.max`, scope);
  const node = readFilter(where, isSet ? "set lookup" : "exists lookup", `${at}.where`, scope);
  if (!node || typeof from !== "string" || faults.list.length > before) return undefined;
  scope.rights.add(from);
  return Object.freeze({
    name,
    at,
    from,
    where: node,
    variables: variablesOf(node),
    ...(path && { select: path }),
    max: typeof max === "number" ? max : MAX_VALUES,
  });
}

function checkFrom(from: unknown, at: string, { faults }: RuleScope): void {
  if (isCollectionName(from)) return;
  if (typeof from === "string" && from.startsWith("_")) {
    const public_ = from.slice(1);
    const own = isCollectionName(public_) ? ` "${public_}"` : "";
    faults.add(
      at,
      "reserved_collection",
      `${cite(from)} belongs to the server; keep public data in your own${own} collection`,
    );
  } else {
    const got = typeof from === "string" ? cite(from) : describe(from);
    faults.add(
      at,
      "wrong_type",
      `expects a collection's name (a letter a-z, then up to 62 of a-z 0-9 _ -), got ${got}`,
    );
  }
}

function checkMax(max: unknown, isSet: boolean, at: string, { faults }: RuleScope): void {
  if (max === undefined) return;
  if (!isSet)
    faults.add(at, "lookup_kind", "belongs to a set lookup, which has select; this one asks only if there is one");
  else if (!Number.isSafeInteger(max) || (max as number) < 1) {
    faults.add(
      at,
      "wrong_type",
      `expects an integer from 1 to ${MAX_VALUES}, got ${typeof max === "number" ? max : describe(max)}`,
    );
  } else if ((max as number) > MAX_VALUES) faults.add(at, "too_large", `expects at most ${MAX_VALUES}, got ${max}`);
}
