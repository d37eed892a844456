import { describe } from "#protocol/describe";
import { Faults } from "#protocol/errors";
import { jsonBytes } from "#protocol/json-size";
import { isObjectValue } from "#protocol/values";
import type { RuleSet } from "../rule-tree.ts";
import { readBucket, readCollection, type SharedRules } from "./rule-collections.ts";
import { type RuleFault, ruleFaults } from "./rule-faults.ts";
import { nameLookups, readLookups } from "./rule-lookups.ts";
import { checkMacros, nameMacros } from "./rule-macros.ts";
import { createRulePlaces } from "./rule-places.ts";
import { readRequired } from "./rule-required.ts";
import { createBudget, Names, type RuleScope } from "./rule-scope.ts";
import { readFixed, readMembers } from "./rule-shapes.ts";

export type { RuleFault, RuleFaultCode } from "./rule-faults.ts";

/** Bytes of the JSON of a set of rules, macros expanded; access-rules.md 2.6. */
const MAX_BYTES = 1024 * 1024;

/** Nothing is published: everything is closed. */
export const NO_RULES: RuleSet = Object.freeze({
  version: 0,
  collections: new Map(),
  buckets: new Map(),
  rightsCollections: new Set<string>(),
  placeOf: () => undefined,
});

/**
 * Reads a set of rules from parsed JSON (access-rules.md 2). What has a fault is `false` in the result, which is of use
 * only if there are none. The input is not changed; any is safe, however deep or large.
 */
export function parseRules(
  input: unknown,
  version: number,
): { readonly rules: RuleSet; readonly faults: readonly RuleFault[] } {
  const faults = new Faults();
  const places = createRulePlaces();
  const budget = createBudget(MAX_BYTES, jsonBytes(input, MAX_BYTES), "rules", faults);
  if (!isObjectValue(input)) faults.add("rules", "wrong_type", `expects an object, got ${describe(input)}`);
  const fit = isObjectValue(input) && budget.spend(0);
  const rules = fit ? readSet(input, version, { faults, places, budget }) : { ...NO_RULES, version };
  return { rules, faults: ruleFaults(faults) };
}

function readSet(input: unknown, version: number, reading: Pick<RuleScope, "faults" | "places" | "budget">): RuleSet {
  const { faults } = reading;
  const { format = 1, ...written } = readFixed(input, "", ["format", "shared", "collections", "buckets"], faults);
  if (format !== 1) {
    const got = typeof format === "number" ? format : describe(format);
    faults.add("format", "wrong_type", `expects 1, got ${got}`);
  }
  const rights = new Set<string>();
  const shared = readShared(written.shared, { ...reading, rights });
  const parts = <T>(name: "collections" | "buckets", read: (name: string, input: unknown) => T | undefined) => {
    const members = readMembers(written[name], name, faults, "an object of rules by name");
    return new Map(members.flatMap(([key, part]) => present(key, faults.full ? undefined : read(key, part))));
  };
  return Object.freeze({
    version,
    collections: parts("collections", (name, part) => readCollection(name, part, shared)),
    buckets: parts("buckets", (name, part) => readBucket(name, part, shared)),
    rightsCollections: rights,
    placeOf: reading.places.of,
  });
}

function present<T>(key: string, value: T | undefined): [string, T][] {
  return value === undefined ? [] : [[key, value]];
}

function readShared(input: unknown, reading: Omit<RuleScope, "macros" | "lookups">): SharedRules {
  const { faults } = reading;
  const written = readFixed(input, "shared", ["macros", "lookups", "require"], faults);
  const lookups = nameLookups(written.lookups, "shared.lookups", reading);
  const macros = nameMacros(written.macros, "shared.macros", reading);
  const scope: RuleScope = { ...reading, lookups: new Names(lookups), macros: new Names(macros) };
  checkMacros(macros, "shared.macros", scope);
  readLookups(lookups, "shared.lookups", scope);
  return { scope, required: readRequired(written.require, "shared.require", scope) };
}
