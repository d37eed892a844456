import { describe } from "./describe.ts";
import type { Faults } from "./errors.ts";
import { parseElementMatch } from "./filter.ts";
import { LIMITS } from "./limits.ts";
import type { ElementMatch, Elements } from "./update-ast.ts";
import { isObjectValue } from "./values.ts";

/** What stands between the brackets of `$[x]`, and names an entry of `$arrayFilters`. */
const NAME = /^[A-Za-z][A-Za-z0-9_]{0,31}$/;

/** Reads which elements are meant, as the operand of `$elemMatch`; undefined, with a fault, if it is none. */
export function parseElements(operand: unknown, at: string, faults: Faults): ElementMatch | undefined {
  return parseElementMatch(operand, at, faults);
}

/** Reads `$arrayFilters`: what each `$[x]` of an update's paths stands for. */
export function parseArrayFilters(operand: unknown, at: string, faults: Faults): Map<string, Elements> {
  const filters = new Map<string, Elements>();
  if (!isObjectValue(operand)) {
    faults.add(at, "bad_operand", `expects an object such as {"x": {"score": {"$lt": 5}}}, got ${describe(operand)}`);
    return filters;
  }
  if (Object.keys(operand).length > LIMITS.updatePaths) {
    faults.add(at, "too_many_values", `expects at most ${LIMITS.updatePaths} filters`);
    return filters;
  }
  for (const [name, condition] of Object.entries(operand)) {
    if (!NAME.test(name)) {
      const message = `expects names of 1 to 32 letters, digits and "_", a letter first, got ${JSON.stringify(name.slice(0, 40))}`;
      faults.add(at, "bad_operand", message);
      continue;
    }
    const of = parseElements(condition, `${at}.${name}`, faults);
    if (of) filters.set(name, Object.freeze({ kind: "accepted", name, of }));
  }
  return filters;
}
