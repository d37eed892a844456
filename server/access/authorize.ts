import type { Node } from "#protocol/ast";
import { TRUE } from "#protocol/ast";
import { isCollectionName } from "#protocol/batch";
import { GalleyError } from "#protocol/errors";
import type { Images } from "./bound-rule.ts";
import type { Overlay } from "./lookups.ts";
import { type Masks, NO_MASKS } from "./masks/masks.ts";
import type { AdminPrincipal, Principal, UserPrincipal } from "./principal.ts";
import { NO_READ_MASKS, type ReadMasks } from "./read-masks.ts";
import { RequestedCollection } from "./requested-collection.ts";
import type { RequestRights, Rights } from "./rights.ts";
import { RuledCollection } from "./ruled-collection.ts";
import type { Action, ScopeSet } from "./scopes.ts";
import { type StandingOptions, StandingRights } from "./standing-rights.ts";

declare const scope: unique symbol;

/**
 * Proof that access was judged: what one principal may do in one collection. Only {@link createAuthorizer} makes one, and
 * every service method takes one first, so a path that skips the check does not compile.
 *
 * A verdict may need lookups that were not read yet. Then `filter`, `allows`, `always` and `masks` throw `Unsettled`; who gets that
 * waits for {@link settle} and asks again.
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
   * Demands that an action is not forbidden whatever is stored. Reads nothing.
   * @throws GalleyError `unauthenticated` or `permission_denied`, with `details.scope` for keys and admins
   */
  demand(action: Action): void;
  /** What documents must pass in a list, closed and normalised. @throws Unsettled */
  readonly filter: Node;
  /**
   * What documents must pass to be watched by their ids: the rule of `get`, or of `list` where that of `get` asks for more
   * than the document itself. Demands it too.
   * @throws GalleyError as `demand`; Unsettled
   */
  filterOfIds(): Node;
  /**
   * Whether an action is allowed on a document. `update` is judged twice: on what is stored, and with `before` on what
   * would be.
   * @throws Unsettled
   */
  allows(action: Action, images: Images): boolean;
  /** Whether an action is allowed on every document. @throws Unsettled */
  always(action: Action): boolean;
  /** The field masks. @throws Unsettled */
  readonly masks: Masks;
  /** The field masks of one who only reads. @throws Unsettled */
  readonly readMasks: ReadMasks;
  /** What the same principal may do in another collection, for `expand`. */
  on(collection: string): Scope;
  /** Lookups see what a batch has done so far; undefined: what is stored. */
  see(overlay: Overlay | undefined): void;
  /** Reads the lookups that were asked for. */
  settle(): Promise<void>;
  /** Whether no right may have changed since the verdicts; to be looked at in the turn of a commit. */
  readonly current: boolean;
  /** As `RequestRights.confirm`: whether the verdicts so far still hold. */
  confirm(): Promise<boolean>;
}

/** Judges principals; handed to whoever answers requests. */
export interface Authorizer {
  /**
   * One principal in one collection. Rules off for service keys and admins: their scopes alone limit them. Everyone else:
   * nothing but what a rule opens.
   */
  scope(principal: Principal, collection: string): Scope;
  /** The same for one who goes on to be shown something. */
  standing(principal: Principal, sources: Pick<StandingOptions, "lookups" | "now">): Standing;
}

/** What a principal may do from now on: its scopes judge by what is right when they are asked. */
export interface Standing extends Pick<StandingRights, "principal" | "become"> {
  scope(collection: string): Scope;
}

export function createAuthorizer(rights: Rights): Authorizer {
  return {
    scope: (principal, collection) => makeScope(rights.of(principal), collection),
    standing(principal, sources) {
      const standing = new StandingRights(principal, { ...sources, rules: rights.rules });
      return {
        get principal() {
          return standing.principal;
        },
        become: (next) => standing.become(next),
        scope: (collection) => makeScope(standing, collection),
      };
    },
  };
}

function makeScope(request: RequestRights, collection: string): Scope {
  const { kind } = request.principal;
  const on = (other: string) => makeScope(request, other);
  const judged: Judged =
    kind === "key" || kind === "admin"
      ? new ScopedCollection(request, collection, on)
      : new RuledCollection(request, collection, on);
  return judged as Scope;
}

type Judged = Omit<Scope, typeof scope>;

/** One collection for a service key or an admin. */
class ScopedCollection extends RequestedCollection implements Judged {
  readonly exempt = true;
  readonly filter = TRUE;
  readonly masks = NO_MASKS;
  readonly readMasks = NO_READ_MASKS;
  get mayDeclare(): boolean {
    return this.always("create");
  }

  demand(action: Action): void {
    // Whoever asked: no scope, not even `*`, opens the server's own collections.
    if (!isCollectionName(this.collection)) throw noSuchCollection();
    if (!this.always(action)) throw missingScope(`documents:${this.collection}:${action}`);
  }

  filterOfIds(): Node {
    this.demand("get");
    return TRUE;
  }

  allows(action: Action): boolean {
    return this.always(action);
  }

  always(action: Action): boolean {
    const allowed = scopesOf(this.principal)?.allows("documents", this.collection, action) === true;
    return allowed && isCollectionName(this.collection);
  }

  see(): void {}

  async settle(): Promise<void> {}
}

/** What limits a principal in place of rules. */
function scopesOf(principal: Principal): ScopeSet | undefined {
  return principal.kind === "key" || principal.kind === "admin" ? principal.scopes : undefined;
}

declare const adminScope: unique symbol;

/** Proof that an admin area may be read or written; the admin services take it as document services take a Scope. */
export interface AdminScope {
  readonly [adminScope]: true;
  readonly principal: Principal;
}

export type AdminArea = "collections" | "users" | "keys" | "settings" | "stats" | "logs" | "audit" | "rules";

/** @throws GalleyError `unauthenticated` for anonymous callers, `permission_denied` with `details.scope` for others */
export function authorizeAdmin(principal: Principal, area: AdminArea, action: "read" | "write"): AdminScope {
  if (principal.kind === "anonymous") {
    throw new GalleyError("unauthenticated", "this needs an admin or a service key: send `Authorization: Bearer …`");
  }
  if (scopesOf(principal)?.allows("admin", area, action) !== true) throw missingScope(`admin:${area}:${action}`);
  return { principal } as AdminScope;
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

function noSuchCollection(): GalleyError {
  const rule = "a name is a letter a-z, then up to 62 of a-z 0-9 _ -";
  return new GalleyError("not_found", `there is no such collection: ${rule}`);
}

function missingScope(wanted: string): GalleyError {
  return new GalleyError("permission_denied", `the key lacks the scope ${wanted}`, {
    scope: wanted,
  });
}
