import { parseDate } from "#protocol/dates";
import { describe } from "#protocol/describe";
import { Faults } from "#protocol/errors";
import { parseMembers } from "#protocol/members";
import { scopeFault } from "../../access/scopes.ts";
import { networkFault } from "../limits/networks.ts";

const NAME_CHARACTERS = 100;
const MAX_SCOPES = 100;
const MAX_NETWORKS = 100;
/** Seconds for which a rotated secret may stay good. */
const MAX_OVERLAP = 24 * 60 * 60;

/** What a request says of a key; null: it never expires. */
export interface KeyInput {
  readonly name?: string;
  readonly scopes?: readonly string[];
  readonly expiresAt?: Date | null;
  readonly networks?: readonly string[];
  /** It counts again: whoever says so answers for it from now on. */
  readonly suspended?: false;
}

/**
 * Reads `{name, scopes, expiresAt?, networks?}` of a new key, of one that is there `{…, suspended?}` with nothing needed.
 * @param needed members that must be there
 * @throws GalleyError `invalid_argument` with every fault
 */
export function parseKeyInput(body: unknown, needed: readonly string[], now: number): KeyInput {
  const faults = new Faults();
  const known = ["name", "scopes", "expiresAt", "networks", ...(needed.length === 0 ? ["suspended"] : [])];
  const members = parseMembers(body, "", known, faults);
  for (const name of needed) if (members && !members.has(name)) faults.add(name, "missing_member", "is needed");
  const input: { -readonly [K in keyof KeyInput]: KeyInput[K] } = {};
  if (members?.has("name")) input.name = nameOf(members.get("name"), faults);
  if (members?.has("scopes"))
    input.scopes = listOf(members.get("scopes"), { at: "scopes", max: MAX_SCOPES, fault: scopeFault }, faults);
  if (members?.has("expiresAt")) input.expiresAt = expiryOf(members.get("expiresAt"), now, faults);
  if (members?.has("networks")) {
    input.networks = listOf(
      members.get("networks"),
      { at: "networks", max: MAX_NETWORKS, fault: networkFault },
      faults,
    );
  }
  if (members?.has("suspended")) {
    input.suspended = false;
    const why = "a key is suspended while there is no such admin as made it; to end it, delete it";
    if (members.get("suspended") !== false) faults.add("suspended", "bad_value", `expects false: ${why}`);
  }
  if (input.scopes?.length === 0 && !faults.any) faults.add("scopes", "bad_operand", "expects at least one scope");
  faults.throwIfAny();
  return input;
}

/** Reads `{overlap?}`: seconds for which the old secret stays good. @throws GalleyError `invalid_argument` */
export function parseOverlap(body: unknown): number {
  const faults = new Faults();
  const members = parseMembers(body, "", ["overlap"], faults);
  const overlap = members?.has("overlap") ? members.get("overlap") : 0;
  const legal = typeof overlap === "number" && Number.isInteger(overlap) && overlap >= 0 && overlap <= MAX_OVERLAP;
  if (!legal) faults.add("overlap", "bad_operand", `expects seconds as an integer from 0 to ${MAX_OVERLAP}`);
  faults.throwIfAny();
  return overlap as number;
}

function nameOf(input: unknown, faults: Faults): string {
  if (typeof input === "string" && input.trim() !== "" && input.length <= NAME_CHARACTERS && input.isWellFormed())
    return input;
  faults.add("name", "bad_operand", `expects a text of 1 to ${NAME_CHARACTERS} characters, got ${describe(input)}`);
  return "";
}

function listOf(
  input: unknown,
  {
    at,
    max,
    fault,
  }: { readonly at: string; readonly max: number; readonly fault: (item: unknown) => string | undefined },
  faults: Faults,
): string[] {
  if (!Array.isArray(input) || input.length > max) {
    faults.add(at, "bad_operand", `expects an array of at most ${max} texts, got ${describe(input)}`);
    return [];
  }
  for (const [i, item] of input.entries()) {
    const wrong = fault(item);
    if (wrong !== undefined) faults.add(`${at}.${i}`, "bad_value", wrong);
  }
  return [...new Set(input as string[])];
}

function expiryOf(input: unknown, now: number, faults: Faults): Date | null {
  if (input === null) return null;
  const date = typeof input === "string" ? parseDate(input) : undefined;
  if (date && date.getTime() > now) return date;
  faults.add("expiresAt", "bad_operand", "expects a time to come, as ISO 8601 text with its offset, or null for never");
  return null;
}
