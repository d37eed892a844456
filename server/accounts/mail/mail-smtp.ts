import type { NodemailerError } from "nodemailer/lib/errors";
import type SMTPConnection from "nodemailer/lib/smtp-connection";
import { inNetworks } from "../limits/networks.ts";
import { MailFailure, type MailTransport } from "./mail-transport.ts";

export interface SmtpOptions {
  /** `smtp://` or `smtps://`, with `user:password@` where the server asks for it. Never shown to anybody. */
  readonly url: string;
  readonly from: MailTransport["from"];
  /** Certificates in PEM to trust instead of those that Node trusts. */
  readonly ca?: string;
  /** Milliseconds in which a server has to answer each step. */
  readonly patience?: number;
}

/** How long one step may take: a server that checks what it is sent while it is sent needs some seconds. */
const PATIENCE = 30_000;
/** For how long a connection is kept that has nothing to do. */
const IDLE = 5_000;
/** Mails over one connection; servers end it by themselves after some hundreds. */
const MOST_MAILS = 100;

/** A connection that has nothing to do. */
interface Idle {
  readonly connection: SMTPConnection;
  readonly sent: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * Sends by a mail server. Off loopback only over TLS with a certificate that fits: `smtp://` demands STARTTLS there. There
 * are as many connections as mails are sent at once, and each is used again as long as there is something to send.
 */
export function createSmtpTransport({ url, from, ca, patience = PATIENCE }: SmtpOptions): MailTransport {
  const { user, password, ...server } = serverOf(url);
  const open = new Set<SMTPConnection>();
  const idle: Idle[] = [];
  const times = {
    connectionTimeout: patience,
    greetingTimeout: patience,
    dnsTimeout: patience,
    socketTimeout: patience,
    socketCloseTimeout: 1000,
  };
  const tls = { minVersion: "TLSv1.2", rejectUnauthorized: server.verified, ...(ca !== undefined && { ca }) } as const;

  return {
    from,

    async send({ to, message }, signal) {
      const used = takeIdle();
      const connection = used?.connection ?? (await connect(signal));
      try {
        await step(connection, signal, (done) => {
          connection.send({ from: from.address, to: [to], size: message.length }, message, done);
        });
      } catch (error) {
        connection.close();
        throw failureOf(error);
      }
      rest(connection, (used?.sent ?? 0) + 1);
      return {};
    },

    close() {
      for (const { timer } of idle.splice(0)) clearTimeout(timer);
      for (const connection of open) connection.close();
    },
  };

  async function connect(signal: AbortSignal): Promise<SMTPConnection> {
    // Read only once there is a mail to send: a start does not pay for it.
    const { default: Connection } = await import("nodemailer/lib/smtp-connection");
    const { host, port, secure, demandTls } = server;
    const connection = new Connection({ host, port, secure, requireTLS: demandTls, tls, ...times });
    open.add(connection);
    connection.on("error", () => {}); // Told to the step under way; between steps it only ends the connection.
    connection.once("end", () => {
      open.delete(connection);
      const at = idle.findIndex((one) => one.connection === connection);
      if (at >= 0) clearTimeout(idle.splice(at, 1)[0]?.timer);
    });
    try {
      await step(connection, signal, (done) => connection.connect(done));
      if (user !== undefined)
        await step(connection, signal, (done) => connection.login({ user, pass: password }, done));
      return connection;
    } catch (error) {
      connection.close();
      throw failureOf(error);
    }
  }

  function takeIdle(): Idle | undefined {
    const found = idle.pop();
    clearTimeout(found?.timer);
    return found;
  }

  function rest(connection: SMTPConnection, sent: number): void {
    if (!open.has(connection)) return;
    if (sent >= MOST_MAILS) {
      connection.quit();
      return;
    }
    const timer = setTimeout(() => {
      idle.splice(idle.indexOf(entry), 1);
      connection.quit();
    }, IDLE);
    timer.unref();
    const entry = { connection, sent, timer };
    idle.push(entry);
  }
}

/** What the URL says, which config.ts has found good. */
function serverOf(text: string) {
  const url = new URL(text);
  const secure = url.protocol === "smtps:";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const here = host === "localhost" || inNetworks(["127.0.0.0/8", "::1"])(host);
  return {
    host,
    port: url.port === "" ? (secure ? 465 : 587) : Number(url.port),
    secure,
    demandTls: !secure && !here,
    // A mail server on this machine that offers STARTTLS mostly has a certificate of its own making.
    verified: secure || !here,
    user: url.username === "" ? undefined : decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}

/** A step of the conversation: over when it is answered, when the connection ends, or when the signal says so. */
function step(
  connection: SMTPConnection,
  signal: AbortSignal,
  begin: (done: (error?: NodemailerError | null) => void) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const over = (error?: unknown) => {
      connection.off("error", over);
      connection.off("end", ended);
      signal.removeEventListener("abort", stopped);
      if (error) reject(error);
      else resolve();
    };
    // What the server said last may be told just after the end.
    const ended = () => setImmediate(over, new MailFailure("everything", "the mail server closed the connection"));
    const stopped = () => over(new MailFailure("everything", "the mail server took too long to answer"));
    connection.on("error", over);
    connection.on("end", ended);
    signal.addEventListener("abort", stopped);
    if (signal.aborted) stopped();
    else begin(over);
  });
}

/** Characters of what a server said. */
const MOST_SAID = 200;

/**
 * What a failure means. A server that does not want this recipient or message for good (5yz, RFC 5321 4.2.1) is not asked
 * again: it would answer the same, and think of us as of those who try addresses out.
 */
function failureOf(error: unknown): MailFailure {
  if (error instanceof MailFailure) return error;
  const { command, response = "", responseCode, permanent, code, originalCode } = error as NodemailerError;
  if (responseCode !== undefined && command !== undefined) {
    // Of what it says once it has seen the message or the password, the numbers alone: it may quote them.
    const early = command === "MAIL FROM" || command === "RCPT TO";
    const said = early ? response : (/^\d{3}(?:[ -]\d\.\d{1,3}\.\d{1,3})?/.exec(response)?.[0] ?? `${responseCode}`);
    const words = said.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").slice(0, MOST_SAID);
    const about = command === "RCPT TO" || command === "DATA";
    const of = !about ? "everything" : permanent === true ? "this-mail" : "this-time";
    return new MailFailure(of, `the mail server answered ${words} to ${command.split(" ")[0]}`);
  }
  return new MailFailure("everything", `the mail server cannot be reached or trusted (${originalCode ?? code ?? "?"})`);
}
