import type { Key } from "#protocol/compare";
import type { DocumentStore, Row, StoredCollection, Write } from "../../stores/document-store.ts";
import { putRecord, removeRecord, type Stored, storedOf } from "../record.ts";

/** What a mail is about; each kind has a template. */
export type MailKind = (typeof MAIL_KINDS)[number];

export const MAIL_KINDS = [
  "verify",
  "already-registered",
  "reset",
  "sign-in-code",
  "invite",
  "email-changed",
  "password-changed",
  "new-device",
  "factor-changed",
  "token-reuse",
] as const;

/**
 * A mail as it is stored.
 *
 *     queued ──claimed by a node──▶ sent      what it said is gone
 *       ▲ │                    └──▶ failed    refused for good, or not sent in time
 *       └─┘ not taken: due again later
 */
export interface MailRecord extends Stored {
  readonly kind: MailKind;
  readonly state: "queued" | "sent" | "failed";
  /** Undefined: goes to nobody, and is removed when its turn comes. */
  readonly to?: string;
  readonly locale?: string;
  /** The same at each try, so that whoever gets it twice can tell. */
  readonly messageId: string;
  /** What is put into the template, sealed (seal.ts); only while it is queued. */
  readonly values?: string;
  /** When it is to be tried next; only while it is queued. */
  readonly dueAt?: Date;
  /** After that it is not worth sending. */
  readonly until: Date;
  /** How often it was tried. */
  readonly tries: number;
  /** The node that sends it at this moment, and until when it has the right to. */
  readonly node?: string;
  readonly leaseUntil?: Date;
  readonly sentAt?: Date;
  /** Why it was not sent, in words without secrets. */
  readonly reason?: string;
  /** The file it was written to where there is no mail server. */
  readonly file?: string;
  readonly expiresAt: Date;
}

export const MAIL: StoredCollection = {
  name: "_mail",
  indexes: [{ paths: ["dueAt"] }, { paths: ["expiresAt"] }],
};

const PAGE = 50;

export function readMail(row: Row): MailRecord {
  const { value } = row;
  const { to, locale, values, node, reason, file, dueAt, leaseUntil, sentAt } = value;
  return {
    ...storedOf(row),
    kind: value.kind as MailKind,
    state: value.state as MailRecord["state"],
    messageId: String(value.messageId),
    until: value.until as Date,
    tries: Number(value.tries),
    expiresAt: value.expiresAt as Date,
    ...(to !== undefined && { to: String(to) }),
    ...(locale !== undefined && { locale: String(locale) }),
    ...(values !== undefined && { values: String(values) }),
    ...(node !== undefined && { node: String(node) }),
    ...(reason !== undefined && { reason: String(reason) }),
    ...(file !== undefined && { file: String(file) }),
    ...(dueAt instanceof Date && { dueAt }),
    ...(leaseUntil instanceof Date && { leaseUntil }),
    ...(sentAt instanceof Date && { sentAt }),
  };
}

/** The write that stores a mail over the version that was read. */
export function writeMail(store: Pick<DocumentStore, "nextVersion">, mail: MailRecord, now: number): PutWrite {
  const { id, version, createdAt, ...fields } = mail;
  const write = putRecord(store, MAIL.name, { id, version, createdAt }, fields, now);
  return write as PutWrite;
}

/** A write that stores something, with the version it is stored under. */
export type PutWrite = Extract<Write, { kind: "put" }>;

export function removeMail(mail: MailRecord): Write {
  return removeRecord(MAIL.name, mail);
}

/** Mails that are queued, the longest due first. */
export async function* queuedMails(store: DocumentStore): AsyncGenerator<MailRecord & { readonly dueAt: Date }> {
  const path = ["dueAt"];
  const query = {
    collection: MAIL.name,
    filter: { kind: "compare", op: "gte", path, value: new Date(0) },
    sort: [
      { path, descending: false },
      { path: ["_id"], descending: false },
    ],
    limit: PAGE,
    budget: { candidates: Number.POSITIVE_INFINITY, milliseconds: 10_000 },
  } as const;
  for (let after: Key[] | undefined; ; ) {
    const { rows, more } = await store.find(after ? { ...query, after } : query);
    for (const mail of rows.map(readMail)) {
      if (!mail.dueAt) continue;
      after = [mail.dueAt, mail.id];
      yield { ...mail, dueAt: mail.dueAt };
    }
    if (!more) return;
  }
}
