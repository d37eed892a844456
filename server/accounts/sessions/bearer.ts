import type { ObjectValue } from "#protocol/values";
import type { AdminRole } from "../../access/scopes.ts";
import type { Pool } from "../users.ts";
import type { AccessClaims } from "./access-token.ts";
import type { Dependent } from "./held-records.ts";
import type { Sifted } from "./sieve.ts";
import type { HeldSession, HeldUser, SignedIn } from "./signed-in.ts";

/**
 * Whom a token names, and who that is as long as nothing of it changes. All in one object: there are ten thousands of them,
 * and most of the time that a request takes here goes by until memory has brought what is looked at.
 */
export class Bearer implements SignedIn, Dependent, Sifted {
  asked = false;
  /** Whether what follows is as it is stored now; who tells of changes makes it false. */
  settled = false;
  /** Until when the token counts, in epoch milliseconds, by its own word. */
  readonly expiresAt: number;
  /** Until when the session does. */
  until = 0;
  /** The whole token. */
  readonly token: string;
  readonly pool: Pool;
  readonly user: string;
  readonly session: string;
  provedAt = 0;
  guest = false;
  email: string | undefined = undefined;
  roles: readonly string[] = [];
  claims: ObjectValue = {};
  role: AdminRole = "viewer";
  requestsPerMinute: number | undefined = undefined;

  constructor({ pool, user, session, expiresAt }: Omit<AccessClaims, "issuedAt">, token = "") {
    this.expiresAt = expiresAt;
    this.token = token;
    this.pool = pool;
    this.user = user;
    this.session = session;
  }

  /** Takes over who it is now. */
  settle({ until, provedAt }: HeldSession, user: HeldUser): void {
    this.until = until;
    this.provedAt = provedAt;
    this.guest = user.guest;
    this.email = user.email;
    this.roles = user.roles;
    this.claims = user.claims;
    this.role = user.role;
    this.requestsPerMinute = user.requestsPerMinute;
    this.settled = true;
  }
}
