import type { MailKind } from "./mail-records.ts";

/** What a mail says. No names of people: whoever signs up with a stranger's address would write to them. */
interface Wording {
  readonly subject: string;
  readonly says: readonly string[];
  /** What the button says, if there is a link. */
  readonly button?: string;
  /** Stands before the code, if there is one. */
  readonly code?: string;
  readonly ends: readonly string[];
}

const NOT_YOU = "Was it not you? Then reset your password now, and look through your devices.";

const WORDINGS: Readonly<Record<MailKind, Wording>> = {
  verify: {
    subject: "Confirm your address for {{app}}",
    says: ["Please confirm that this address is yours."],
    button: "Confirm address",
    code: "Or type this code where you were asked for it. It holds for {{minutes}} minutes:",
    ends: ["You did not ask for this? Then do nothing: without the link or the code nothing happens."],
  },
  "already-registered": {
    subject: "You already have an account with {{app}}",
    says: [
      "Somebody, probably you, wanted to sign up for {{app}} with this address. There is an account with it already: just sign in.",
      "If you do not know the password any more, choose a new one:",
    ],
    button: "Reset password",
    ends: ["It was not you? Then do nothing: your account is as it was."],
  },
  reset: {
    subject: "Choose a new password for {{app}}",
    says: ["You can choose a new password here. The link works once, for {{minutes}} minutes."],
    button: "Choose a new password",
    ends: ["You did not ask for this? Then do nothing: your password stays as it is."],
  },
  "sign-in-code": {
    subject: "Your code for {{app}}",
    says: ["You can sign in here, in the browser in which you asked for it:"],
    button: "Sign in",
    code: "Or type this code. It holds for {{minutes}} minutes:",
    ends: ["Tell the code to nobody. You did not ask for it? Then do nothing."],
  },
  invite: {
    subject: "You are invited to {{app}}",
    says: ["You are invited to {{app}}. The link works once, for 7 days."],
    button: "Accept the invitation",
    ends: ["You do not know what this is about? Then do nothing."],
  },
  "email-changed": {
    subject: "The address of your {{app}} account was changed",
    says: ["Your {{app}} account has a new address. From now on mail goes there."],
    ends: ["Was it not you? Then write to those who run {{app}} at once."],
  },
  "password-changed": {
    subject: "Your {{app}} password was changed",
    says: ["The password of your {{app}} account was changed, and other devices were signed out."],
    ends: [NOT_YOU],
  },
  "new-device": {
    subject: "New sign-in to {{app}}",
    says: ["Somebody signed in to your {{app}} account from a device that was not seen before:", "{{device}}"],
    ends: [`If it was you, all is well. ${NOT_YOU}`],
  },
  "factor-changed": {
    subject: "The sign-in of your {{app}} account was changed",
    says: ["A second factor or passkey of your {{app}} account was added, changed or removed."],
    ends: [NOT_YOU],
  },
  "token-reuse": {
    subject: "A device was signed out of {{app}}",
    says: [
      "A sign-in of your {{app}} account was used from two places, as if it had been copied. It was ended for your safety:",
      "{{device}}",
    ],
    ends: ["Sign in again to go on. If it happens once more, change your password."],
  },
};

function textOf({ says, button, code, ends }: Wording): string {
  const link = button === undefined ? [] : ["{{link}}"];
  const typed = code === undefined ? [] : [code, "{{code}}"];
  return `${[...says, ...link, ...typed, ...ends].join("\n\n")}\n\n-- \n{{app}}\n`;
}

const FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const INK = "margin:0 0 16px;font-size:16px;line-height:24px;color:#1f2430";
const QUIET = "margin:0;font-size:14px;line-height:20px;color:#5b6372";
const BUTTON = `display:inline-block;padding:12px 20px;border-radius:8px;background:#2f5bd7;color:#ffffff;font-size:16px;font-weight:600;text-decoration:none`;
const CODE =
  "margin:0 0 16px;padding:12px 16px;border-radius:8px;background:#eef1f6;color:#1f2430;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:28px;letter-spacing:6px;text-align:center";

/** Tables and inline styles: what all mail programs show. Those that know of dark mode read the style sheet. */
function htmlOf({ subject, says, button, code, ends }: Wording): string {
  const paragraph = (text: string) => `<p class="ink" style="${INK}">${text}</p>`;
  const link = `<p style="margin:0 0 16px"><a href="{{link}}" style="${BUTTON}">${button}</a></p>
<p class="quiet" style="${QUIET};margin-bottom:16px;word-break:break-all">{{link}}</p>`;
  const body = [
    ...says.map(paragraph),
    ...(button === undefined ? [] : [link]),
    ...(code === undefined ? [] : [paragraph(code), `<p class="code" style="${CODE}">{{code}}</p>`]),
    ...ends.map((text) => `<p class="quiet" style="${QUIET}">${text}</p>`),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">
<style>
@media (prefers-color-scheme: dark) {
  .page { background: #14161b !important; }
  .card { background: #20242c !important; }
  .ink { color: #eceef2 !important; }
  .quiet { color: #a9b1c0 !important; }
  .code { background: #2c313c !important; color: #eceef2 !important; }
}
</style></head>
<body class="page" style="margin:0;padding:0;background:#f4f6f9">
<table class="page" role="presentation" width="100%" cellpadding="0" cellspacing="0" style="background:#f4f6f9;${FONT}">
<tr><td align="center" style="padding:32px 16px">
<table class="card" role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:520px;background:#ffffff;border-radius:12px">
<tr><td style="padding:32px;text-align:left">
<h1 class="ink" style="margin:0 0 16px;font-size:20px;line-height:28px;color:#1f2430">${subject}</h1>
${body.join("\n")}
</td></tr></table>
<p class="quiet" style="${QUIET};margin-top:16px">{{app}}</p>
</td></tr></table>
</body></html>
`;
}

/** The templates that Galley brings. */
export const DEFAULT_TEMPLATES = Object.fromEntries(
  Object.entries(WORDINGS).map(([kind, wording]) => [
    kind,
    { en: { subject: wording.subject, text: textOf(wording), html: htmlOf(wording) } },
  ]),
) as Readonly<
  Record<MailKind, Readonly<Record<"en", { readonly subject: string; readonly text: string; readonly html: string }>>>
>;
