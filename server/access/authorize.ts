import type { Node } from "#protocol/ast";
import { TRUE } from "#protocol/ast";
import { isCollectionName } from "#protocol/batch";
import { GalleyError } from "#protocol/errors";
import type { Principal } from "./principal.ts";
import type { Action } from "./scopes.ts";

declare const scope: unique symbol;

/**
 * Proof that access was judged: what one principal may do in one collection. Only {@link authorize} makes one, and every
 * service method takes one first, so a path that skips the check does not compile.
 */
export interface Scope {
  readonly [scope]: true;
  readonly principal: Principal;
  readonly collection: string;
  /** Service keys and admins: no bound on the candidates of a query (query-language.md 8). */
  readonly exempt: boolean;
  /** Whether a write here may declare the collection (http-api.md "Collections"). */
  readonly mayDeclare: boolean;
  /**
   * The filter that a document must pass for this action, closed and normalised.
   * @throws GalleyError `unauthenticated` or `permission_denied`, with `details.scope` for keys and admins
   */
  require(action: Action): Node;
  /** What the same principal may do in another collection, for `expand`. */
  on(collection: string): Scope;
}

/** Judges one principal in one collection. Rules off for service keys: their scopes alone limit them. Default: deny. */
export function authorize(principal: Principal, collection: string): Scope {
  const judged: Omit<Scope, typeof scope> = {
    principal,
    collection,
    exempt: principal.kind === "key",
    mayDeclare: principal.kind === "key" && principal.scopes.allows("documents", collection, "create"),
    require: (action) => requireDocuments(principal, collection, action),
    on: (other) => authorize(principal, other),
  };
  return judged as Scope;
}

function requireDocuments(principal: Principal, collection: string, action: Action): Node {
  switch (principal.kind) {
    case "anonymous":
      throw unauthenticated();
    case "key":
      // Whoever asked: no scope, not even `*`, opens the server's own collections.
      if (!isCollectionName(collection)) throw noSuchCollection();
      if (principal.scopes.allows("documents", collection, action)) return TRUE;
      throw missingScope(`documents:${collection}:${action}`);
  }
}

declare const adminScope: unique symbol;

/** Proof that an admin area may be read or written; the admin services take it as document services take a Scope. */
export interface AdminScope {
  readonly [adminScope]: true;
  readonly principal: Principal;
  /** What the principal may do with the documents of a collection; import and export ask it. */
  on(collection: string): Scope;
}

export type AdminArea = "collections" | "users" | "keys" | "settings" | "stats" | "logs" | "audit" | "rules";

/** @throws GalleyError `unauthenticated` for anonymous callers, `permission_denied` with `details.scope` for others */
export function authorizeAdmin(principal: Principal, area: AdminArea, action: "read" | "write"): AdminScope {
  if (principal.kind === "anonymous") throw unauthenticated();
  if (!principal.scopes.allows("admin", area, action)) throw missingScope(`admin:${area}:${action}`);
  const judged: Omit<AdminScope, typeof adminScope> = {
    principal,
    on: (collection) => authorize(principal, collection),
  };
  return judged as AdminScope;
}

function unauthenticated(): GalleyError {
  return new GalleyError("unauthenticated", "this needs a service key: send `Authorization: Bearer gsk_…`");
}

function noSuchCollection(): GalleyError {
  const rule = "a name is a letter a-z, then up to 62 of a-z 0-9 _ -";
  return new GalleyError("not_found", `there is no such collection: ${rule}`);
}

function missingScope(wanted: string): GalleyError {
  return new GalleyError("permission_denied", `the key lacks the scope ${wanted}`, {
    scope: wanted,
  });
}
