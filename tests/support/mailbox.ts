import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./until.ts";

/** A mail that a test app would have sent. */
export interface ReceivedMail {
  readonly kind: string;
  readonly to: string;
  readonly subject: string;
  /** The whole file. */
  readonly source: string;
  /** The plain text body, decoded. */
  readonly text: string;
  /** The secret in its link's fragment. */
  readonly token: string | undefined;
  readonly link: string | undefined;
  /** Six digits. */
  readonly code: string | undefined;
}

/** The mails that an app without SMTP has written, oldest first. */
export function mailsIn(folder: string): ReceivedMail[] {
  let names: string[];
  try {
    names = readdirSync(join(folder, "outbox"));
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith(".eml"))
    .sort()
    .map((name) => readMail(name, readFileSync(join(folder, "outbox", name), "utf8")));
}

/** Waits for the nth mail of a kind to an address, as mail-records.ts names kinds. */
export async function mailFor(folder: string, to: string, kind: string, nth = 1): Promise<ReceivedMail> {
  const found = () => mailsIn(folder).filter((mail) => mail.kind === kind && mail.to.includes(to));
  await until(() => found().length >= nth, 20, `mail ${nth} of kind ${kind} to ${to}`);
  return found()[nth - 1] as ReceivedMail;
}

/** Reads a mail as an app without SMTP wrote it into its outbox. */
export function readMail(file: string, source: string): ReceivedMail {
  const header = (name: string) => new RegExp(`^${name}: (.*)$`, "im").exec(source)?.[1]?.trim() ?? "";
  const text = plainPart(source);
  const link = /https?:\/\/\S+#token=\S+/.exec(text)?.[0];
  return {
    kind: /^\d{8}T\d{9}Z-([a-z-]+)-[^-]+$/.exec(file)?.[1] ?? "",
    to: header("to"),
    subject: header("subject"),
    source,
    text,
    link,
    token: /#token=([\w.-]+)/.exec(link ?? "")?.[1],
    code: /\b\d{6}\b/.exec(text)?.[0],
  };
}

function plainPart(source: string): string {
  const start = source.search(/^content-type: text\/plain/im);
  const part = source.slice(start);
  // A line may begin with two dashes where a link is folded.
  const boundary = /boundary="?([^";\r\n]+)/i.exec(source)?.[1];
  const rest = part.slice(part.search(/\r?\n\r?\n/));
  const body = (boundary === undefined ? rest : rest.split(`\n--${boundary}`)[0]) ?? "";
  const head = part.slice(0, part.search(/\r?\n\r?\n/));
  if (/content-transfer-encoding: base64/i.test(head)) return Buffer.from(body, "base64").toString("utf8");
  if (!/content-transfer-encoding: quoted-printable/i.test(head)) return body;
  const joined = body.replace(/=\r?\n/g, "");
  const bytes = joined.replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}
