import type { MailRecord } from "./mail-records.ts";
import type { MailTemplate } from "./mail-templates.ts";
import type { MailAddress } from "./mail-transport.ts";

/** What a mail to nobody is addressed to while it is made like any other. */
const NOBODY = "nobody@localhost";

/** Puts a message together: RFC 5322, the same headers at each try. */
export async function composeMessage(mail: MailRecord, rendered: MailTemplate, from: MailAddress): Promise<Buffer> {
  // Read only once there is a mail to send: a start does not pay for it.
  const { default: MailComposer } = await import("nodemailer/lib/mail-composer");
  const message = new MailComposer({
    // Objects, not texts: nothing in them is parsed, so none can become two addresses.
    from: { name: from.name ?? "", address: from.address },
    to: { name: "", address: mail.to ?? NOBODY },
    subject: rendered.subject,
    text: rendered.text,
    ...(rendered.html !== undefined && { html: rendered.html }),
    messageId: mail.messageId,
    date: mail.createdAt,
    // RFC 3834 5: nobody's absence is announced to it.
    headers: { "Auto-Submitted": "auto-generated" },
    newline: "win",
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return message.compile().build();
}
