/** For each value that was found equal: to what. */
const found = new WeakMap<object, object>();

/** Whether two values are written by the same JSON, but for the order of members; remembered for what was told. */
export function sameJson(told: object, right: object): boolean {
  if (found.get(told) === right) return true;
  if (!same(told, right)) return false;
  found.set(told, right);
  return true;
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((member, i) => same(member, b[i]));
  }
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => Object.hasOwn(b, name) && same(memberOf(a, name), memberOf(b, name)));
}

function memberOf(object: object, name: string): unknown {
  return (object as Readonly<Record<string, unknown>>)[name];
}
