import type { Value } from "./values.ts";
import { isObjectValue } from "./values.ts";

/**
 * The value with each int64 that a double holds exactly as that double, at any depth; query-language.md 5.5. Equal
 * values then have equal canonical texts. A value without such numbers is returned itself.
 */
export function normalNumbers(value: Value): Value {
  if (typeof value === "bigint") {
    const double = Number(value);
    return BigInt(double) === value ? double : value;
  }
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const elements = value as readonly Value[];
    const normal = elements.map(normalNumbers);
    return normal.some((element, i) => element !== elements[i]) ? normal : value;
  }
  if (!isObjectValue(value)) return value;
  let normal: Record<string, Value> | undefined;
  for (const key of Object.keys(value)) {
    const member = value[key] as Value;
    const changed = normalNumbers(member);
    if (changed === member) continue;
    normal ??= { ...value };
    normal[key] = changed;
  }
  return normal ?? value;
}
