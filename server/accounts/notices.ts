import type { Write } from "../stores/document-store.ts";
import type { Entered } from "./entry.ts";
import type { MailKind, MailRequest } from "./mail/mail.ts";
import type { AccountParts } from "./parts.ts";
import type { UserRecord } from "./users.ts";

/** Until when a notice is worth sending. */
const NOTICE_LIFE = 3 * 24 * 60 * 60 * 1000;

/** What a mail to a person begins with. */
export function mailTo(
  { settings }: AccountParts,
  { email, name, locale }: Pick<UserRecord, "email" | "name" | "locale">,
  mail: Pick<MailRequest, "kind" | "until"> & { readonly values?: MailRequest["values"] },
): MailRequest {
  return {
    kind: mail.kind,
    until: mail.until,
    to: email,
    ...(locale !== undefined && { locale }),
    values: { app: settings().app.name, name: name ?? "", ...mail.values },
  };
}

/** A mail about what happened to an account; none to an address of which nobody has shown that it is theirs. */
export function notice(
  parts: AccountParts,
  user: UserRecord,
  kind: MailKind,
  values: MailRequest["values"] = {},
): Write[] {
  if (user.email === undefined || !user.emailProvenAt) return [];
  const until = new Date(parts.clock() + NOTICE_LIFE);
  return [parts.mail.queued(mailTo(parts, user, { kind, until, values }))];
}

/** Tells a person of a sign-in from a device that was not seen before. */
export function newDeviceNotice(parts: AccountParts, { user, session }: Entered): Write[] {
  const { device, network } = session;
  const words = [device.name, device.app, device.os, network].filter((word) => word !== undefined && word !== "");
  return notice(parts, user, "new-device", { device: words.join(", ") });
}
