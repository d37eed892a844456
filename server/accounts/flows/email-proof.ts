import { Faults, GalleyError } from "#protocol/errors";
import type { AccountScope, OwnScope } from "../../access/authorize.ts";
import type { Write } from "../../stores/document-store.ts";
import { decideAndCommit } from "../commit.ts";
import { demandFresh, type Next, type SessionAnswer } from "../entry.ts";
import { readAddress } from "../inputs.ts";
import { accountKey } from "../limits/account-key.ts";
import { notice } from "../notices.ts";
import type { AccountParts } from "../parts.ts";
import { writeCredential } from "../passwords/credentials.ts";
import { tryPassword } from "../passwords/tried-password.ts";
import { endedSessions, findPerson, personOf } from "../people.ts";
import { isOfProfile } from "../profiles.ts";
import { type SecretKind, type SecretRecord, secretInvalid } from "../secrets/secrets.ts";
import type { Visit } from "../sessions/device.ts";
import { isOver, SESSIONS } from "../sessions/session-records.ts";
import { findUserByEmail, writeUser } from "../users.ts";
import { LIVES, mailSecret } from "./email-secrets.ts";
import { make, wantedOf } from "./sign-up.ts";

/** What proves an address. */
const PROOFS: readonly SecretKind[] = ["sign-up", "email-proof", "email-change"];

export type VerifyBody =
  | { readonly challenge: string; readonly code: string }
  | { readonly token: string; readonly password?: string };

/**
 * Proves an address by what was mailed to it, and by something that only the maker of the account has: the challenge, a
 * session, or the password (accounts.md 4.6). A pending sign-up becomes an account, and its maker is signed in.
 *
 * @throws GalleyError `secret_invalid`; `reauth_required` for a link alone, which stays good
 */
export async function verifyEmail(
  parts: AccountParts,
  { principal }: AccountScope,
  body: VerifyBody,
  visit: Visit,
): Promise<SessionAnswer | undefined> {
  const { secrets, limits } = parts;
  limits.take("code", visit.address);
  const secret =
    "code" in body
      ? await secrets.byCode(PROOFS, body, (found) => limits.tryCode(countedUnder(found), undefined))
      : await secrets.byLink(PROOFS, body.token);
  if (secret.pool === "admin") parts.adminNetworks.demand(visit.address);
  const own = secret.kind !== "sign-up" && principal.kind === secret.pool && principal.id === secret.user;
  if ("token" in body && !own) await demandPassword(parts, secret, body.password, visit);
  const worked = async () => ("code" in body ? limits.codeWorked(countedUnder(secret), undefined) : []);
  if (secret.kind === "sign-up") {
    return make(parts, wantedOf(secret.data), { principal, visit, proof: secret, worked }).catch(nobodyElse);
  }
  const by = own && "session" in principal ? principal.session : String(secret.data.session);
  await prove(parts, secret, { visit, worked, ...(("code" in body || own) && { by }) });
  return undefined;
}

/** The account that wrong codes of a secret count against: of a sign-up that is wanted, also by a guest, its address. */
function countedUnder({ pool, user, data }: SecretRecord): string {
  return user === undefined || data.password !== undefined ? accountKey(pool, String(data.key)) : user;
}

/** A link proves the mailbox; the password, that whoever opened it made the account. */
async function demandPassword(
  parts: AccountParts,
  secret: SecretRecord,
  password: string | undefined,
  visit: Visit,
): Promise<void> {
  if (password === undefined) {
    throw new GalleyError("unauthenticated", "give the account's password with the link, or open it signed in", {
      reason: "reauth_required",
      outcome: "not_applied",
    });
  }
  const person = secret.kind === "sign-up" ? undefined : await personOf(parts, secret);
  const stored = person ? person.credential.password : String(secret.data.password);
  // Not under an address that it is to have later: each would bring tries of its own.
  const account = accountKey(secret.pool, person?.user.emailKey ?? String(secret.data.key));
  const against = async () => ({ user: secret.user, stored });
  const { right, attempt } = await tryPassword(parts, { account, password, at: "password", visit, against });
  if (!right) throw secretInvalid();
  await parts.store.commit(attempt.cleared()).catch((error: unknown) => {
    // Somebody else got it right at the same moment, and has cleared it.
    if (!(error instanceof GalleyError) || error.code !== "version_conflict") throw error;
  });
}

interface Proving {
  readonly visit: Visit;
  readonly worked: () => Promise<Write[]>;
  /** The session that speaks for the account: the caller's, else the one that asked. Undefined: the password did. */
  readonly by?: string;
}

/**
 * Who was signed out gives the account no other address any more, by nothing that was mailed before.
 *
 * @returns the session that stays: the one that asked, or, where that has ended, as by proving again who one is, the one that
 * proves the address; and what holds the one that speaks for the account as it is
 */
async function demandSession(
  { sessions, clock }: AccountParts,
  { data }: SecretRecord,
  by: string | undefined,
): Promise<{ readonly staying: string; readonly checks: readonly Write[] }> {
  const asking = String(data.session);
  if (by === undefined) return { staying: asking, checks: [] };
  const [asked, session] = await Promise.all([sessions.find(asking), sessions.find(by)]);
  if (!session || isOver(session, clock())) throw secretInvalid();
  const staying = asked && !isOver(asked, clock()) ? asking : by;
  // Another than the one that stays is ended by this commit, which expects it as it is.
  const check = { kind: "check", collection: SESSIONS.name, id: by, expect: session.version } as const;
  return { staying, checks: staying === by ? [check] : [] };
}

/** The commit that makes an address a person's proven one. */
async function prove(parts: AccountParts, secret: SecretRecord, { visit, worked, by }: Proving): Promise<void> {
  const { store, secrets, clock, audit } = parts;
  const { position } = await decideAndCommit(parts, async () => {
    const { user, credential } = await personOf(parts, secret);
    const now = clock();
    if (secret.kind === "email-proof") {
      // It was mailed to the address of then.
      if (user.emailKey !== secret.data.key) throw secretInvalid();
      return {
        consumes: secret,
        writes: [
          writeUser(store, { ...user, emailProvenAt: new Date(now) }, now),
          ...(await worked()),
          audit.line({ action: "email-proven", by: user.id, visit }),
        ],
        answer: undefined,
      };
    }
    const changed = {
      ...user,
      email: String(secret.data.email),
      emailKey: String(secret.data.key),
      emailProvenAt: new Date(now),
      guest: false,
    };
    const { staying, checks } = await demandSession(parts, secret, by);
    const others = (await secrets.voided(user.id)).filter(({ id }) => id !== secret.id);
    return {
      consumes: secret,
      writes: [
        ...checks,
        writeUser(store, changed, now),
        writeCredential(store, { ...credential, credentialVersion: credential.credentialVersion + 1 }, now),
        ...(await endedSessions(parts, user, staying)),
        ...others,
        ...(await worked()),
        ...notice(parts, user, "email-changed"),
        audit.line({ action: "email-changed", by: user.id, visit }),
      ],
      answer: undefined,
    };
  }).catch(nobodyElse);
  parts.mail.wake();
  await store.barrier(position);
}

/** Somebody took the address since it was mailed to: then its proof is worth nothing any more. */
function nobodyElse(error: unknown): never {
  if (!(error instanceof GalleyError) || isOfProfile(error)) throw error;
  throw error.code === "unique_violation" || error.code === "already_exists" ? secretInvalid() : error;
}

/**
 * Mails a code and a link to the address that a person wants to have from now on. The account has the old one until then.
 *
 * @throws GalleyError `reauth_required`, `invalid_argument`, `rate_limited`
 */
export async function changeEmail(
  parts: AccountParts,
  { principal }: OwnScope,
  body: { readonly email: string },
  visit: Visit,
): Promise<Next> {
  const { store, secrets, limits, mail, audit } = parts;
  demandFresh(parts, principal);
  const faults = new Faults();
  const address = readAddress(body.email, faults);
  faults.throwIfAny();
  limits.take("mail", visit.address);
  await limits.takeMail(accountKey(principal.kind, address.key));
  const { answer } = await decideAndCommit(parts, async () => {
    const person = await findPerson(parts, principal.kind, principal.id);
    if (!person) throw new GalleyError("failed_precondition", "this account has no address: sign up with one");
    const { user, credential } = person;
    const taken = await findUserByEmail(store, principal.kind, address.key);
    const { next, writes } = mailSecret(
      parts,
      {
        kind: taken ? "nothing" : "email-change",
        pool: principal.kind,
        user: user.id,
        credentialVersion: credential.credentialVersion,
        data: { ...address, session: principal.session },
        lifeSeconds: LIVES.proof,
        codeSeconds: LIVES.code,
      },
      {
        kind: taken ? "already-registered" : "verify",
        to: taken ?? { ...user, email: address.email },
        page: "email-change",
      },
    );
    return {
      writes: [
        // Stored as they are: as in `mailReset`, no secret outlasts what was to void it.
        writeUser(store, user, parts.clock()),
        ...(await secrets.voided(user.id, ["email-change", "nothing"])),
        ...writes,
        audit.line({ action: "email-change-asked", by: user.id, visit }),
      ],
      by: principal,
      answer: next,
    };
  });
  mail.wake();
  return answer as Next;
}
