import { MISSING } from "#protocol/compare";
import { own, type Path } from "#protocol/paths";
import { isObjectValue, type ObjectValue, type Value } from "#protocol/values";
import type { Principal } from "./principal.ts";

/** Whom rules judge. Keys and admins are limited by their scopes instead. */
export type RuledPrincipal = Extract<Principal, { kind: "anonymous" | "user" }>;

/**
 * What the variables of access-rules.md 3 say of a caller, as an object like a document, so that the language's own
 * evaluator tests it: `{"$auth": {…}, "$request": {…}}`. What is null there is absent here.
 */
export function factsOf(principal: RuledPrincipal): ObjectValue {
  const { address, origin } = principal;
  const request = { ip: address, ...(origin === undefined ? {} : { origin }) };
  if (principal.kind === "anonymous") return { $auth: { kind: "anonymous" }, $request: request };
  const { id, guest, email, roles, claims } = principal;
  const kind = guest ? "guest" : "user";
  // No session passes a second factor yet.
  const auth = { id, kind, roles: [...roles], claims, mfa: false };
  return { $auth: email === undefined ? auth : { ...auth, email }, $request: request };
}

/** What stands at a path, through objects only; null if nothing does, or null. */
export function valueAt(root: ObjectValue, path: Path): Value {
  let value: Value = root;
  for (const segment of path) {
    if (!isObjectValue(value)) return null;
    const next = own(value, segment);
    if (next === MISSING) return null;
    value = next;
  }
  return value;
}
