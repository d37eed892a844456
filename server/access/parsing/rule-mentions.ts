/** What rules name: macros after `$use`, lookups after `$has` and in `$lookup.…`. */
export type Named = "macros" | "lookups";

/** Names that stand anywhere in a part of rules, as JSON. The part has been read, so it is not deep. */
export function namesIn(input: unknown, kind: Named, key = ""): Set<string> {
  if (typeof input === "string") {
    const name = nameIn(input, kind, key);
    return new Set(name === undefined ? [] : [name]);
  }
  if (typeof input !== "object" || input === null) return new Set();
  const inside = Array.isArray(input)
    ? input.map((item) => namesIn(item, kind, key))
    : Object.entries(input).map(([name, value]) => namesIn(value, kind, name));
  return new Set(inside.flatMap((names) => [...names]));
}

function nameIn(text: string, kind: Named, key: string): string | undefined {
  if (kind === "macros") return key === "$use" ? text : undefined;
  if (key === "$has") return text;
  return text.startsWith("$lookup.") ? text.slice("$lookup.".length) : undefined;
}
