import { GalleyError } from "#protocol/errors";
import type { Log } from "../log.ts";
import type { DocumentStore } from "../stores/document-store.ts";
import { startSweep } from "../stores/expired.ts";
import { AUDIT, createAudit } from "./audit/audit.ts";
import type { Accounts, Admins, RequestLimits, UserAdmin, Visit } from "./contract.ts";
import { createAdmins } from "./flows/admins.ts";
import { changeEmail, verifyEmail } from "./flows/email-proof.ts";
import { resendProof } from "./flows/email-resend.ts";
import { signInAsGuest } from "./flows/guests.ts";
import { signUpInvited } from "./flows/invites.ts";
import {
  changeMe,
  deleteMe,
  endOtherSessions,
  endSession,
  listSessions,
  readMe,
  signOut,
} from "./flows/own-account.ts";
import { changePassword, forgotPassword, resetPassword } from "./flows/passwords.ts";
import { refresh } from "./flows/refresh.ts";
import { REMOVED } from "./flows/removal.ts";
import { makeConfiguredOwner, makeSetUpLink } from "./flows/set-up.ts";
import { signIn } from "./flows/sign-in.ts";
import { signUp } from "./flows/sign-up.ts";
import { startUpkeep } from "./flows/upkeep.ts";
import { createUserAdmin } from "./flows/user-admin.ts";
import { keepCollections } from "./kept-collections.ts";
import { createAdminNetworks } from "./limits/admin-networks.ts";
import { createLimits, LIMITS_RECORDS } from "./limits/limits.ts";
import { createRequestLimits } from "./limits/request-limits.ts";
import { createMail, MAIL, type MailTransport } from "./mail/mail.ts";
import { notice } from "./notices.ts";
import type { AccountParts } from "./parts.ts";
import { CREDENTIALS } from "./passwords/credentials.ts";
import { createPasswordHasher, type PasswordHasherOptions } from "./passwords/password-hash.ts";
import type { Profiles } from "./profiles.ts";
import { deriveKeys } from "./secrets/derived-keys.ts";
import { databaseEpoch } from "./secrets/epoch.ts";
import { demandSecretInUse } from "./secrets/secret-in-use.ts";
import { createSecrets, SECRETS, secretInvalid } from "./secrets/secrets.ts";
import { createAccessTokens } from "./sessions/access-token.ts";
import { createDeviceTokens } from "./sessions/device-token.ts";
import { createKnownTokens } from "./sessions/known-tokens.ts";
import { createPrincipalTable } from "./sessions/principals.ts";
import { createSessions, SESSIONS, type SessionRecord } from "./sessions/sessions.ts";
import { createTokenVerifier, type TokenVerifier } from "./sessions/token-verifier.ts";
import { createSettings, type EnvironmentSettings, SETTINGS, type SettingsService } from "./settings/settings.ts";
import type { Renewed } from "./standing.ts";
import { findUser, USER_COLLECTIONS } from "./users.ts";

export interface AccountOptions {
  readonly store: DocumentStore;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** That many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  /** How a profile is made that comes with a sign-up. */
  readonly profiles: Profiles;
  /** Who a principal is now. */
  readonly renewed?: Renewed;
  /** The server's secrets, newest first. */
  readonly secrets: readonly string[];
  readonly development: boolean;
  /** What variables and flags fix, for admins to see. */
  readonly environment: EnvironmentSettings;
  /** Where links lead, without a slash at the end. */
  readonly publicUrl: () => string;
  /** Who signs access tokens, the same for every node and start. */
  readonly issuer: string;
  readonly transport: MailTransport;
  /** The first owner, as the environment names one. */
  readonly owner: { readonly email: string; readonly password: string } | undefined;
  readonly hashing: Omit<PasswordHasherOptions, "random">;
}

/** Everything about who somebody is. */
export interface AccountServices {
  readonly accounts: Accounts;
  readonly users: UserAdmin;
  readonly admins: Admins;
  readonly settings: SettingsService;
  readonly tokens: TokenVerifier;
  readonly audit: AccountParts["audit"];
  readonly mail: AccountParts["mail"];
  readonly limits: AccountParts["limits"];
  readonly requestLimits: RequestLimits;
  /** Makes the link for the first owner; undefined if there is one. */
  setUpLink(): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Opens accounts on a store. What was opened is closed again if a later part fails. */
export async function openAccounts(options: AccountOptions): Promise<AccountServices> {
  const opened: Closing[] = [];
  const close = async () => {
    for (const part of opened.splice(0)) await part.close();
  };
  try {
    return { ...(await openParts(options, opened)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Closing {
  close(): void | Promise<void>;
}

/** Makes the parts in order, then the ways in and out. */
async function openParts(options: AccountOptions, opened: Closing[]): Promise<Omit<AccountServices, "close">> {
  const { store, clock, random, log, profiles } = options;
  const opening = <T extends Closing>(part: T): T => {
    // The last opened is closed first: it may write by those before.
    opened.unshift(part);
    return part;
  };
  const records = [...USER_COLLECTIONS, REMOVED, CREDENTIALS, SECRETS, SESSIONS, LIMITS_RECORDS, MAIL, AUDIT, SETTINGS];
  opening(await keepCollections({ store, log, collections: records }));
  const common = { store, clock, random, log };
  const keys = deriveKeys(options.secrets);
  await demandSecretInUse({ ...common, keys });
  const audit = opening(createAudit(common));
  const { development, environment, transport, renewed } = options;
  const settings = opening(await createSettings({ ...common, audit, development, environment, renewed }));
  const mail = opening(createMail({ ...common, keys, transport, templates: () => settings.current().mail.templates }));
  const sessions = createSessions({
    ...common,
    keys,
    epoch: await databaseEpoch(common),
    lives: (pool) => settings.current().sessions[pool],
    onReuse: (session, visit) => reused(session, visit),
  });
  const tokens = createKnownTokens(
    createAccessTokens({ keys, issuer: () => options.issuer, epoch: await databaseEpoch(common), clock }),
  );
  const table = opening(createPrincipalTable({ store, clock }));
  const parts: AccountParts = {
    ...common,
    ...{ tokens, sessions, audit, mail, profiles, renewed },
    settings: settings.current,
    secrets: createSecrets({ store, keys, clock, random }),
    devices: createDeviceTokens({ keys, clock, random }),
    hasher: opening(createPasswordHasher({ random, ...options.hashing })),
    limits: createLimits({ ...common, settings: () => settings.current().limits }),
    adminNetworks: createAdminNetworks(settings.current),
    publicUrl: options.publicUrl,
  };
  if (options.owner && !(await makeConfiguredOwner(parts, options.owner))) {
    log.info({}, "there is an owner already: GALLEY_ADMIN_EMAIL and GALLEY_ADMIN_PASSWORD are ignored");
  }
  const swept = records.filter(({ indexes }) => indexes.some(({ paths }) => paths[0] === "expiresAt"));
  opening(startSweep({ store, clock, collections: swept.map(({ name }) => name), warn: log.warn.bind(log) }));
  opening(startUpkeep(parts));

  /** Somebody used a refresh token that was used before: the session ends, and its person is told. */
  async function reused(session: SessionRecord, visit: Parameters<typeof audit.line>[0]["visit"]) {
    const user = await findUser(store, session.pool, session.user);
    const line = audit.line({ action: "token-reuse", by: session.user, ...(visit && { visit }) });
    return user ? [line, ...notice(parts, user, "token-reuse", { device: session.device.app })] : [line];
  }

  return {
    accounts: accountsOf(parts),
    users: createUserAdmin(parts),
    admins: createAdmins(parts),
    settings,
    tokens: createTokenVerifier({ tokens, table, networks: parts.adminNetworks, clock }),
    audit,
    mail,
    limits: parts.limits,
    requestLimits: createRequestLimits(() => settings.current().limits, clock),
    setUpLink: () => makeSetUpLink(parts),
  };
}

function accountsOf(parts: AccountParts): Accounts {
  /** Counts what fails for want of the right secret, over all ways in: accounts.md 8. */
  async function guarded<T>({ address }: Visit, enter: () => Promise<T>): Promise<T> {
    parts.limits.demand("auth", address);
    try {
      return await enter();
    } catch (error) {
      if (error instanceof GalleyError && error.code === "unauthenticated") parts.limits.failed("auth", address);
      throw error;
    }
  }

  return {
    signUp: (scope, body, visit) =>
      guarded(visit, async () => {
        if ("invite" in body && body.invite !== undefined) {
          return { session: await signUpInvited(parts, scope, body, visit) };
        }
        // Admins come by invitation, or by the set-up link.
        if ("as" in body && body.as === "admin") throw secretInvalid();
        return signUp(parts, scope, body, visit);
      }),
    signIn: (scope, body, visit) => guarded(visit, () => signIn(parts, scope, body, visit)),
    signInAsGuest: (scope, body, visit) => signInAsGuest(parts, scope, body, visit),
    refresh: (token, visit) => guarded(visit, () => refresh(parts, token, visit)),
    signOut: (principal, token, visit) => signOut(parts, principal, token, visit),
    me: (scope) => readMe(parts, scope),
    changeMe: (scope, body) => changeMe(parts, scope, body),
    deleteMe: (scope, visit) => deleteMe(parts, scope, visit),
    verifyEmail: (scope, body, visit) => guarded(visit, () => verifyEmail(parts, scope, body, visit)),
    resendProof: (scope, body, visit) => guarded(visit, () => resendProof(parts, scope, body, visit)),
    changeEmail: (scope, body, visit) => changeEmail(parts, scope, body, visit),
    forgotPassword: (scope, body, visit) => forgotPassword(parts, scope, body, visit),
    resetPassword: (scope, body, visit) => guarded(visit, () => resetPassword(parts, scope, body, visit)),
    changePassword: (scope, body, visit) => guarded(visit, () => changePassword(parts, scope, body, visit)),
    sessions: (scope) => listSessions(parts, scope),
    endSession: (scope, id, visit) => endSession(parts, scope, id, visit),
    endOtherSessions: (scope, visit) => endOtherSessions(parts, scope, visit),
  };
}
