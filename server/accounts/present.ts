import type { ObjectValue } from "#protocol/values";
import type { AdminRole } from "../access/scopes.ts";
import type { SessionRecord } from "./sessions/sessions.ts";
import type { UserLimits, UserRecord } from "./users.ts";

/**
 * What replies show of people and sessions: members are named here one by one, so that what is added to a record is
 * shown to nobody until this file says so. Times are ISO 8601.
 */
export interface Me {
  readonly id: string;
  readonly email: string | null;
  readonly emailProven: boolean;
  readonly guest: boolean;
  readonly name: string | null;
  readonly locale: string | null;
  readonly data: ObjectValue;
  readonly roles: readonly string[];
  readonly claims: ObjectValue;
  /** Of admins only. */
  readonly role?: AdminRole;
  readonly mfa: { readonly totp: boolean; readonly passkeys: number; readonly recoveryLeft: number };
  readonly identities: readonly never[];
  readonly createdAt: string;
  readonly lastSignInAt: string | null;
}

/** A person as they see themselves. */
export function meOf(user: UserRecord): Me {
  return {
    id: user.id,
    email: user.email ?? null,
    emailProven: user.emailProvenAt !== undefined,
    guest: user.guest,
    name: user.name ?? null,
    locale: user.locale ?? null,
    data: user.data,
    roles: user.roles,
    claims: user.claims,
    ...(user.role && { role: user.role }),
    mfa: { totp: false, passkeys: 0, recoveryLeft: 0 },
    identities: [],
    createdAt: user.createdAt.toISOString(),
    lastSignInAt: user.lastSignInAt?.toISOString() ?? null,
  };
}

/** What an admin sees beyond that. */
export interface UserInfo extends Me {
  readonly disabledAt: string | null;
  readonly disabledReason: string | null;
  readonly notes: string | null;
  readonly limits: UserLimits;
}

export function userInfoOf(user: UserRecord): UserInfo {
  return {
    ...meOf(user),
    disabledAt: user.disabledAt?.toISOString() ?? null,
    disabledReason: user.disabledReason ?? null,
    notes: user.notes ?? null,
    limits: { requestsPerMinute: user.limits?.requestsPerMinute ?? null },
  };
}

/** One device in a person's list. */
export interface SessionInfo {
  readonly id: string;
  readonly current: boolean;
  readonly kind: "normal";
  readonly device: { readonly name: string | null; readonly os: string; readonly app: string };
  readonly network: string;
  readonly createdAt: string;
  readonly lastUsedAt: string;
  readonly endsAt: string;
  /** null: it has not. */
  readonly endedAt: string | null;
  readonly mfa: boolean;
}

export function sessionInfoOf(session: SessionRecord, current: string | undefined): SessionInfo {
  const { id, device, network, createdAt, lastUsedAt, idleEndsAt, endsAt, endedAt } = session;
  return {
    ...{ id, current: id === current, kind: "normal", network, mfa: false },
    device: { name: device.name ?? null, os: device.os, app: device.app },
    createdAt: createdAt.toISOString(),
    lastUsedAt: lastUsedAt.toISOString(),
    endsAt: new Date(Math.min(idleEndsAt.getTime(), endsAt.getTime())).toISOString(),
    endedAt: endedAt?.toISOString() ?? null,
  };
}
