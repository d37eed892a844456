import { GalleyError } from "#protocol/errors";

/** Names that every engine can store under; server collections start with `_`. No two differ in upper and lower case. */
const NAME = /^_?[a-z][a-z0-9_-]{0,62}$/;

/** @throws GalleyError `invalid_argument` for a name that a store refuses, whoever let it through */
export function checkCollectionName(name: string): void {
  if (!NAME.test(name)) {
    throw new GalleyError(
      "invalid_argument",
      `a collection's name expects a-z, 0-9, "_" and "-", at most 63 of them, got ${JSON.stringify(name.slice(0, 80))}`,
    );
  }
}
