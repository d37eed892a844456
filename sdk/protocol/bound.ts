import type { Faults } from "./errors.ts";
import { LIMITS } from "./limits.ts";

/** Reads `limit`, how many documents a page may hold. Takes a number only: the HTTP layer reads a URL's digits. */
export function parseLimit(input: unknown, at: string, faults: Faults): number {
  return parseBound(input, at, { fallback: LIMITS.pageDefault, max: LIMITS.pageMax }, faults);
}

/** Reads `cap`, how far a count may go. */
export function parseCap(input: unknown, at: string, faults: Faults): number {
  return parseBound(input, at, { fallback: LIMITS.countDefault, max: LIMITS.countMax }, faults);
}

/** Reads an integer from 1 to `max`; absent is the fallback. Nothing is coerced and nothing is cut down to fit. */
export function parseBound(
  input: unknown,
  at: string,
  bound: { readonly fallback: number; readonly max: number },
  faults: Faults,
): number {
  if (input === undefined) return bound.fallback;
  if (typeof input === "number" && Number.isInteger(input) && input >= 1 && input <= bound.max) return input;
  faults.add(at, "bad_operand", `expects an integer from 1 to ${bound.max}`);
  return bound.fallback;
}
