import type { Principal } from "../../access/principal.ts";
import type { AdminNetworks } from "../limits/admin-networks.ts";
import type { AccessTokens } from "./access-token.ts";
import { type PrincipalTable, principalOf, type SignedIn } from "./principals.ts";

/** Tells whose access token it is: its claims name a session, and what the caller may do comes from the table of those. */
export interface TokenVerifier {
  /**
   * @throws GalleyError `unauthenticated`: `token_invalid` or `session_ended`; `permission_denied` of an admin from a network
   *   that is not admitted
   */
  verify(token: string, address: string, origin?: string): Principal | Promise<Principal>;
  /** Who a principal of a session is now. @throws GalleyError `unauthenticated`: `session_ended` */
  renew(principal: Principal): Principal | Promise<Principal>;
}

export function createTokenVerifier(
  tokens: AccessTokens,
  table: PrincipalTable,
  networks: Pick<AdminNetworks, "demand">,
): TokenVerifier {
  return {
    verify(token, address, origin) {
      const claims = tokens.verify(token);
      if (claims instanceof Promise) return claims.then((found) => settled(table.of(found), address, origin));
      return settled(table.of(claims), address, origin);
    },
    renew(principal) {
      if (principal.kind !== "user" && principal.kind !== "admin") return principal;
      const { kind: pool, id: user, session, address, origin } = principal;
      return settled(
        table.of({ pool, user, session, issuedAt: 0, expiresAt: Number.POSITIVE_INFINITY }),
        address,
        origin,
      );
    },
  };

  function settled(found: SignedIn | Promise<SignedIn>, address: string, origin: string | undefined) {
    return found instanceof Promise
      ? found.then((one) => admitted(one, address, origin))
      : admitted(found, address, origin);
  }

  function admitted(found: SignedIn, address: string, origin: string | undefined): Principal {
    if (found.user.pool === "admin") networks.demand(address);
    return principalOf(found, address, origin);
  }
}
