import { Faults, GalleyError } from "#protocol/errors";
import type { Write } from "../../stores/document-store.ts";
import { decideAndCommit } from "../commit.ts";
import type { Address } from "../email.ts";
import { answerOf, enter, type SessionAnswer } from "../entry.ts";
import { type Profile, readAddress, readNewPassword } from "../inputs.ts";
import { accountKey } from "../limits/account-key.ts";
import type { AccountParts } from "../parts.ts";
import { type CredentialRecord, writeCredential } from "../passwords/credentials.ts";
import { newUserId } from "../people.ts";
import { fresh, putRecord } from "../record.ts";
import type { SecretRecord } from "../secrets/secrets.ts";
import type { Visit } from "../sessions/device.ts";
import { type UserRecord, writeUser } from "../users.ts";

/** The mark that there is a first owner, which one commit alone can make. */
const MARK = { collection: "_settings", id: "set-up" };
/** Whose the set-up link is, as long as there is nobody. */
const NOBODY = "set-up";
/** The link holds until the next start; this long, if there is none. */
const LIFE_SECONDS = 365 * 24 * 60 * 60;

interface Owner extends Profile {
  readonly address: Address;
  /** A PHC string. */
  readonly password: string;
}

/** Whether a first owner was made, at any time. */
export async function isSetUp({ store }: AccountParts): Promise<boolean> {
  const [mark] = await store.get(MARK.collection, [MARK.id]);
  return mark !== undefined;
}

/**
 * Makes the link by which the first owner is made, and voids those of earlier starts.
 * @returns undefined if there was an owner already
 */
export async function makeSetUpLink(parts: AccountParts): Promise<string | undefined> {
  if (await isSetUp(parts)) return undefined;
  const { answer } = await decideAndCommit(parts, async () => {
    const { link, write } = parts.secrets.make({
      kind: "set-up",
      pool: "admin",
      user: NOBODY,
      credentialVersion: undefined,
      data: {},
      lifeSeconds: LIFE_SECONDS,
    });
    return { writes: [...(await parts.secrets.voided(NOBODY)), write], answer: link };
  });
  return `${parts.publicUrl()}/console/#/set-up?code=${answer}`;
}

/** What an owner who came in another way writes: then there is nothing to set up, and the link is void. */
export async function ownerMark(parts: AccountParts, { id }: UserRecord): Promise<Write[]> {
  if (await isSetUp(parts)) return [];
  return [markOf(parts, id), ...(await parts.secrets.voided(NOBODY))];
}

function markOf({ store, clock }: AccountParts, owner: string): Write {
  return putRecord(store, MARK.collection, fresh(MARK.id, clock()), { owner }, clock());
}

/** Makes the first owner by the set-up link, and signs them in. @throws GalleyError `set_up_done`, `secret_invalid` */
export async function makeFirstOwner(
  parts: AccountParts,
  owner: Owner,
  { visit, invite }: { readonly visit: Visit; readonly invite: SecretRecord },
): Promise<SessionAnswer> {
  const { answer } = await decideAndCommit(parts, async () => {
    if (await isSetUp(parts)) throw setUpDone();
    const { user, writes } = ownerWrites(parts, owner);
    const entered = await enter(parts, { user, visit, proofs: ["password"] });
    return {
      consumes: invite,
      writes: [
        // The mark comes first, so that of two at once the other is told that it is done.
        ...writes,
        ...entered.writes,
        parts.audit.line({ action: "set-up", by: user.id, visit }),
      ],
      answer: entered,
    };
  }).catch(async (error: unknown) => {
    if (error instanceof GalleyError && error.code === "unauthenticated" && (await isSetUp(parts))) throw setUpDone();
    throw isTaken(error) ? addressInvited("email") : error;
  });
  return answerOf(parts, answer);
}

/**
 * Makes the first owner that the environment names, if there never was one.
 *
 * @returns whether it did
 * @throws GalleyError `invalid_argument` if the address or the password is none that an owner may have
 */
export async function makeConfiguredOwner(
  parts: AccountParts,
  { email, password: given }: { readonly email: string; readonly password: string },
): Promise<boolean> {
  if (await isSetUp(parts)) return false;
  const faults = new Faults();
  const address = readAddress(email, faults);
  const password = readNewPassword(given, { pool: "admin", email, settings: parts.settings() }, faults);
  throwNamed(faults);
  const hash = await parts.hasher.hash(password, { account: accountKey("admin", address.key), network: "start" });
  try {
    await decideAndCommit(parts, async () => {
      if (await isSetUp(parts)) throw setUpDone();
      const { user, writes } = ownerWrites(parts, { address, password: hash });
      return { writes: [...writes, writeUser(parts.store, user, parts.clock())], answer: undefined };
    });
    return true;
  } catch (error) {
    // Another node was faster.
    if (error instanceof GalleyError && error.details.reason === "set_up_done") return false;
    throw isTaken(error) ? addressInvited("GALLEY_ADMIN_EMAIL") : error;
  }
}

/** Whoever reads this set two variables, and knows no request body. @throws GalleyError `invalid_argument` */
function throwNamed({ list }: Faults): void {
  if (list.length === 0) return;
  const said = list.map(({ path, message }) => `GALLEY_ADMIN_${path.toUpperCase()}${message.slice(path.length)}`);
  throw new GalleyError("invalid_argument", said.join("; "), { faults: list });
}

/** The owner, and the writes of the mark and the credential; the person is the caller's to write. */
function ownerWrites(parts: AccountParts, { address, password, name, locale, data }: Owner) {
  const { store, clock, random } = parts;
  const now = clock();
  const stored = fresh(newUserId(now, random), now);
  const user: UserRecord = {
    ...stored,
    ...{ pool: "admin", guest: false, roles: [], claims: {}, role: "owner" },
    email: address.email,
    emailKey: address.key,
    // Who has the machine's own link is believed.
    emailProvenAt: new Date(now),
    data: data ?? {},
    ...(name !== undefined && { name }),
    ...(locale !== undefined && { locale }),
  };
  const credential: CredentialRecord = { ...stored, credentialVersion: 1, password };
  return { user, writes: [markOf(parts, user.id), writeCredential(store, credential, now)] };
}

function isTaken(error: unknown): boolean {
  return error instanceof GalleyError && error.code === "unique_violation";
}

/** Of an admin who was invited, perhaps as something else than an owner: their invitation is theirs to take up. */
function addressInvited(at: string): GalleyError {
  const message = `${at}: an admin with this address was invited: open that invitation, or name another address`;
  return new GalleyError("already_exists", message, { outcome: "not_applied" });
}

function setUpDone(): GalleyError {
  return new GalleyError("failed_precondition", "there is an owner already: ask them for an invitation", {
    reason: "set_up_done",
    outcome: "not_applied",
  });
}
