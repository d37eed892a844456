import { Faults, GalleyError } from "#protocol/errors";
import type { AccountScope, OwnScope } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import type { Write } from "../../stores/document-store.ts";
import { decideAndCommit } from "../commit.ts";
import { answerOf, badCredentials, enter, type SessionAnswer } from "../entry.ts";
import { readAddress, readNewPassword } from "../inputs.ts";
import { accountKey } from "../limits/account-key.ts";
import { notice } from "../notices.ts";
import type { AccountParts } from "../parts.ts";
import { writeCredential } from "../passwords/credentials.ts";
import { tryPassword } from "../passwords/tried-password.ts";
import { endedSessions, findPerson, NOBODY, type Person, personOf } from "../people.ts";
import { networkOf, type Visit } from "../sessions/device.ts";
import { findUserByEmail, type Pool, type UserRecord, writeUser } from "../users.ts";
import { LIVES, mailSecret } from "./email-secrets.ts";
import { ownerMark } from "./set-up.ts";

/**
 * Mails a link by which a forgotten password is replaced. Whether somebody has the address is told to nobody: for one that
 * nobody has the same is stored, and no mail leaves.
 *
 * @throws GalleyError `invalid_argument`, `rate_limited`
 */
export async function forgotPassword(
  parts: AccountParts,
  _scope: AccountScope,
  body: { readonly email: string; readonly as?: Pool },
  { address: from }: Visit,
): Promise<void> {
  const pool = body.as ?? "user";
  if (pool === "admin") parts.adminNetworks.demand(from);
  const faults = new Faults();
  const address = readAddress(body.email, faults);
  faults.throwIfAny();
  parts.limits.take("mail", from);
  const account = accountKey(pool, address.key);
  await parts.limits.takeMail(account);
  const whose = async () => {
    const found = await findUserByEmail(parts.store, pool, address.key);
    // Read also for nobody, and the other way round: on a database across a network each read would tell.
    const person = await findPerson(parts, pool, found?.id ?? NOBODY);
    const touched = await parts.limits.touchedMails(account);
    return person ?? { account, touched };
  };
  await mailReset(parts, pool, whose).catch((error: unknown) => {
    // Only of somebody can so much change at once: to tell would tell that.
    if (!(error instanceof GalleyError) || error.code !== "contention") throw error;
    parts.log.warn({}, "a link for a new password was asked for and is not mailed: its account changed all the while");
  });
}

/** An address that nobody has: what limits count it under, and what is stored where a person would be. */
interface Unknown {
  readonly account: string;
  readonly touched: readonly Write[];
}

/**
 * Stores and mails a reset link, in place of older ones. For an address of nobody it stores what looks like it, so that its
 * older ones go in the same way.
 *
 * That commit stores the person, too, as they are. Whoever removes or disables them at this moment voids the links that they
 * see, and expects the person whom they read: so one of the two is decided anew, and no link outlasts what was to void it.
 *
 * @param whose reads who it is for, as often as that changes meanwhile
 * @param by who asks for it, where it is somebody's right to
 * @throws GalleyError `contention`, and what `whose` throws
 */
export async function mailReset(
  parts: AccountParts,
  pool: Pool,
  whose: () => Promise<Person | Unknown>,
  by?: Principal,
): Promise<void> {
  await decideAndCommit(parts, async () => {
    const found = await whose();
    const person = "user" in found ? found : undefined;
    const user = "user" in found ? found.user.id : found.account;
    const kind = person ? "password-reset" : "nothing";
    const { writes } = mailSecret(
      parts,
      {
        kind,
        pool,
        user,
        credentialVersion: person?.credential.credentialVersion ?? 0,
        data: {},
        lifeSeconds: LIVES.reset,
      },
      { kind: "reset", to: person?.user ?? {}, page: "password-reset" },
    );
    const stored = "user" in found ? [writeUser(parts.store, found.user, parts.clock())] : found.touched;
    // The newest link alone holds: one mail that went astray is worth nothing once another was asked for.
    // A person's `nothing` stays: it is what a change to a taken address looks like, and one to a free address stays too.
    const older = await parts.secrets.voided(user, [kind]);
    return { writes: [...stored, ...older, ...writes], ...(by && { by }), answer: undefined };
  });
  parts.mail.wake();
}

/**
 * Sets a new password by a mailed link: every session and every open secret of the person ends, nobody is signed in, and
 * the address is proven.
 *
 * @throws GalleyError `secret_invalid`; `invalid_argument` with the link still good
 */
export async function resetPassword(
  parts: AccountParts,
  _scope: AccountScope,
  body: { readonly token: string; readonly password: string },
  visit: Visit,
): Promise<void> {
  const { store, secrets, hasher, audit, clock, limits } = parts;
  limits.take("code", visit.address);
  const first = await secrets.byLink(["password-reset"], body.token);
  if (first.pool === "admin") parts.adminNetworks.demand(visit.address);
  const { email, emailKey = "" } = (await personOf(parts, first)).user;
  const settings = parts.settings();
  const faults = new Faults();
  const password = readNewPassword(body.password, { pool: first.pool, email, settings }, faults);
  faults.throwIfAny();
  const account = accountKey(first.pool, emailKey);
  const hash = await hasher.hash(password, { account, network: networkOf(visit.address) });
  const { position } = await decideAndCommit(parts, async () => {
    const secret = await secrets.byLink(["password-reset"], body.token);
    const { user, credential } = await personOf(parts, secret);
    const now = clock();
    const others = (await secrets.voided(user.id)).filter(({ id }) => id !== secret.id);
    return {
      consumes: secret,
      writes: [
        writeCredential(
          store,
          { ...credential, password: hash, credentialVersion: credential.credentialVersion + 1 },
          now,
        ),
        writeUser(store, user.emailProvenAt ? user : owned(user, now), now),
        ...(await endedSessions(parts, user)),
        ...others,
        ...(await limits.reopened(account)),
        ...(user.role === "owner" ? await ownerMark(parts, user) : []),
        ...notice(parts, user, "password-changed"),
        audit.line({ action: "password-reset", by: user.id, visit }),
      ],
      answer: undefined,
    };
  });
  parts.mail.wake();
  await store.barrier(position);
}

/** Somebody as they are once the mailbox alone has proven their address: whoever made the account is nobody there any more. */
function owned(user: UserRecord, now: number): UserRecord {
  return { ...user, emailProvenAt: new Date(now), devices: (user.devices ?? 0) + 1 };
}

/**
 * Replaces a password by someone who knows it: all other sessions end, this one goes on under a new id.
 *
 * @throws GalleyError `bad_credentials`, `invalid_argument`
 */
export async function changePassword(
  parts: AccountParts,
  { principal }: OwnScope,
  body: { readonly current: string; readonly password: string },
  visit: Visit,
): Promise<SessionAnswer> {
  const { store, secrets, hasher, audit, clock, sessions } = parts;
  const pool = principal.kind;
  const person = await findPerson(parts, pool, principal.id);
  if (!person) throw badCredentials();
  const { email, emailKey = "" } = person.user;
  const faults = new Faults();
  const password = readNewPassword(body.password, { pool, email, settings: parts.settings() }, faults);
  faults.throwIfAny();
  const who = { account: accountKey(pool, emailKey), network: networkOf(visit.address) };
  const { right, attempt } = await tryPassword(parts, {
    ...{ account: who.account, password: body.current, at: "current", visit },
    against: async () => ({ user: person.user.id, stored: person.credential.password }),
  });
  if (!right) {
    audit.note({ action: "password-change-failed", by: principal.id, visit });
    throw badCredentials();
  }
  const hash = await hasher.hash(password, who);
  const { answer, position } = await decideAndCommit(parts, async () => {
    const now = await findPerson(parts, pool, principal.id);
    if (!now || now.credential.password !== person.credential.password) throw badCredentials();
    const { user, credential } = now;
    const carried = await sessions.find(principal.session);
    const entered = await enter(parts, { user, visit, proofs: ["password"], carried, endsOthers: true });
    return {
      writes: [
        ...entered.writes,
        writeCredential(
          store,
          { ...credential, password: hash, credentialVersion: credential.credentialVersion + 1 },
          clock(),
        ),
        ...(await secrets.voided(user.id)),
        ...attempt.cleared(),
        ...notice(parts, user, "password-changed"),
        audit.line({ action: "password-changed", by: user.id, visit }),
      ],
      by: principal,
      answer: entered,
    };
  });
  parts.mail.wake();
  await store.barrier(position);
  return answerOf(parts, answer);
}
