import { Variable } from "#protocol/ast";
import { type FaultCode, Faults } from "#protocol/errors";
import { type Path, parsePath } from "#protocol/paths";
import { cite, didYouMean } from "./rule-faults.ts";
import { isRuleName, NAME_RULE } from "./rule-names.ts";

/** access-rules.md 3, but those that a path or name follows. */
const WHOLE: ReadonlySet<string> = new Set([
  "$auth.id",
  "$auth.kind",
  "$auth.email",
  "$auth.roles",
  "$auth.mfa",
  "$now",
  "$request.ip",
  "$request.origin",
]);
/** What a path or a name follows, and how that is said. */
const PREFIXES: readonly (readonly [prefix: string, form: string])[] = [
  ["$auth.claims.", "$auth.claims.<path>"],
  ["$before.", "$before.<path>"],
  ["$doc.", "$doc.<path>"],
  ["$lookup.", "$lookup.<name>"],
];
const FORMS = [...WHOLE, ...PREFIXES.map(([, form]) => form)];
/** How variables begin, for who has something else in mind. */
const STARTS = "$auth.…, $now, $request.…, $before.…, $doc.… and $lookup.…";
const PARTS: ReadonlyMap<string, number> = new Map([
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);
/** An offset reaches a hundred years at most, so that the sum is always a date of the language. */
const MAX_OFFSET = 36_525 * 86_400_000;

/** Says what is wrong with a variable. */
export type Refuse = (code: FaultCode, message: string) => void;

/** Whether a text names a variable; if not, `refuse` is told why. */
export function isVariable(text: string, refuse: Refuse): boolean {
  if (WHOLE.has(text)) return true;
  const [prefix] = PREFIXES.find(([start]) => text.startsWith(start)) ?? [];
  if (prefix === undefined) {
    const instead = `: those are ${STARTS}; as data it is {"$literal": ${cite(text)}}`;
    refuse("unknown_variable", `${cite(text)} is not a variable${didYouMean(text, FORMS, instead)}`);
    return false;
  }
  const rest = text.slice(prefix.length);
  if (prefix === "$lookup.") {
    if (isRuleName(rest)) return true;
    refuse("bad_path", `expects the name of a lookup after "$lookup.": ${NAME_RULE}`);
    return false;
  }
  const faults = new Faults();
  parsePath(rest, cite(text), faults, prefix === "$auth.claims.");
  const [fault] = faults.list;
  if (fault) refuse("bad_path", fault.message);
  return fault === undefined;
}

/** The path of a key that tests the caller, as `$auth.roles`; undefined if it does not start so. */
export function callerPath(key: string, refuse: Refuse): Path | undefined {
  if (!/^\$(?:auth|request)(?:\.|$)/.test(key)) return undefined;
  isVariable(key, refuse);
  return Object.freeze(key.split("."));
}

/** `{"$now": "-15m"}`. */
export function parseNow(offset: unknown, refuse: Refuse): Variable {
  const [, sign, count, unit] = (typeof offset === "string" && /^([+-]?)(\d{1,9})([smhd])$/.exec(offset)) || [];
  const size = Number(count) * (PARTS.get(unit ?? "") ?? Number.NaN);
  if (!(size <= MAX_OFFSET)) {
    refuse("wrong_type", 'expects $now with an offset of at most 36525d in s, m, h or d, as in "-15m" or "+1d"');
    return new Variable("$now");
  }
  return new Variable("$now", { offset: sign === "-" && size > 0 ? -size : size });
}
