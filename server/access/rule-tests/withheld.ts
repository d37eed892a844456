import { isObjectValue, type Value } from "#protocol/values";

/** The paths of what a stored value holds and a shown one does not, each once, sorted. Elements are not told apart. */
export function withheldPaths(stored: Value, shown: Value): readonly string[] {
  const found = new Set<string>();
  compare(stored, shown, [], found);
  return [...found].sort();
}

function compare(stored: Value, shown: Value | undefined, path: readonly string[], found: Set<string>): void {
  if (shown === undefined || (shown === null && stored !== null)) {
    found.add(path.join("."));
  } else if (Array.isArray(stored)) {
    const items = Array.isArray(shown) ? shown : [];
    for (const [i, item] of stored.entries()) compare(item, items[i], path, found);
  } else if (isObjectValue(stored) && isObjectValue(shown)) {
    for (const [key, value] of Object.entries(stored)) {
      compare(value, Object.hasOwn(shown, key) ? shown[key] : undefined, [...path, key], found);
    }
  }
}
