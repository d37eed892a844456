import type { Faults } from "#protocol/errors";
import { MAX_CLAIMS, type ProfileBody, readPlain } from "../inputs.ts";
import type { UserLimits, UserRecord } from "../users.ts";

const MAX_ROLES = 16;
const ROLE = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/;

export interface NewUserBody {
  readonly email: string;
  readonly name?: string;
  readonly roles?: readonly string[];
  readonly claims?: unknown;
  /** The admin vouches for the address. */
  readonly proven?: boolean;
}

/** What admins change of a user. Members that are absent change nothing; null takes a value off. */
export interface UserChange extends ProfileBody {
  readonly roles?: readonly string[];
  readonly claims?: unknown;
  readonly notes?: string | null;
  readonly limits?: UserLimits | null;
}

type Rights = Pick<UserRecord, "roles" | "claims">;

/** Judges what rules know of a user. */
export function readRights({ roles, claims }: Pick<UserChange, "roles" | "claims">, faults: Faults): Partial<Rights> {
  if (roles && roles.length > MAX_ROLES) faults.add("roles", "too_many_values", `expects at most ${MAX_ROLES}`);
  for (const [i, role] of (roles ?? []).slice(0, MAX_ROLES).entries()) {
    if (!ROLE.test(role)) faults.add(`roles.${i}`, "bad_value", "expects letters, digits and _ . : - only, at most 64");
  }
  return {
    ...(roles && { roles: [...new Set(roles)] }),
    ...(claims !== undefined && { claims: readPlain(claims, "claims", MAX_CLAIMS, faults) }),
  };
}

/** What only admins see of a user. A member that is there and undefined takes the value off. */
export function readAdminsOwn(
  { notes, limits }: Pick<UserChange, "notes" | "limits">,
  faults: Faults,
): { readonly notes?: string | undefined; readonly limits?: UserLimits | undefined } {
  if (typeof notes === "string" && !notes.isWellFormed()) faults.add("notes", "bad_value", "expects well-formed text");
  return {
    ...(notes !== undefined && { notes: notes || undefined }),
    ...(limits !== undefined && { limits: limits?.requestsPerMinute ? limits : undefined }),
  };
}
