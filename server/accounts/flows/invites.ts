import { Faults } from "#protocol/errors";
import type { AccountScope } from "../../access/authorize.ts";
import { decideAndCommit } from "../commit.ts";
import { answerOf, carriedBy, enter, type SessionAnswer } from "../entry.ts";
import { readAddress, readNewPassword, readProfile } from "../inputs.ts";
import { accountKey } from "../limits/account-key.ts";
import type { AccountParts } from "../parts.ts";
import { writeCredential } from "../passwords/credentials.ts";
import { type Person, personOf } from "../people.ts";
import { profileOf } from "../profiles.ts";
import { type SecretRecord, secretInvalid } from "../secrets/secrets.ts";
import { networkOf, type Visit } from "../sessions/device.ts";
import type { Pool } from "../users.ts";
import { LIVES, type Mailed, mailSecret } from "./email-secrets.ts";
import { makeFirstOwner, ownerMark } from "./set-up.ts";
import { type SignUpBody, signUpClosed } from "./sign-up.ts";

export interface InvitedBody extends SignUpBody {
  readonly invite: string;
  readonly as?: Pool;
}

/** Stores and mails the invitation of a person who has no password yet. */
export function mailInvite(parts: AccountParts, { user, credential }: Person): Mailed {
  return mailSecret(
    parts,
    {
      kind: "invite",
      pool: user.pool,
      user: user.id,
      credentialVersion: credential.credentialVersion,
      data: { key: user.emailKey ?? "" },
      lifeSeconds: LIVES.invite,
    },
    { kind: "invite", to: user, page: "invite" },
  );
}

/**
 * Takes an invitation up, or the set-up link: the person gets a password, has proven the address, and is signed in.
 *
 * @throws GalleyError `secret_invalid`; `invalid_argument` with the invitation still good
 */
export async function signUpInvited(
  parts: AccountParts,
  { principal }: AccountScope,
  body: InvitedBody,
  visit: Visit,
): Promise<SessionAnswer> {
  const { store, secrets, hasher, clock, audit, limits } = parts;
  const pool = body.as ?? "user";
  // `"invite"` is the setting for people who come by invitation alone.
  if (pool === "admin") parts.adminNetworks.demand(visit.address);
  if (pool === "user" && parts.settings().signUp.open === false) throw signUpClosed();
  limits.take("code", visit.address);
  const invite = await secrets.byLink(["invite", "set-up"], body.invite);
  if (invite.pool !== pool) throw secretInvalid();
  const faults = new Faults();
  const address = readAddress(body.email, faults);
  const said = readProfile(body, faults);
  const profile = readPublicProfile(parts, body, faults);
  const settings = parts.settings();
  const password = readNewPassword(body.password, { pool, email: body.email, settings }, faults);
  faults.throwIfAny();
  if (invite.kind === "invite" && invite.data.key !== address.key) throw secretInvalid();
  const account = accountKey(pool, address.key);
  const hash = await hasher.hash(password, { account, network: networkOf(visit.address) });
  if (invite.kind === "set-up") {
    return makeFirstOwner(parts, { address, password: hash, ...said }, { visit, invite });
  }
  const { answer, position } = await decideAndCommit(parts, async () => {
    const { user, credential } = await personOf(parts, invite);
    const now = clock();
    const carried = await carriedBy(parts, principal, pool);
    const proven = { ...user, ...given(said), emailProvenAt: new Date(now) };
    const entered = await enter(parts, { user: proven, visit, proofs: ["password", "email"], carried });
    const credentialVersion = credential.credentialVersion + 1;
    return {
      consumes: invite,
      writes: [
        ...entered.writes,
        writeCredential(store, { ...credential, password: hash, credentialVersion }, now),
        ...(await othersOf(parts, invite, user.id)),
        ...(user.role === "owner" ? await ownerMark(parts, user) : []),
        audit.line({ action: "invite-taken", by: user.id, visit }),
      ],
      profile: await profileOf(parts, entered, profile, principal),
      answer: entered,
    };
  });
  parts.mail.wake();
  await store.barrier(position);
  return answerOf(parts, answer);
}

/** Only people of the app have one. */
function readPublicProfile({ profiles }: AccountParts, { as, profile }: InvitedBody, faults: Faults) {
  if (profile === undefined) return undefined;
  if (as === "admin") faults.add("profile", "bad_value", "an admin has none: leave it out");
  return profiles.read(profile, faults);
}

/** What somebody said of themselves, without what they left out. */
function given<T extends object>(profile: T): Partial<{ [K in keyof T]: NonNullable<T[K]> }> {
  return Object.fromEntries(Object.entries(profile).filter(([, value]) => value !== undefined)) as Partial<{
    [K in keyof T]: NonNullable<T[K]>;
  }>;
}

async function othersOf({ secrets }: AccountParts, { id: own }: SecretRecord, user: string) {
  return (await secrets.voided(user)).filter(({ id }) => id !== own);
}
