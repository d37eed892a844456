import { GalleyError } from "#protocol/errors";
import type { Authorizer, Scope } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import type { Action } from "../../access/scopes.ts";

const COLLECTION = /^[a-z][a-z0-9_-]{0,62}$/;

/**
 * What a caller may do in the collection that a path or a batch item names. The server's own collections start with `_`,
 * so their names break the pattern and answer like any other such name.
 *
 * @throws GalleyError `invalid_argument` if it is no name
 */
export function scopeOf(access: Authorizer, principal: Principal, collection: string): Scope {
  checkCollectionName(collection);
  return access.scope(principal, collection);
}

/** The same, with the action judged before anything else of the request is looked at. */
export function scopeFor(access: Authorizer, principal: Principal, collection: string, action: Action): Scope {
  const scope = scopeOf(access, principal, collection);
  scope.demand(action);
  return scope;
}

/** For a write that replaces or creates, as the stored state will have it: one of both must be allowed. */
export function scopeToPut(access: Authorizer, principal: Principal, collection: string): Scope {
  const scope = scopeOf(access, principal, collection);
  try {
    scope.demand("create");
  } catch {
    scope.demand("update");
  }
  return scope;
}

export function checkCollectionName(name: string): void {
  if (COLLECTION.test(name)) return;
  const message = "collection: expects a name like posts: a-z, then up to 62 of a-z 0-9 _ -";
  throw new GalleyError("invalid_argument", message, {
    faults: [{ path: "collection", code: "bad_value", message }],
  });
}
