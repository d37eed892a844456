/** What macros and lookups may be called; `$lookup.name` and `$use(name)` must read back. */
export const NAME_RULE = "a name is a letter, then up to 62 letters, digits, _ or -";

export function isRuleName(name: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_-]{0,62}$/.test(name);
}
