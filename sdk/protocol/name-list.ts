import type { Faults } from "./errors.ts";

/** One entry of a list, and where it stands, for faults. */
export interface ListedName {
  readonly text: string;
  readonly at: string;
}

/**
 * Reads a list of names or paths (sort, select, expand): an array of texts, as in a body, or one text with commas, as
 * in a URL. Absent is an empty list. Only the first `max` entries come back, so that a hostile list costs nothing.
 */
export function parseNameList(input: unknown, at: string, max: number, faults: Faults): ListedName[] {
  if (input === undefined) return [];
  const whole = typeof input === "string";
  const items: readonly unknown[] | undefined = whole
    ? input.split(",", max + 1)
    : Array.isArray(input)
      ? input
      : undefined;
  if (!items) {
    faults.add(at, "bad_operand", "expects a list of names");
    return [];
  }
  if (items.length > max) faults.add(at, "too_many_values", `expects at most ${max} names`);
  const names: ListedName[] = [];
  for (let i = 0; i < Math.min(items.length, max); i++) {
    const text = items[i];
    const place = whole ? at : `${at}.${i}`;
    if (typeof text === "string") names.push({ text, at: place });
    else faults.add(place, "bad_operand", "expects a name as text");
  }
  return names;
}
