import { GalleyError } from "#protocol/errors";
import type { AccountScope } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import { decideAndCommit } from "../commit.ts";
import type { Next } from "../entry.ts";
import { accountKey } from "../limits/account-key.ts";
import type { AccountParts } from "../parts.ts";
import { findPerson, NOBODY } from "../people.ts";
import { type SecretRecord, secretInvalid } from "../secrets/secrets.ts";
import type { Visit } from "../sessions/device.ts";
import { findUserByEmail, writeUser } from "../users.ts";
import { LIVES, mailSecret, type Recipient } from "./email-secrets.ts";
import { proofMail } from "./sign-up.ts";

/**
 * Mails a new code and link, and voids the older ones: of what was mailed before, by its challenge; of someone signed in,
 * for the address that they have not proven.
 *
 * @throws GalleyError `secret_invalid`, `rate_limited`; `failed_precondition` if there is nothing to prove
 */
export async function resendProof(
  parts: AccountParts,
  { principal }: AccountScope,
  { challenge }: { readonly challenge?: string },
  { address }: Visit,
): Promise<Next> {
  parts.limits.take("mail", address);
  const next = challenge === undefined ? await resendOwn(parts, principal) : await resendPending(parts, challenge);
  parts.mail.wake();
  return next;
}

/** Of what must look like another secret the same is made again. */
async function resendPending(parts: AccountParts, challenge: string): Promise<Next> {
  const { secrets, limits } = parts;
  const old = await secrets.byChallenge(["sign-up", "email-proof", "email-change", "nothing"], challenge);
  await limits.takeMail(accountKey(old.pool, String(old.data.key)));
  const to = await recipientOf(parts, old);
  const { kind, pool, user, credentialVersion, data } = old;
  const { answer } = await decideAndCommit(parts, async () => {
    const { next, writes } = mailSecret(
      parts,
      { kind, pool, user, credentialVersion, data, lifeSeconds: LIVES.proof, codeSeconds: LIVES.code },
      { kind: kind === "nothing" ? "already-registered" : "verify", to, page: "email-proof" },
    );
    return { consumes: old, writes, answer: next };
  });
  return answer as Next;
}

/** Of each kind the same is read, since the time that it takes must not tell which it is. */
async function recipientOf(parts: AccountParts, secret: SecretRecord): Promise<Recipient> {
  const { kind, pool, data, user: id = NOBODY } = secret;
  const [owner, person] = await Promise.all([
    findUserByEmail(parts.store, pool, String(data.key)),
    findPerson(parts, pool, id),
  ]);
  // Whoever has the address learns that somebody wanted it.
  if (kind === "nothing") return owner ?? {};
  if (kind === "sign-up") {
    return { email: String(data.email), ...(data.name !== undefined && { name: String(data.name) }) };
  }
  if (!person || person.credential.credentialVersion !== secret.credentialVersion) throw secretInvalid();
  return kind === "email-change" ? { ...person.user, email: String(data.email) } : person.user;
}

async function resendOwn(parts: AccountParts, principal: Principal): Promise<Next> {
  const { limits, secrets } = parts;
  const unproven = async () => {
    const person = principal.kind === "user" ? await findPerson(parts, "user", principal.id) : undefined;
    if (person?.user.email !== undefined && !person.user.emailProvenAt) return person;
    throw new GalleyError("failed_precondition", "your address is proven, or you have none: there is nothing to mail");
  };
  await limits.takeMail(accountKey("user", (await unproven()).user.emailKey ?? ""));
  const { answer } = await decideAndCommit(parts, async () => {
    const { user, credential } = await unproven();
    const { next, writes } = proofMail(parts, user, credential);
    // Stored as they are: as in `mailReset`, no secret outlasts what was to void it.
    const stored = writeUser(parts.store, user, parts.clock());
    return { writes: [stored, ...(await secrets.voided(user.id, ["email-proof"])), ...writes], answer: next };
  });
  return answer as Next;
}
