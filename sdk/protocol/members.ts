import type { Faults } from "./errors.ts";
import { isObjectValue } from "./values.ts";

/**
 * Reads an object of which every member has a meaning. Only own members come back; an unknown one is a fault, since
 * what it was meant to change would silently not happen.
 *
 * @param at where the input stands; empty for the body itself
 * @returns undefined, with a fault, if the input is no object
 */
export function parseMembers(
  input: unknown,
  at: string,
  known: readonly string[],
  faults: Faults,
): ReadonlyMap<string, unknown> | undefined {
  if (!isObjectValue(input)) {
    faults.add(at === "" ? "body" : at, "bad_operand", `expects an object with ${known.join(", ")}`);
    return undefined;
  }
  const members = new Map<string, unknown>();
  for (const [name, member] of Object.entries(input)) {
    if (known.includes(name)) members.set(name, member);
    else faults.add(placeOf(at, name.slice(0, 40)), "unknown_member", `is not known here: expects ${known.join(", ")}`);
  }
  return members;
}

/** The path of a member, for faults. */
export function placeOf(at: string, name: string): string {
  return at === "" ? name : `${at}.${name}`;
}
