import type { ObjectValue } from "#protocol/values";
import type { Principal } from "../../access/principal.ts";
import { type AdminRole, ROLES } from "../../access/scopes.ts";
import type { Pool, UserRecord } from "../users.ts";
import { liveUntil, type SessionRecord } from "./session-records.ts";

/** What is held of a session. */
export interface HeldSession {
  readonly version: number;
  readonly pool: Pool;
  readonly user: string;
  /** Until when it counts, in epoch milliseconds. */
  readonly until: number;
  /** When its person proved last who they are, in epoch milliseconds. */
  readonly provedAt: number;
}

/** What is held of a person: by this everybody is judged. */
export interface HeldUser {
  readonly version: number;
  readonly disabled: boolean;
  readonly guest: boolean;
  /** Only if it is proven. */
  readonly email: string | undefined;
  readonly roles: readonly string[];
  readonly claims: ObjectValue;
  /** Of admins only. */
  readonly role: AdminRole;
  readonly requestsPerMinute: number | undefined;
}

/** Someone who is signed in, as every request needs to know them. */
export interface SignedIn extends Omit<HeldUser, "version" | "disabled"> {
  readonly pool: Pool;
  /** The person's id. */
  readonly user: string;
  /** The session's id. */
  readonly session: string;
  readonly provedAt: number;
}

export function heldSession(session: SessionRecord): HeldSession {
  const { version, pool, user, provedAt } = session;
  return { version, pool, user, until: liveUntil(session), provedAt: provedAt.getTime() };
}

export function heldUser(record: UserRecord): HeldUser {
  const { version, guest, roles, claims, role = "viewer", emailProvenAt, emailKey, limits, disabledAt } = record;
  return {
    ...{ version, guest, roles, claims, role },
    disabled: disabledAt !== undefined,
    email: emailProvenAt && emailKey,
    requestsPerMinute: limits?.requestsPerMinute ?? undefined,
  };
}

/** Who somebody is by a session of theirs. */
export function signedIn(user: UserRecord, session: SessionRecord): SignedIn {
  const { version: _, disabled: __, ...who } = heldUser(user);
  return { ...who, pool: user.pool, user: user.id, session: session.id, provedAt: session.provedAt.getTime() };
}

/** Who somebody is to whoever judges what they may do. Few requests tell an origin, and to spread one costs them all. */
export function principalOf(who: SignedIn, address: string, origin: string | undefined): Principal {
  const { pool, user: id, session, provedAt, role } = who;
  if (pool === "admin") {
    const admin = { kind: pool, id, session, provedAt, address, role, scopes: ROLES[role] };
    return origin === undefined ? admin : { ...admin, origin };
  }
  const { guest, email, roles, claims, requestsPerMinute } = who;
  const user = { kind: pool, id, session, provedAt, address, guest, email, roles, claims, requestsPerMinute };
  return origin === undefined ? user : { ...user, origin };
}
