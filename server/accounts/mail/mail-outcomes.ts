import type { MailRecord } from "./mail-records.ts";
import { type FailureOf, MailFailure } from "./mail-transport.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Waits after a try that failed; from then on the longest. */
const WAITS = [SECOND, 5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE];
/** The longest of them, and the longest where the mail had no part in the failure. */
const LONGEST_WAIT = { "this-time": HOUR, everything: 2 * MINUTE };
/** With less time left a mail is not tried again. */
const TOO_LATE = 30 * SECOND;
/** Much longer than a try, so that clocks may differ; the mails of a node that has ended are free at once. */
const LEASE = 5 * MINUTE;
/** For how long a record of what became of a mail is kept. */
export const KEPT = 30 * 24 * HOUR;

/** It is about to be tried by a node. */
export function claimed(mail: MailRecord, node: string, now: number): MailRecord {
  return { ...mail, tries: mail.tries + 1, node, leaseUntil: new Date(now + LEASE) };
}

export function sent(mail: MailRecord, file: string | undefined, now: number): MailRecord {
  const { reason: _, ...kept } = ended(mail, now);
  return { ...kept, state: "sent", sentAt: new Date(now), ...(file !== undefined && { file }) };
}

export function failed(mail: MailRecord, reason: string, now: number): MailRecord {
  return { ...ended(mail, now), state: "failed", reason };
}

/** Tried again later if there is time, else failed. */
export function notSent(mail: MailRecord, { of, reason }: Failure, now: number): MailRecord {
  const left = mail.until.getTime() - now;
  if (of === "this-mail" || left < TOO_LATE) return failed(mail, reason, now);
  // Half of what is left at most, so that the last try is not long before the end.
  const wait = Math.min(WAITS[mail.tries - 1] ?? HOUR, LONGEST_WAIT[of], left / 2);
  const { node: _, leaseUntil: __, ...kept } = mail;
  return { ...kept, reason, dueAt: new Date(now + wait) };
}

/** Why a try failed, in words without secrets. */
export interface Failure {
  readonly of: FailureOf;
  readonly reason: string;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof MailFailure) return { of: error.of, reason: error.message };
  // Its message may quote what was to be sent.
  const { name, code } = error as NodeJS.ErrnoException;
  return { of: "this-time", reason: `the mail could not be made (${code ?? name})` };
}

/** Without what only a queued mail has. */
function ended(mail: MailRecord, now: number): MailRecord {
  const { values: _, dueAt: __, node: ___, leaseUntil: ____, ...kept } = mail;
  return { ...kept, expiresAt: new Date(now + KEPT) };
}
