import type { MailKind } from "./mail-records.ts";

/** Who mail comes from. */
export interface MailAddress {
  readonly name?: string;
  readonly address: string;
}

/** A mail that is ready to leave. */
export interface OutgoingMail {
  readonly id: string;
  readonly kind: MailKind;
  readonly queuedAt: Date;
  readonly to: string;
  /** The message itself, RFC 5322. */
  readonly message: Buffer;
  /** The link in it. */
  readonly link?: string;
}

/** What brings mails on their way: mail-smtp.ts, or mail-outbox.ts where there is no mail server. */
export interface MailTransport {
  readonly from: MailAddress;
  /**
   * Resolves once somebody else answers for the mail.
   *
   * @param signal ends the try at once
   * @returns what is noted of it
   * @throws MailFailure
   */
  send(mail: OutgoingMail, signal: AbortSignal): Promise<{ readonly file?: string }>;
  /** Ends what is open. Nothing is being sent any more. */
  close(): void;
}

/**
 * What a failure is about: nothing can be sent at present, this mail cannot be sent now, or it cannot be sent at all.
 */
export type FailureOf = "everything" | "this-time" | "this-mail";

/** A mail was not taken. The message says why, in words that may be shown to admins: it holds no secret. */
export class MailFailure extends Error {
  readonly of: FailureOf;

  constructor(of: FailureOf, message: string) {
    super(message);
    this.name = "MailFailure";
    this.of = of;
  }
}
