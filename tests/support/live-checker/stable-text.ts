const texts = new WeakMap<object, string>();

/** JSON with its keys in order, so that equal values have equal texts; remembered for each object. */
export function stableText(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const known = texts.get(value);
  if (known !== undefined) return known;
  const text = Array.isArray(value)
    ? `[${value.map(stableText).join(",")}]`
    : `{${Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, member]) => `${JSON.stringify(key)}:${stableText(member)}`)
        .join(",")}}`;
  texts.set(value, text);
  return text;
}
