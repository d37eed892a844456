import { LIMITS } from "#protocol/limits";

/**
 * A copy of parsed JSON, for what decodes in place. Deeper than anything that is accepted nothing is copied, so any depth
 * is safe.
 */
export function copyOf(input: unknown, level = 0): unknown {
  if (typeof input !== "object" || input === null || level > LIMITS.documentDepth + 10) return input;
  if (Array.isArray(input)) return input.map((item) => copyOf(item, level + 1));
  return Object.fromEntries(Object.entries(input).map(([key, value]) => [key, copyOf(value, level + 1)]));
}
