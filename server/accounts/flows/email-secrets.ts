import type { Write } from "../../stores/document-store.ts";
import type { Next } from "../entry.ts";
import type { MailKind } from "../mail/mail.ts";
import { mailTo } from "../notices.ts";
import type { AccountParts } from "../parts.ts";
import type { NewSecret, SecretKind, SecretRequest } from "../secrets/secrets.ts";
import type { UserRecord } from "../users.ts";

/** How long mailed secrets hold, in seconds; accounts.md 4. */
export const LIVES = {
  code: 10 * 60,
  proof: 24 * 60 * 60,
  reset: 30 * 60,
  invite: 7 * 24 * 60 * 60,
} as const;

/** Where each kind's link leads: the secret rides in the fragment, which no server and no scanner is sent. */
const PAGES: Readonly<Record<Exclude<SecretKind, "nothing" | "set-up">, string>> = {
  "sign-up": "/auth/verify",
  "email-proof": "/auth/verify",
  "email-change": "/auth/verify",
  "password-reset": "/auth/reset",
  invite: "/auth/invite",
};

/** A secret, stored and mailed by these writes. */
export interface Mailed {
  readonly next: Next | undefined;
  /** Where the mail's link leads; for whom the machine's own user shows it to. */
  readonly link: string;
  readonly writes: readonly Write[];
}

/** Who a secret is mailed to; without an address the same work is done for nobody. */
export type Recipient = Pick<UserRecord, "email" | "name" | "locale">;

/**
 * Makes a secret and the mail that brings it.
 *
 * @param mail what to send; `already-registered` tells that there is an account, and bears no secret
 */
export function mailSecret(
  parts: AccountParts,
  request: SecretRequest,
  mail: { readonly kind: MailKind; readonly to: Recipient; readonly page: keyof typeof PAGES },
): Mailed {
  const secret = parts.secrets.make(request);
  const { expiresAt } = secret.record;
  const bears = mail.kind !== "already-registered";
  const values = bears ? secretValues(parts, secret, mail.page) : { link: `${parts.publicUrl()}/auth/reset` };
  const queued = parts.mail.queued(mailTo(parts, mail.to, { kind: mail.kind, until: expiresAt, values }));
  const { challenge, record } = secret;
  return {
    link: linkOf(parts, secret, mail.page),
    next: challenge === undefined ? undefined : nextOf(challenge, record.codeUntil ?? expiresAt),
    writes: [secret.write, queued],
  };
}

function linkOf({ publicUrl }: AccountParts, { link, record }: NewSecret, page: keyof typeof PAGES): string {
  return `${publicUrl()}${PAGES[page]}#token=${link}${record.pool === "admin" ? "&as=admin" : ""}`;
}

function secretValues(parts: AccountParts, secret: NewSecret, page: keyof typeof PAGES) {
  const { code, record } = secret;
  const until = record.codeUntil ?? record.expiresAt;
  return {
    link: linkOf(parts, secret, page),
    minutes: `${Math.round((until.getTime() - parts.clock()) / 60_000)}`,
    ...(code !== undefined && { code }),
  };
}

function nextOf(challenge: string, expiresAt: Date): Next {
  return { kind: "email", challenge, expiresAt: expiresAt.toISOString() };
}
