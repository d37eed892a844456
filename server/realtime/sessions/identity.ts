import type { Principal } from "../../access/principal.ts";
import type { Asker } from "../contract.ts";

/** Who a socket is, by what it brought. */
export interface Identified {
  readonly principal: Principal;
  /** Epoch milliseconds: when its token ends, as clients are told. */
  readonly expiresAt?: number;
  /** Nothing is delivered on it from then on. */
  readonly endsAt?: number;
}

/** Tells who somebody is, as for requests. Handed in, for accounts are another service. */
export interface Identities {
  /**
   * @param token undefined: nobody
   * @throws GalleyError as a request would be answered; `permission_denied` of one that is good, yet not for this caller
   */
  identify(token: string | undefined, address: string, origin: string | undefined): Identified | Promise<Identified>;
  /**
   * Who a principal is now; at once where that is held. `endsAt`: only where it may have changed.
   * @throws GalleyError `unauthenticated`, `permission_denied`
   */
  renew(principal: Principal): Identified | Promise<Identified>;
}

/** Whether two principals are the same one, whatever they may do. */
export function isSame(one: Principal, other: Principal): boolean {
  return nameOf(one) === nameOf(other);
}

/** Of whom sockets are counted: undefined of those who are nobody's, or a server's. */
export function personOf(principal: Principal): string | undefined {
  return principal.kind === "user" || principal.kind === "admin" ? nameOf(principal) : undefined;
}

/** On whose account a principal's questions are read. @param network theirs, by which those who are nobody are counted */
export function askerOf(principal: Principal, network: string): Asker {
  const { kind } = principal;
  if (kind === "anonymous") return { name: `network/${network}`, isTrusted: false };
  return { name: nameOf(principal), isTrusted: kind !== "user" };
}

/** As `welcome` tells it. */
export function toldUser(principal: Principal): string | null {
  return principal.kind === "user" || principal.kind === "admin" ? principal.id : null;
}

/** The documents whose change may change what a principal may do, as `<collection>/<id>`. */
export function recordsOf(principal: Principal): readonly string[] {
  switch (principal.kind) {
    case "anonymous":
      return [];
    case "key":
      // A key is suspended with its maker.
      return [`_keys/${principal.id}`, ...(principal.maker === undefined ? [] : [`_admins/${principal.maker}`])];
    case "user":
      return [`_sessions/${principal.session}`, `_users/${principal.id}`];
    case "admin":
      // Settings say from where admins may come.
      return [`_sessions/${principal.session}`, `_admins/${principal.id}`, ADMIN_SETTINGS];
  }
}

/** Any change of the settings. */
export const ADMIN_SETTINGS = "_settings";

function nameOf(principal: Principal): string {
  return principal.kind === "anonymous" ? principal.kind : `${principal.kind}/${principal.id}`;
}
