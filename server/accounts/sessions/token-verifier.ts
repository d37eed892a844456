import type { Principal } from "../../access/principal.ts";
import type { AdminNetworks } from "../limits/admin-networks.ts";
import { Bearer } from "./bearer.ts";
import type { KnownTokens } from "./known-tokens.ts";
import type { PrincipalTable } from "./principals.ts";
import { principalOf, type SignedIn } from "./signed-in.ts";

/** Tells whose access token it is: its claims name a session, and what the caller may do comes from the table of those. */
export interface TokenVerifier {
  /**
   * At once, if the token is known, and its session and person are held.
   *
   * @throws GalleyError `unauthenticated`: `token_invalid` or `session_ended`; `permission_denied` of an admin from a network
   *   that is not admitted
   */
  verify(token: string, address: string, origin?: string): Principal | Promise<Principal>;
  /** Who a principal of a session is now. @throws GalleyError `unauthenticated`: `session_ended` */
  renew(principal: Principal): Principal | Promise<Principal>;
}

export interface TokenVerifierOptions {
  readonly tokens: KnownTokens;
  readonly table: PrincipalTable;
  readonly networks: Pick<AdminNetworks, "demand">;
  /** Epoch milliseconds. */
  readonly clock: () => number;
}

export function createTokenVerifier({ tokens, table, networks, clock }: TokenVerifierOptions): TokenVerifier {
  return {
    verify(token, address, origin) {
      const now = clock();
      const bearer = tokens.verify(token, now);
      if (bearer instanceof Promise) return bearer.then((one) => settled(table.of(one, clock()), address, origin));
      return settled(table.of(bearer, now), address, origin);
    },
    renew(principal) {
      if (principal.kind !== "user" && principal.kind !== "admin") return principal;
      const { kind: pool, id: user, session, address, origin } = principal;
      const bearer = new Bearer({ pool, user, session, expiresAt: Number.POSITIVE_INFINITY });
      return settled(table.of(bearer, clock()), address, origin);
    },
  };

  function settled(found: SignedIn | Promise<SignedIn>, address: string, origin: string | undefined) {
    return found instanceof Promise
      ? found.then((one) => admitted(one, address, origin))
      : admitted(found, address, origin);
  }

  function admitted(found: SignedIn, address: string, origin: string | undefined): Principal {
    if (found.pool === "admin") networks.demand(address);
    return principalOf(found, address, origin);
  }
}
