import { Faults, GalleyError } from "#protocol/errors";
import type { ObjectValue } from "#protocol/values";
import type { AccountScope } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import type { Write } from "../../stores/document-store.ts";
import { decideAndCommit } from "../commit.ts";
import type { Address } from "../email.ts";
import { answerOf, carriedBy, enter, type Next, type SessionAnswer } from "../entry.ts";
import { type Profile, type ProfileBody, readAddress, readNewPassword, readProfile } from "../inputs.ts";
import { accountKey } from "../limits/account-key.ts";
import type { AccountParts } from "../parts.ts";
import { type CredentialRecord, findCredential, writeCredential } from "../passwords/credentials.ts";
import { newUserId } from "../people.ts";
import { isOfProfile, profileOf, rehearseProfile } from "../profiles.ts";
import { fresh } from "../record.ts";
import type { SecretRecord } from "../secrets/secrets.ts";
import { networkOf, type Visit } from "../sessions/device.ts";
import { sessionEnded } from "../sessions/session-ended.ts";
import { findUser, findUserByEmail, type UserRecord, writeUser } from "../users.ts";
import { LIVES, type Mailed, mailSecret } from "./email-secrets.ts";

export interface SignUpBody extends ProfileBody {
  readonly email: string;
  readonly password: string;
  /** The new person's document in the app's collection `users`. */
  readonly profile?: unknown;
  readonly deviceName?: string;
}

export type Step = { readonly session: SessionAnswer } | { readonly next: Next };

/** What somebody wants to become, before it is known whether the address is theirs. */
export interface Wanted extends Profile {
  readonly address: Address;
  /** A PHC string. */
  readonly password: string;
  /** The guest who becomes this person, and keeps the id. */
  readonly guest?: string;
  /** The new person's public profile. */
  readonly profile?: ObjectValue;
}

/**
 * Makes an account for an app's user. With `signUp.confirm: "first"` nobody learns whether the address is taken: whoever
 * owns it is told by mail, and nobody is made before the code or the link came back.
 *
 * @throws GalleyError `invalid_argument`, `permission_denied` (`sign_up_closed`), `already_exists` (with `confirm: "later"`)
 */
export async function signUp(
  parts: AccountParts,
  { principal }: AccountScope,
  body: SignUpBody,
  visit: Visit,
): Promise<Step> {
  const settings = parts.settings();
  if (settings.signUp.open !== true) throw signUpClosed();
  demandNobody(principal);
  parts.limits.take("sign-up", visit.address);
  const faults = new Faults();
  const address = readAddress(body.email, faults);
  const said = readProfile(body, faults);
  const profile = body.profile === undefined ? undefined : parts.profiles.read(body.profile, faults);
  const password = readNewPassword(body.password, { pool: "user", email: body.email, settings }, faults);
  faults.throwIfAny();
  const now = parts.clock();
  if (profile) await rehearseProfile(parts, profile, principal, { id: newUserId(now, parts.random), now });

  // Also if the address is taken: the time must not tell.
  const who = { account: accountKey("user", address.key), network: networkOf(visit.address) };
  const wanted: Wanted = {
    ...said,
    address,
    password: await parts.hasher.hash(password, who),
    ...(principal.kind === "user" && { guest: principal.id }),
    ...(profile && { profile }),
  };
  if (settings.signUp.confirm === "first") return { next: await askFirst(parts, wanted) };
  return { session: await make(parts, wanted, { principal, visit, deviceName: body.deviceName }) };
}

/** Mails a code to a new address, and a word to the owner of a taken one. The answer is the same. */
async function askFirst(parts: AccountParts, wanted: Wanted): Promise<Next> {
  const { store, mail, clock } = parts;
  const { address } = wanted;
  await parts.limits.takeMail(accountKey("user", address.key));
  const { answer } = await decideAndCommit(parts, async () => {
    const guest = await guestOf(parts, wanted);
    if (!guest && wanted.guest !== undefined) throw sessionEnded();
    const taken = await findUserByEmail(store, "user", address.key);
    const { next, writes } = mailSecret(
      parts,
      {
        kind: taken ? "nothing" : "sign-up",
        pool: "user",
        // Whose way in it is: what signs a guest out voids it.
        user: guest?.user.id,
        credentialVersion: undefined,
        data: dataOf(wanted),
        lifeSeconds: LIVES.proof,
        codeSeconds: LIVES.code,
      },
      {
        kind: taken ? "already-registered" : "verify",
        to: taken ?? { email: address.email, ...(wanted.name !== undefined && { name: wanted.name }) },
        page: "sign-up",
      },
    );
    // Stored as they are: as in `mailReset`, no secret outlasts what was to void it. A newer request voids older ones.
    const own = guest ? [writeUser(store, guest.user, clock()), ...(await parts.secrets.voided(guest.user.id))] : [];
    return { writes: [...own, ...writes], answer: next };
  });
  mail.wake();
  return answer as Next;
}

/** What a pending sign-up keeps. */
function dataOf({ address, password, name, locale, data, guest, profile }: Wanted): ObjectValue {
  return {
    ...address,
    password,
    ...(name !== undefined && { name }),
    ...(locale !== undefined && { locale }),
    ...(data !== undefined && { data }),
    ...(guest !== undefined && { guest }),
    ...(profile !== undefined && { profile }),
  };
}

/** Reads what {@link dataOf} wrote. */
export function wantedOf({ email, key, password, name, locale, data, guest, profile }: ObjectValue): Wanted {
  return {
    address: { email: String(email), key: String(key) },
    password: String(password),
    ...(name !== undefined && { name: String(name) }),
    ...(locale !== undefined && { locale: String(locale) }),
    ...(data !== undefined && { data: data as ObjectValue }),
    ...(guest !== undefined && { guest: String(guest) }),
    ...(profile !== undefined && { profile: profile as ObjectValue }),
  };
}

interface Arrival {
  readonly principal: Principal;
  readonly visit: Visit;
  readonly deviceName?: string | undefined;
  /** The mailed secret that brought them here: it proves the address, and is used up. */
  readonly proof?: SecretRecord;
  /** What else goes into the commit. */
  readonly worked?: () => Promise<Write[]>;
}

/** Makes the person and signs them in, all in one commit. @throws GalleyError `already_exists` */
export async function make(parts: AccountParts, wanted: Wanted, arrival: Arrival): Promise<SessionAnswer> {
  const { clock, audit } = parts;
  const { visit, principal, deviceName, proof, worked } = arrival;
  const proven = proof !== undefined;
  const { answer, position } = await decideAndCommit(parts, async () => {
    if (parts.settings().signUp.open !== true) throw signUpClosed();
    const before = await guestOf(parts, wanted);
    // Somebody of this guest's sessions was faster: their token counts no more, and nobody is given another id than the guest's.
    if (!before && !proven && wanted.guest !== undefined) throw sessionEnded();
    const now = clock();
    const stored = before?.user ?? fresh(newUserId(now, parts.random), now);
    const user: UserRecord = {
      ...(before?.user ?? { ...stored, pool: "user", data: {}, roles: [], claims: {} }),
      email: wanted.address.email,
      emailKey: wanted.address.key,
      guest: false,
      ...(wanted.name !== undefined && { name: wanted.name }),
      ...(wanted.locale !== undefined && { locale: wanted.locale }),
      ...(wanted.data !== undefined && { data: wanted.data }),
      ...(proven && { emailProvenAt: new Date(now) }),
    };
    const credential: CredentialRecord = {
      ...(before?.credential ?? { ...fresh(user.id, now), credentialVersion: 1 }),
      password: wanted.password,
    };
    const proofs = proven ? ["password", "email"] : ["password"];
    const carried = await carriedBy(parts, principal, "user");
    const entered = await enter(parts, {
      ...{ user, visit, proofs, deviceName, carried },
      // A guest's sessions were nobody's proof of anything.
      ...(before && { endsOthers: true }),
    });
    return {
      ...(proof && { consumes: proof }),
      writes: [
        ...entered.writes,
        writeCredential(parts.store, credential, now),
        ...((await worked?.()) ?? []),
        ...(before ? (await parts.secrets.voided(user.id)).filter(({ id }) => id !== proof?.id) : []),
        ...(proven ? [] : proofMail(parts, user, credential).writes),
        audit.line({ action: before ? "guest-upgraded" : "sign-up", by: user.id, visit }),
      ],
      profile: await profileOf(parts, entered, wanted.profile, principal),
      answer: entered,
    };
  }).catch(addressTaken);
  parts.mail.wake();
  if (answer.ends) await parts.store.barrier(position);
  return answerOf(parts, answer);
}

/** The mail by which a person who is signed in already proves that the address is theirs. */
export function proofMail(parts: AccountParts, user: UserRecord, { credentialVersion }: CredentialRecord): Mailed {
  return mailSecret(
    parts,
    {
      kind: "email-proof",
      pool: user.pool,
      user: user.id,
      credentialVersion,
      data: { key: user.emailKey ?? "" },
      lifeSeconds: LIVES.proof,
      codeSeconds: LIVES.code,
    },
    { kind: "verify", to: user, page: "email-proof" },
  );
}

/** The guest who becomes this person; undefined if it is nobody, or nobody's any more. */
async function guestOf({ store }: AccountParts, { guest }: Wanted) {
  const user = guest === undefined ? undefined : await findUser(store, "user", guest);
  if (!user?.guest || user.disabledAt) return undefined;
  return { user, credential: await findCredential(store, user.id) };
}

function addressTaken(error: unknown): never {
  if (!(error instanceof GalleyError) || error.code !== "unique_violation" || isOfProfile(error)) throw error;
  throw new GalleyError("already_exists", "there is an account with this address: sign in, or reset its password", {
    outcome: "not_applied",
  });
}

/** Guests may become somebody; who is somebody has to sign out first. */
function demandNobody(principal: Principal): void {
  if (principal.kind === "anonymous" || (principal.kind === "user" && principal.guest)) return;
  throw new GalleyError("failed_precondition", "you are signed in to an account: sign out before you make another");
}

export function signUpClosed(): GalleyError {
  return new GalleyError("permission_denied", "nobody can sign up here by themselves: ask for an invitation", {
    reason: "sign_up_closed",
  });
}
