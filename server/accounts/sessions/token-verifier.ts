import type { Principal } from "../../access/principal.ts";
import { ROLES } from "../../access/scopes.ts";
import type { AccessTokens } from "./access-token.ts";
import type { PrincipalTable, SignedIn } from "./principals.ts";

/** Tells whose access token it is: its claims name a session, and what the caller may do comes from the table of those. */
export interface TokenVerifier {
  /** @throws GalleyError `unauthenticated`: `token_invalid` or `session_ended` */
  verify(token: string, address: string): Principal | Promise<Principal>;
}

export function createTokenVerifier(tokens: AccessTokens, table: PrincipalTable): TokenVerifier {
  return {
    verify(token, address) {
      const claims = tokens.verify(token);
      if (claims instanceof Promise) return claims.then((found) => settled(table.of(found), address));
      return settled(table.of(claims), address);
    },
  };
}

function settled(found: SignedIn | Promise<SignedIn>, address: string): Principal | Promise<Principal> {
  return found instanceof Promise ? found.then((one) => principalOf(one, address)) : principalOf(found, address);
}

function principalOf({ session, user }: SignedIn, address: string): Principal {
  const common = { id: user.id, session: session.id, provedAt: session.provedAt.getTime(), address };
  if (user.pool === "admin") {
    const role = user.role ?? "viewer";
    return { kind: "admin", ...common, role, scopes: ROLES[role] };
  }
  const { guest, roles, claims } = user;
  return { kind: "user", ...common, guest, roles, claims, email: user.emailProvenAt && user.emailKey };
}
