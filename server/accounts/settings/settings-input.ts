import { Faults } from "#protocol/errors";
import { parseMembers, placeOf } from "#protocol/members";
import { isObjectValue, type ObjectValue, type Value } from "#protocol/values";
import type { StoredSettings } from "./settings.ts";
import { SETTING_TABLE, Setting } from "./settings-defaults.ts";

/** Settings that differ from their defaults, by group: what is stored. */
export type SetValues = Readonly<Record<string, ObjectValue>>;

export const GROUPS = Object.keys(SETTING_TABLE) as readonly (keyof StoredSettings)[];

/** Beside the groups, what nobody can change while the server runs. */
const ENVIRONMENT = "environment";

type Table = { readonly [member: string]: Table | Setting<unknown> };
const TABLE = SETTING_TABLE as unknown as Table;

/**
 * What a change makes of the settings that are stored. It names only what it changes, `{group: {member: value}}`, null for
 * the default.
 *
 * @throws GalleyError `invalid_argument` with every fault
 */
export function changedSettings(before: SetValues, change: unknown): SetValues {
  const faults = new Faults();
  const members = parseMembers(change, "", [...GROUPS, ENVIRONMENT], faults) ?? new Map<string, unknown>();
  const after = { ...before };
  if (members.has(ENVIRONMENT)) {
    faults.add(ENVIRONMENT, "bad_value", "is told by the environment: start the server with other variables");
  }
  for (const group of GROUPS) {
    if (!members.has(group)) continue;
    const input = members.get(group);
    after[group] = (changedIn(TABLE[group] as Table, before[group], input, group, faults) ?? {}) as ObjectValue;
  }
  if (!faults.any) checkLives(settingsOf(after), faults);
  faults.throwIfAny();
  return after;
}

/** @returns undefined: the default */
function changedIn(
  table: Table | Setting<unknown>,
  before: Value | undefined,
  input: unknown,
  at: string,
  faults: Faults,
): Value | undefined {
  if (input === null) return undefined;
  if (table instanceof Setting) {
    const value = table.combine ? table.combine(before, input) : input;
    table.check(value, at, faults);
    return value as Value;
  }
  const members = parseMembers(input, at, Object.keys(table), faults);
  const after = new Map(isObjectValue(before) ? Object.entries(before) : []);
  for (const [name, member] of members ?? []) {
    const part = table[name] as Table | Setting<unknown>;
    const value = changedIn(part, after.get(name), member, placeOf(at, name), faults);
    if (value === undefined) after.delete(name);
    else after.set(name, value);
  }
  return Object.fromEntries(after);
}

/** A session that ended before its first access token would sign people out who are at work. */
function checkLives({ sessions }: StoredSettings, faults: Faults): void {
  const { accessSeconds } = sessions;
  for (const pool of ["user", "admin"] as const) {
    const { idleSeconds, absoluteSeconds } = sessions[pool];
    const expects = (what: string) => faults.add(`sessions.${pool}.idleSeconds`, "bad_value", `expects ${what}`);
    if (idleSeconds > absoluteSeconds) expects(`at most sessions.${pool}.absoluteSeconds, which is ${absoluteSeconds}`);
    if (idleSeconds < accessSeconds) expects(`at least sessions.accessSeconds, which is ${accessSeconds}`);
  }
}

/** All settings: those stored, and the defaults of the others. What is stored and not legal any more counts as not stored. */
export function settingsOf(stored: SetValues): StoredSettings {
  return valuesOf(TABLE, stored) as unknown as StoredSettings;
}

function valuesOf(table: Table, stored: unknown): ObjectValue {
  const values = isObjectValue(stored) ? stored : {};
  return Object.freeze(
    Object.fromEntries(
      Object.entries(table).map(([name, part]): [string, Value] => {
        if (!(part instanceof Setting)) return [name, valuesOf(part, values[name])];
        const faults = new Faults();
        if (values[name] !== undefined) part.check(values[name], name, faults);
        return [name, frozen((values[name] === undefined || faults.any ? part.fallback : values[name]) as Value)];
      }),
    ),
  );
}

function frozen(value: Value): Value {
  if (typeof value !== "object" || value === null) return value;
  for (const member of Object.values(value)) frozen(member as Value);
  return Object.freeze(value);
}

/** The settings that are not alike in both, as `path: before -> after`; of long ones, their paths. */
export function differences(before: StoredSettings, after: StoredSettings): string[] {
  return differencesIn(TABLE, before as unknown as ObjectValue, after as unknown as ObjectValue, "");
}

function differencesIn(table: Table, before: ObjectValue, after: ObjectValue, at: string): string[] {
  return Object.entries(table).flatMap(([name, part]) => {
    const path = placeOf(at, name);
    const [a, b] = [before[name], after[name]];
    if (!(part instanceof Setting)) return differencesIn(part, a as ObjectValue, b as ObjectValue, path);
    const [from, to] = [JSON.stringify(a), JSON.stringify(b)];
    if (from === to) return [];
    return part.combine ? [path] : [`${path}: ${from} -> ${to}`];
  });
}
