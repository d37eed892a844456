import { describe } from "#protocol/describe";
import type { Faults } from "#protocol/errors";
import { isObjectValue } from "#protocol/values";
import { cite, didYouMean } from "./rule-faults.ts";

/** The members of an object of rules, by name; none if it is absent or no object, which is a fault. */
export function readMembers(input: unknown, at: string, faults: Faults, expected = "an object"): [string, unknown][] {
  if (input === undefined) return [];
  if (isObjectValue(input)) return Object.entries(input);
  faults.add(at, "wrong_type", `expects ${expected}, got ${describe(input)}`);
  return [];
}

/**
 * The members of an object whose names are fixed. Others are faults.
 *
 * @param noun what a name is called, as in "no such action"
 */
export function readFixed<K extends string>(
  input: unknown,
  at: string,
  names: readonly K[],
  faults: Faults,
  noun = "key",
): { readonly [name in K]?: unknown } {
  const found: { [name in K]?: unknown } = {};
  for (const [key, value] of readMembers(input, at, faults)) {
    const name = names.find((known) => known === key);
    if (name !== undefined) found[name] = value;
    else if (faults.full) break;
    else {
      const instead = `; expects one of ${names.join(" ")}`;
      const place = at === "" ? key : `${at}.${key}`;
      faults.add(place, "unknown_key", `no such ${noun}${didYouMean(key, names, instead)}`);
    }
  }
  return found;
}

/** A list of texts, each once; what else stands there is a fault. */
export function readTexts(
  input: unknown,
  at: string,
  faults: Faults,
): readonly (readonly [text: string, at: string])[] {
  if (input === undefined) return [];
  if (!Array.isArray(input)) {
    faults.add(at, "wrong_type", `expects a list of names, got ${describe(input)}`);
    return [];
  }
  const texts = new Map<string, string>();
  for (const [i, text] of input.entries()) {
    if (faults.full) break;
    if (typeof text !== "string") faults.add(`${at}[${i}]`, "wrong_type", `expects a name, got ${describe(text)}`);
    else if (texts.has(text)) faults.add(`${at}[${i}]`, "wrong_type", `names ${cite(text)} a second time`);
    else texts.set(text, `${at}[${i}]`);
  }
  return [...texts];
}
