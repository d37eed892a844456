import type { Node } from "#protocol/ast";
import { TRUE } from "#protocol/ast";
import { isCollectionName } from "#protocol/batch";
import { GalleyError } from "#protocol/errors";
import type { AdminPrincipal, Principal, UserPrincipal } from "./principal.ts";
import type { Action, ScopeSet } from "./scopes.ts";

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

/**
 * Judges one principal in one collection. Rules off for service keys and admins: their scopes alone limit them. Everyone
 * else: nothing, as long as no rule opens it.
 */
export function authorize(principal: Principal, collection: string): Scope {
  const scopes = scopesOf(principal);
  const judged: Omit<Scope, typeof scope> = {
    principal,
    collection,
    exempt: scopes !== undefined,
    mayDeclare: scopes?.allows("documents", collection, "create") === true,
    require: (action) => requireDocuments(principal, scopes, collection, action),
    on: (other) => authorize(principal, other),
  };
  return judged as Scope;
}

/** What limits a principal in place of rules. */
function scopesOf(principal: Principal): ScopeSet | undefined {
  return principal.kind === "key" || principal.kind === "admin" ? principal.scopes : undefined;
}

function requireDocuments({ kind }: Principal, scopes: ScopeSet | undefined, collection: string, action: Action): Node {
  if (kind === "anonymous") throw unauthenticated();
  if (!scopes) throw new GalleyError("permission_denied", "the access rules do not allow this");
  // Whoever asked: no scope, not even `*`, opens the server's own collections.
  if (!isCollectionName(collection)) throw noSuchCollection();
  if (scopes.allows("documents", collection, action)) return TRUE;
  throw missingScope(`documents:${collection}:${action}`);
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
  if (scopesOf(principal)?.allows("admin", area, action) !== true) throw missingScope(`admin:${area}:${action}`);
  const judged: Omit<AdminScope, typeof adminScope> = {
    principal,
    on: (collection) => authorize(principal, collection),
  };
  return judged as AdminScope;
}

declare const accountScope: unique symbol;

/** Proof that someone may use an account route; what the account services take. */
export interface AccountScope {
  readonly [accountScope]: true;
  readonly principal: Principal;
}

/** Proof that someone is signed in, and speaks of an account of their own. */
export interface OwnScope extends AccountScope {
  readonly principal: UserPrincipal | AdminPrincipal;
}

/** Routes by which people come in: open to those who are nobody yet, or who prove again who they are. */
export function authorizeEntry(principal: Principal): AccountScope {
  if (principal.kind === "key") {
    throw new GalleyError("permission_denied", "a service key is nobody's account: send this without it");
  }
  return { principal } as AccountScope;
}

/** Routes about one's own account. @throws GalleyError `unauthenticated`; `permission_denied` for keys */
export function authorizeOwn(principal: Principal): OwnScope {
  if (principal.kind === "user" || principal.kind === "admin") return { principal } as OwnScope;
  if (principal.kind === "key") throw new GalleyError("permission_denied", "a service key has no account");
  throw new GalleyError("unauthenticated", "this needs someone who is signed in: send their access token");
}

function unauthenticated(): GalleyError {
  return new GalleyError(
    "unauthenticated",
    "this needs someone who is signed in, or a service key: send `Authorization: Bearer …`",
  );
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
