import type { Found } from "#protocol/compare";
import { MISSING } from "#protocol/compare";
import { sameData } from "#protocol/same-data";

/** Whether two places hold the same stored text, or both nothing. */
export function sameValue(a: Found, b: Found): boolean {
  if (a === MISSING || b === MISSING) return a === b;
  return a === b || sameData({ value: a }, { value: b });
}
