import type { AccountScope, AdminScope, OwnScope } from "../access/authorize.ts";
import type { Principal } from "../access/principal.ts";
import type { Next, SessionAnswer } from "./entry.ts";
import type { Admins } from "./flows/admins.ts";
import type { VerifyBody } from "./flows/email-proof.ts";
import type { InvitedBody } from "./flows/invites.ts";
import type { Refreshed } from "./flows/refresh.ts";
import type { SignInBody } from "./flows/sign-in.ts";
import type { SignUpBody, Step } from "./flows/sign-up.ts";
import type { UserAdmin } from "./flows/user-admin.ts";
import type { ProfileBody } from "./inputs.ts";
import type { RequestLimits } from "./limits/request-limits.ts";
import type { Me, SessionInfo } from "./present.ts";
import type { Visit } from "./sessions/device.ts";
import type { Pool } from "./users.ts";

export type { Admins, RequestLimits, SessionAnswer, UserAdmin, Visit };

/** What `/v1/auth` serves; accounts.md 6. Bodies have the shapes that their routes demand. */
export interface Accounts {
  signUp(scope: AccountScope, body: SignUpBody | InvitedBody, visit: Visit): Promise<Step>;
  signIn(scope: AccountScope, body: SignInBody, visit: Visit): Promise<SessionAnswer>;
  signInAsGuest(
    scope: AccountScope,
    body: { readonly profile?: unknown; readonly deviceName?: string },
    visit: Visit,
  ): Promise<SessionAnswer>;
  refresh(token: string, visit: Visit): Promise<Refreshed>;
  signOut(principal: Principal, refreshToken: string | undefined, visit: Visit): Promise<void>;
  me(scope: OwnScope): Promise<Me>;
  changeMe(scope: OwnScope, body: ProfileBody): Promise<Me>;
  deleteMe(scope: OwnScope, visit: Visit): Promise<void>;
  /** Undefined: an account that was there already has proven its address. */
  verifyEmail(scope: AccountScope, body: VerifyBody, visit: Visit): Promise<SessionAnswer | undefined>;
  resendProof(scope: AccountScope, body: { readonly challenge?: string }, visit: Visit): Promise<Next>;
  changeEmail(scope: OwnScope, body: { readonly email: string }, visit: Visit): Promise<Next>;
  forgotPassword(
    scope: AccountScope,
    body: { readonly email: string; readonly as?: Pool },
    visit: Visit,
  ): Promise<void>;
  resetPassword(
    scope: AccountScope,
    body: { readonly token: string; readonly password: string },
    visit: Visit,
  ): Promise<void>;
  changePassword(
    scope: OwnScope,
    body: { readonly current: string; readonly password: string },
    visit: Visit,
  ): Promise<SessionAnswer>;
  sessions(scope: OwnScope): Promise<{ sessions: SessionInfo[] }>;
  endSession(scope: OwnScope, id: string, visit: Visit): Promise<void>;
  endOtherSessions(scope: OwnScope, visit: Visit): Promise<void>;
}

/** The settings, as owners reach them: bodies and replies by group. */
export interface SettingsRoutes {
  all(scope: AdminScope): Promise<object>;
  /** @throws GalleyError `invalid_argument` with every fault */
  change(scope: AdminScope, body: unknown, visit: Visit): Promise<object>;
}

/** The audit log, newest first, by pages. */
export interface AuditLog {
  list(scope: AdminScope, query: AuditQuery): Promise<unknown>;
}

export interface AuditQuery {
  readonly after?: string;
  readonly limit?: number | string;
  readonly user?: string;
  readonly action?: string;
}

/** Mails and what became of them, newest first, by pages. */
export interface MailLog {
  list(scope: AdminScope, page: { readonly after?: string; readonly limit?: number | string }): Promise<unknown>;
}
