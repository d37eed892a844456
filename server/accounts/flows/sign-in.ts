import { Faults, GalleyError } from "#protocol/errors";
import type { AccountScope } from "../../access/authorize.ts";
import { decideAndCommit } from "../commit.ts";
import type { Address } from "../email.ts";
import { answerOf, badCredentials, carriedBy, enter, type SessionAnswer } from "../entry.ts";
import { readAddress } from "../inputs.ts";
import { accountKey } from "../limits/account-key.ts";
import { newDeviceNotice } from "../notices.ts";
import type { AccountParts } from "../parts.ts";
import { type CredentialRecord, findCredential, writeCredential } from "../passwords/credentials.ts";
import type { Waiting } from "../passwords/hash-queue.ts";
import { normalPassword } from "../passwords/password-policy.ts";
import { tryPassword } from "../passwords/tried-password.ts";
import { NOBODY, type Person } from "../people.ts";
import { networkOf, type Visit } from "../sessions/device.ts";
import { findUser, findUserByEmail, type Pool, type UserRecord } from "../users.ts";

export interface SignInBody {
  readonly email: string;
  readonly password: string;
  readonly as?: Pool;
  readonly deviceToken?: string;
  readonly deviceName?: string;
}

/**
 * Signs in by address and password. An address that nobody has, a person without a password and a closed account take
 * the same steps as a wrong password, so that neither the answer nor its time tells them apart (accounts.md 8.2).
 *
 * @throws GalleyError `bad_credentials`, `rate_limited`; `permission_denied` of admins from elsewhere
 */
export async function signIn(
  parts: AccountParts,
  { principal }: AccountScope,
  body: SignInBody,
  visit: Visit,
): Promise<SessionAnswer> {
  const { store, audit } = parts;
  const pool = body.as ?? "user";
  if (pool === "admin") parts.adminNetworks.demand(visit.address);
  const faults = new Faults();
  const address = readAddress(body.email, faults);
  faults.throwIfAny();

  const account = accountKey(pool, address.key);
  const { right, outdated, attempt, held } = await tryPassword(parts, {
    ...{ account, password: body.password, at: "password", visit },
    against: () => heldAgainst(parts, pool, address, body.deviceToken),
  });
  const { known, proven, device } = held;
  if (!right || !known || !proven) {
    audit.note({ action: "sign-in-failed", by: "anonymous", ...(known && { for: known.id }), visit });
    throw badCredentials();
  }
  const rehashed = outdated
    ? await rehash(parts, body.password, { account, network: networkOf(visit.address) })
    : undefined;
  // What was read before the password was judged is what the commit expects: it is read anew only if that has changed.
  let read: Person | undefined = { user: known, credential: proven };
  const { answer, position } = await decideAndCommit(parts, async () => {
    const { user, credential } = read ?? (await stillThere(parts, known, proven));
    read = undefined;
    const entered = await enter(parts, {
      user,
      visit,
      proofs: ["password"],
      deviceName: body.deviceName,
      carried: await carriedBy(parts, principal, pool),
    });
    const notices = device === undefined ? newDeviceNotice(parts, entered) : [];
    return {
      writes: [
        ...entered.writes,
        ...attempt.cleared(),
        // Nobody stores a credential without its person: that the person is the one who was read says it of both.
        ...(rehashed === undefined
          ? []
          : [writeCredential(store, { ...credential, password: rehashed }, parts.clock())]),
        ...notices,
        audit.line({ action: "sign-in", by: user.id, visit, details: { newDevice: device === undefined } }),
      ],
      answer: { ...entered, mails: notices.length > 0 },
    };
  });
  if (answer.mails) parts.mail.wake();
  if (answer.ends) await store.barrier(position);
  return answerOf(parts, answer);
}

/**
 * What a password for an address is held against. The person is read first: as long as that one is stored, what is read
 * after it is theirs. Of an address that nobody has as much is read.
 */
async function heldAgainst(
  { store, devices }: AccountParts,
  pool: Pool,
  { key }: Address,
  deviceToken: string | undefined,
) {
  const known = await findUserByEmail(store, pool, key);
  const proven = await findCredential(store, known?.id ?? NOBODY);
  const device = known && deviceToken !== undefined ? devices.knows(deviceToken, known) : undefined;
  const stored = known && !known.disabledAt ? proven?.password : undefined;
  return { known, proven, device, stored, user: known?.id };
}

/** The password by the parameters of today; undefined when there is no room for that now: the next sign-in tries again. */
async function rehash({ hasher }: AccountParts, password: string, who: Waiting): Promise<string | undefined> {
  return hasher.hash(normalPassword(password), who).catch((error: unknown) => {
    if (error instanceof GalleyError && error.code === "rate_limited") return undefined;
    throw error;
  });
}

/** The person and the credential as they are now, if what was proven still counts. */
async function stillThere(
  { store }: AccountParts,
  { pool, id }: UserRecord,
  proven: CredentialRecord,
): Promise<Person> {
  const user = await findUser(store, pool, id);
  const credential = await findCredential(store, id);
  if (!user || user.disabledAt || !credential || credential.password !== proven.password) throw badCredentials();
  return { user, credential };
}
