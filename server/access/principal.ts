import type { ObjectValue } from "#protocol/values";
import type { AdminRole, ScopeSet } from "./scopes.ts";

/** Who calls, as identify.ts found out; access-rules.md 1. */
export type Principal =
  | { readonly kind: "anonymous"; readonly address: string; readonly origin?: string }
  | KeyPrincipal
  | UserPrincipal
  | AdminPrincipal;

/** A server, by a service key. */
interface KeyPrincipal {
  readonly kind: "key";
  readonly id: string;
  readonly scopes: ScopeSet;
  /** The admin with whom the key is suspended. */
  readonly maker?: string;
  readonly address: string;
}

/** A signed-in person, by one session. */
interface SignedInPrincipal {
  readonly id: string;
  readonly session: string;
  /** Epoch milliseconds of the last proof of who it is, in this session. */
  readonly provedAt: number;
  readonly address: string;
  /** The web page that asks, if a browser says so. */
  readonly origin?: string;
}

export interface UserPrincipal extends SignedInPrincipal {
  readonly kind: "user";
  /** Without a way to sign in yet. */
  readonly guest: boolean;
  /** Canonical, and only if it is proven. */
  readonly email: string | undefined;
  readonly roles: readonly string[];
  readonly claims: ObjectValue;
  /** Requests for data that an admin allows this user; undefined: as many as any other. */
  readonly requestsPerMinute?: number | undefined;
}

export interface AdminPrincipal extends SignedInPrincipal {
  readonly kind: "admin";
  readonly role: AdminRole;
  /** Those of the role. */
  readonly scopes: ScopeSet;
}

/** The cause of a refusal that tells nobody so: what was brought is good, yet not where it came from. */
export class NotFromHere extends Error {}

/** Who a principal is, for logs and for what records who did something. */
export function nameOf(principal: Principal): string {
  return principal.kind === "anonymous" ? principal.kind : principal.id;
}
