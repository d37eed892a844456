/** A real SMTP server in the test's process, and a reader of what it gets. */
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from "smtp-server";
import type { Teardown } from "./teardown.ts";

export interface ReceivedMail extends ReadMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: string;
  /** Whether it came over TLS. */
  readonly secure: boolean;
  /** Who was signed in. */
  readonly user: string | undefined;
}

/** What becomes of a mail whose text the server has read; `away`: nobody is let in. */
export type Verdict = "take" | "drop" | "hang" | "away" | { readonly code: number; readonly text: string };

export interface SmtpSetting extends Pick<SMTPServerOptions, "secure" | "key" | "cert" | "onRcptTo"> {
  readonly port?: number;
  readonly host?: string;
  /** Asks for this user and password. */
  readonly auth?: { readonly user: string; readonly password: string };
  /** Whether it offers STARTTLS; true if there is a certificate. */
  readonly startTls?: boolean;
}

export interface SmtpServer {
  readonly port: number;
  /** `smtp://127.0.0.1:port`. */
  readonly url: string;
  readonly received: readonly ReceivedMail[];
  /** Texts that were read whole, whatever became of them. */
  readonly texts: readonly string[];
  /** The most connections that were open at once. */
  readonly peak: number;
  /** For the mails to come. */
  verdict: Verdict;
  close(): Promise<void>;
}

/** Starts a server on a free port; ends it with the test. */
export async function startSmtp(t: Teardown, setting: SmtpSetting = {}): Promise<SmtpServer> {
  const { port = 0, host = "127.0.0.1", auth, startTls = setting.cert !== undefined, ...options } = setting;
  const received: ReceivedMail[] = [];
  const texts: string[] = [];
  const sockets = new Set<Socket>();
  let peak = 0;
  const server = new SMTPServer({
    ...options,
    disabledCommands: [...(startTls ? [] : ["STARTTLS"]), ...(auth ? [] : ["AUTH"])],
    authOptional: !auth,
    allowInsecureAuth: true,
    disableReverseLookup: true,
    closeTimeout: 1,
    onAuth({ username, password }, _session, done) {
      if (username === auth?.user && password === auth?.password) done(null, { user: username ?? "" });
      else done(Object.assign(new Error(`wrong password ${password}`), { responseCode: 535 }));
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const raw = Buffer.concat(chunks).toString("utf8");
        texts.push(raw);
        judge(raw, session, done);
      });
    },
  });
  server.on("error", () => {}); // A client that breaks off is what the tests are about.
  const listening = server.listen(port, host);
  await once(listening, "listening");
  listening.on("connection", (socket: Socket) => {
    if (started.verdict === "away") socket.destroy();
    sockets.add(socket);
    peak = Math.max(peak, sockets.size);
    socket.once("close", () => sockets.delete(socket));
  });
  const bound = (listening.address() as AddressInfo).port;
  let closed: Promise<void> | undefined;

  const started: SmtpServer = {
    port: bound,
    url: `smtp://127.0.0.1:${bound}`,
    received,
    texts,
    get peak() {
      return peak;
    },
    verdict: "take",
    close() {
      closed ??= new Promise((resolve) => {
        server.close(resolve);
        for (const socket of sockets) socket.destroy();
      });
      return closed;
    },
  };
  t.teardown(() => started.close());
  return started;

  function judge(raw: string, session: SMTPServerSession, done: (error?: Error | null) => void): void {
    const { verdict } = started;
    if (verdict === "hang") return;
    if (verdict === "drop" || verdict === "away") {
      for (const socket of sockets) socket.destroy();
      return;
    }
    if (verdict !== "take") {
      done(Object.assign(new Error(verdict.text), { responseCode: verdict.code }));
      return;
    }
    const { mailFrom, rcptTo } = session.envelope;
    received.push({
      ...readMail(raw),
      raw,
      from: mailFrom ? mailFrom.address : "",
      to: rcptTo.map(({ address }) => address),
      secure: session.secure,
      user: session.user === undefined ? undefined : String(session.user),
    });
    done();
  }
}

/** A message taken apart. */
export interface ReadMail {
  /** By lower-case name, unfolded and decoded. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly html: string | undefined;
}

/** Takes a message apart: RFC 5322, MIME (RFC 2045 to 2047), as far as Galley's mails go. */
export function readMail(raw: string): ReadMail {
  const { headers, body } = partOf(raw);
  const type = headers["content-type"] ?? "text/plain";
  const boundary = /boundary="?([^";]+)"?/.exec(type)?.[1];
  const parts =
    boundary === undefined
      ? [{ headers, body }]
      : body
          .split(`--${boundary}`)
          .slice(1, -1)
          .map((part) => partOf(part.replace(/^\r\n/, "").replace(/\r\n$/, "")));
  const find = (kind: string) => parts.find((part) => (part.headers["content-type"] ?? type).startsWith(kind));
  const html = find("text/html");
  return { headers, text: contentOf(find("text/plain")) ?? "", html: contentOf(html) };
}

interface Part {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

function partOf(raw: string): Part {
  const end = raw.indexOf("\r\n\r\n");
  const lines = raw
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, " ")
    .split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name = "", value = ""] = /^([!-9;-~]+):\s*(.*)$/.exec(line) ?? [];
    headers[name.toLowerCase()] = decodeWords(value);
  }
  return { headers, body: raw.slice(end + 4) };
}

function contentOf(part: Part | undefined): string | undefined {
  if (!part) return undefined;
  const encoding = part.headers["content-transfer-encoding"]?.toLowerCase();
  if (encoding === "base64") return Buffer.from(part.body, "base64").toString("utf8");
  return (encoding === "quoted-printable" ? unquote(part.body) : part.body).replace(/\r\n/g, "\n");
}

function unquote(text: string): string {
  const bytes = text.replace(/=\r\n/g, "").replace(/=([0-9A-F]{2})/gi, (_, hex) => `\0${hex}`);
  return Buffer.from(
    bytes
      .split(/(\0..)/)
      .flatMap((part) => (part[0] === "\0" ? [Number.parseInt(part.slice(1), 16)] : [...Buffer.from(part)])),
  ).toString("utf8");
}

/** RFC 2047. */
function decodeWords(text: string): string {
  return text
    .replace(/\?=\s+=\?/g, "?==?")
    .replace(/=\?UTF-8\?([BQ])\?([^?]*)\?=/gi, (_, form: string, word: string) =>
      form.toUpperCase() === "B" ? Buffer.from(word, "base64").toString("utf8") : unquote(word.replace(/_/g, " ")),
    );
}
