import { GalleyError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { isObjectValue, type ObjectValue, type Value } from "./values.ts";

/**
 * Refuses a result whose text is surely over the limit, without making the text: `$[]` may put one long value in each of
 * 100,000 places, where it is shared, and the text would fill the memory. Counts characters, each at least a byte, and
 * stops at the limit.
 *
 * @throws GalleyError `payload_too_large`
 */
export function refuseOversize(document: ObjectValue): void {
  const pending: Value[] = [document];
  let characters = 0;
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    // With a comma, a colon or a bracket, nothing takes less than two.
    characters += 2;
    if (typeof value === "string") characters += value.length;
    else if (value instanceof Uint8Array) characters += value.length;
    else if (Array.isArray(value)) for (const item of value as readonly Value[]) pending.push(item);
    else if (isObjectValue(value)) {
      for (const key of Object.keys(value)) {
        characters += key.length;
        pending.push(value[key] as Value);
      }
    }
    if (characters > LIMITS.documentBytes + 2) {
      throw new GalleyError("payload_too_large", `the document would be larger than ${LIMITS.documentBytes} bytes`);
    }
  }
}
