import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { DEFAULT_TEMPLATES } from "../../server/accounts/mail/mail-defaults.ts";
import { composeMessage } from "../../server/accounts/mail/mail-message.ts";
import { createOutbox } from "../../server/accounts/mail/mail-outbox.ts";
import { MAIL_KINDS, type MailRecord } from "../../server/accounts/mail/mail-records.ts";
import { renderMail } from "../../server/accounts/mail/mail-rendering.ts";
import { createSmtpTransport } from "../../server/accounts/mail/mail-smtp.ts";
import { type MailTemplates, templateFault } from "../../server/accounts/mail/mail-templates.ts";
import type { OutgoingMail } from "../../server/accounts/mail/mail-transport.ts";
import { makeCertificate } from "../support/certificate.ts";
import { readMail, startSmtp } from "../support/smtp.ts";

const LINK = "https://app.example/auth/reset#token=abc.def";
const VALUES = { app: "Notes", name: "Ada", link: LINK, code: "123456", device: "Firefox, Linux", minutes: "30" };
const FROM = { name: "Notes", address: "no-reply@app.example" };
const NEVER = new AbortController().signal;
/** What people may be called; U27. */
const HOSTILE = `<b onclick='x()'>Eve</b>\r\nBcc: all@example.org\r\n\r\n{{link}} {{name}} $& \u2028 \u202e"&`;

const RECORD: MailRecord = {
  id: "m1",
  version: 1,
  createdAt: new Date("2026-01-31T10:00:00Z"),
  kind: "reset",
  state: "queued",
  to: "ada@example.org",
  messageId: "<abc@app.example>",
  until: new Date("2026-01-31T10:30:00Z"),
  tries: 0,
  expiresAt: new Date("2026-03-31T10:30:00Z"),
};

function outgoing(over: Partial<OutgoingMail> = {}): OutgoingMail {
  const message = Buffer.from(`Subject: x\r\n\r\n${over.id ?? "m1"}\r\n`);
  return { id: "m1", kind: "reset", queuedAt: RECORD.createdAt, to: "ada@example.org", message, link: LINK, ...over };
}

t.test("every kind has a template, text and HTML, that the checker finds good", async (t) => {
  t.same(Object.keys(DEFAULT_TEMPLATES).sort(), [...MAIL_KINDS].sort());
  t.equal(templateFault(DEFAULT_TEMPLATES), undefined);
  for (const kind of MAIL_KINDS) {
    const { subject, text, html = "" } = renderMail({}, { kind }, VALUES);
    for (const part of [subject, text, html]) t.notMatch(part, /\{\{|undefined/, kind);
    t.match(subject, /Notes/);
    t.notMatch(html, /<(?:img|script|link)|url\(|http:/, "nothing is fetched when it is read");
    t.match(html, /prefers-color-scheme: dark/);
    t.notMatch(DEFAULT_TEMPLATES[kind].en.text, /\{\{name\}\}/, "strangers write to nobody by their names");
  }
  const verify = renderMail({}, { kind: "verify" }, VALUES);
  for (const part of [verify.text, verify.html ?? ""]) t.ok(part.includes(LINK) && part.includes("123456"));
  t.match(renderMail({}, { kind: "new-device" }, VALUES).text, /Firefox, Linux/);
});

t.test("U27: values are put in once, bear no lines and no markup, and are never read as templates", async (t) => {
  const template = {
    subject: "Hi {{name}}",
    text: "Hi {{name}}!\nGo: {{link}}",
    html: '<p>{{name}}</p><a href="{{link}}">x</a>',
  };
  const templates: MailTemplates = { reset: { en: template } };
  const { subject, text, html = "" } = renderMail(templates, { kind: "reset" }, { ...VALUES, name: HOSTILE });
  const shown = `<b onclick='x()'>Eve</b> Bcc: all@example.org {{link}} {{name}} $&   "&`;
  t.equal(subject.replace(/ +/g, " "), `Hi ${shown}`.replace(/ +/g, " "));
  t.equal(text.split("\n").length, 2);
  t.ok(text.includes("{{link}} {{name}} $&"), "as they were written");
  t.match(html, /<p>&lt;b onclick=&#39;x\(\)&#39;&gt;Eve&lt;\/b&gt; Bcc: .*&quot;&amp;<\/p><a href="https:\/\/app/);
  const quoted = renderMail(templates, { kind: "reset" }, { ...VALUES, link: `x" onclick="y` });
  t.match(quoted.html, /<a href="x&quot; onclick=&quot;y">/);
  const long = renderMail(templates, { kind: "reset" }, { ...VALUES, name: "ä".repeat(1e5) });
  t.ok(long.subject.length <= 300 && long.text.length < 2500);
  t.equal(renderMail(templates, { kind: "reset" }, {}).subject, "Hi", "a value that is missing is empty");
});

t.test("U27: a message has the headers it is meant to have, whatever names hold", async (t) => {
  const rendered = renderMail(
    { reset: { en: { subject: "{{name}}", text: "{{name}}", html: "<p>{{name}}</p>" } } },
    RECORD,
    {
      name: HOSTILE,
    },
  );
  const from = { name: 'Evil" <a@evil.example>\r\nBcc: b@evil.example, ', address: FROM.address };
  const raw = (await composeMessage(RECORD, rendered, from)).toString();
  const { headers } = readMail(raw);
  const expected = ["auto-submitted", "content-type", "date", "from", "message-id", "mime-version", "subject", "to"];
  t.same(Object.keys(headers).sort(), expected);
  t.equal(headers.to, "ada@example.org");
  t.match(headers.from, /<no-reply@app\.example>$/);
  t.equal(headers["message-id"], RECORD.messageId);
  t.equal(headers.date, "Sat, 31 Jan 2026 10:00:00 +0000");
  t.equal(headers["auto-submitted"], "auto-generated");
  t.notMatch(raw, /^bcc:/im);
  for (const line of raw.split("\r\n")) t.ok(line.length <= 998 && !/[\r\n]/.test(line), "RFC 5322 2.1.1");
});

t.test("the language is the exact one, else its language, else English", async (t) => {
  const of = (subject: string) => ({ subject, text: "x" });
  const templates: MailTemplates = {
    reset: { "pt-BR": of("br"), pt: of("pt"), en: of("own English") },
    verify: { de: of("de") },
  };
  const subject = (locale: string | undefined, kind: "reset" | "verify" = "reset") =>
    renderMail(templates, locale === undefined ? { kind } : { kind, locale }, VALUES).subject;
  t.same(
    ["pt-BR", "pt-PT", "pt", "fr", undefined, "constructor", ""].map((locale) => subject(locale)),
    [...["br", "pt", "pt", "own English", "own English", "own English", "own English"]],
  );
  t.same([subject("de-AT", "verify"), subject("fr", "verify")], ["de", "Confirm your address for Notes"]);
  t.equal(renderMail(templates, { kind: "reset" }, VALUES).html, undefined, "without HTML it is plain text");
});

t.test("a template is judged strictly; a fault names its path and what is expected", async (t) => {
  const good = {
    subject: "s",
    text: "t\n{{link}}",
    html: "<style>@media x{.a{color:red}}</style><a href='{{link}}'>{{app}}</a>",
  };
  t.equal(templateFault({}), undefined);
  t.equal(templateFault({ reset: { "pt-BR": good, en: { subject: "s", text: "t" } }, invite: {} }), undefined);
  const en = "mail.templates.reset.en";
  const rows: readonly (readonly [unknown, string, RegExp])[] = [
    [[], "mail.templates", /expects an object/],
    [{ resett: {} }, "mail.templates.resett", /expects one of verify, /],
    [{ reset: null }, "mail.templates.reset", /by language/],
    [{ reset: { EN: good } }, "mail.templates.reset.EN", /language tag/],
    [{ reset: { en: "text" } }, en, /subject, text, html/],
    [{ reset: { en: { ...good, body: "x" } } }, `${en}.body`, /expects subject, text or html/],
    [{ reset: { en: { text: "t" } } }, `${en}.subject`, /expects a text/],
    [{ reset: { en: { ...good, text: " " } } }, `${en}.text`, /expects a text/],
    [{ reset: { en: { ...good, subject: "a\r\nBcc: b" } } }, `${en}.subject`, /one line/],
    [{ reset: { en: { ...good, subject: "a\u2028b" } } }, `${en}.subject`, /one line/],
    [{ reset: { en: { ...good, subject: "x".repeat(201) } } }, `${en}.subject`, /at most 200 bytes/],
    [{ reset: { en: { ...good, text: "ä".repeat(8193) } } }, `${en}.text`, /at most 16384 bytes/],
    [{ reset: { en: { ...good, text: "\u001b[31m" } } }, `${en}.text`, /no control characters/],
    [{ reset: { en: { ...good, text: "\ud800" } } }, `${en}.text`, /surrogate/],
    [{ reset: { en: { ...good, text: "{{password}}" } } }, `${en}.text`, /\{\{app\}\} .* only, got "\{\{password\}\}"/],
    [{ reset: { en: { ...good, subject: "{{ app }}" } } }, `${en}.subject`, /got "\{\{ app \}\}"/],
    [{ reset: { en: { ...good, text: "{{#if code}}" } } }, `${en}.text`, /only, got/],
    [{ reset: { en: { ...good, html: '<a href="{{name}}">x</a>' } } }, `${en}.html`, /in a tag only/],
    [{ reset: { en: { ...good, html: "<a title={{link}}>x</a>" } } }, `${en}.html`, /in a tag only/],
    [{ reset: { en: { ...good, html: "<p {{name}}" } } }, `${en}.html`, /closed/],
    [{ reset: { en: { ...good, html: "<style>a{{{name}}}</style>" } } }, `${en}.html`, /between tags/],
    [{ reset: { en: { ...good, html: "<style>{{name}}" } } }, `${en}.html`, /closed/],
    [{ reset: { en: { ...good, html: "<script>{{name}}</script>" } } }, `${en}.html`, /between tags/],
    [{ reset: { en: { ...good, html: "<!-- {{name}} -->" } } }, `${en}.html`, /between tags/],
    [{ reset: { en: { ...good, html: "<!-- {{name}}" } } }, `${en}.html`, /closed/],
    [{ reset: { en: { ...good, html: "{{nam}}" } } }, `${en}.html`, /only, got/],
    [{ reset: { en: { ...good, html: 1 } } }, `${en}.html`, /expects a text/],
  ];
  for (const [templates, path, message] of rows) {
    const fault = templateFault(templates);
    t.equal(fault?.path, path);
    t.match(fault?.message, message, path);
  }
  const many = Object.fromEntries([..."abcdefghijklmno"].map((c) => [`a${c}`, { ...good, html: "x".repeat(60_000) }]));
  t.match(templateFault({ reset: many }), { path: "mail.templates", message: /at most \d+ bytes in all/ });
  const started = performance.now();
  for (const bad of ["<", "<!-- >", "<style>", "<style x", "{{", "}}", "<style></style>"]) {
    templateFault({ reset: { en: { ...good, html: bad.repeat(65_536 / bad.length) } } });
  }
  t.ok(performance.now() - started < 1000, "no text takes long to judge");
});

t.test("without a mail server mails are files of their owner's, named in the log", async (t) => {
  const folder = join(mkdtempSync(join(tmpdir(), "galley-outbox-")), "outbox");
  t.teardown(() => rmSync(join(folder, ".."), { recursive: true }));
  const lines: string[] = [];
  const note = (event: object, message: string) => void lines.push(`${JSON.stringify(event)} ${message}`);
  const log = { debug: note, info: note, warn: note, error: note };
  const open = (development: boolean) => createOutbox({ folder, from: undefined, log, development });
  t.equal(open(true).from.address, "galley@localhost");

  const { file = "" } = await open(false).send(outgoing(), NEVER);
  t.equal(file, "20260131T100000000Z-reset-m1.eml");
  t.equal(statSync(folder).mode & 0o777, 0o700);
  t.equal(statSync(join(folder, file)).mode & 0o777, 0o600);
  t.equal(readFileSync(join(folder, file), "utf8"), "Subject: x\r\n\r\nm1\r\n");
  t.ok(lines.join().includes(file) && !lines.join().includes(LINK), "the link is a secret");
  await open(true).send(outgoing(), NEVER);
  t.ok(lines.join().includes(LINK), "but in development");
  t.same(readdirSync(folder), [file], "a second try is the same file");

  const later = (i: number) => new Date(RECORD.createdAt.getTime() + i);
  for (let i = 1; i <= 1000; i++) {
    writeFileSync(join(folder, `${later(i).toISOString().replace(/[-:.]/g, "")}-verify-x${i}.eml`), "");
  }
  writeFileSync(join(folder, "notes.txt"), "somebody's own");
  await open(false).send(outgoing({ id: "m2", queuedAt: later(2000) }), NEVER);
  const left = readdirSync(folder).sort();
  t.equal(left.length, 1001);
  t.ok(left.includes("notes.txt") && !left.includes(file) && !left.some((name) => name.includes("-x1.")));
  rmSync(folder, { recursive: true });
  writeFileSync(folder, "not a folder");
  await t.rejects(open(false).send(outgoing(), NEVER), {
    name: "MailFailure",
    of: "everything",
    message: /\(ENOTDIR\)/,
  });
});

t.test("off loopback mail leaves over TLS only, to a server whose certificate fits", async (t) => {
  // To a client this address is not loopback, and it leads to the servers of this machine.
  const [far, near] = ["0.0.0.0", "127.0.0.1"];
  const own = makeCertificate([far, near, "localhost"]);
  const other = makeCertificate(["elsewhere.example"]);
  const starttls = await startSmtp(t, own);
  const plain = await startSmtp(t);
  const smtps = await startSmtp(t, { ...own, secure: true });
  const wrong = await startSmtp(t, other);
  const send = async (url: string, ca?: string) => {
    const transport = createSmtpTransport({ url, from: FROM, ...(ca !== undefined && { ca }) });
    t.teardown(() => transport.close());
    await transport.send(outgoing(), NEVER);
  };
  const refused = (of: Promise<void>, message: RegExp) =>
    t.rejects(of, { name: "MailFailure", of: "everything", message });

  await refused(send(`smtp://${far}:${plain.port}`), /to STARTTLS|ETLS/);
  await refused(send(`smtp://${far}:${starttls.port}`), /DEPTH_ZERO_SELF_SIGNED_CERT/);
  await refused(send(`smtp://${far}:${wrong.port}`, other.cert), /ERR_TLS_CERT_ALTNAME_INVALID/);
  await refused(send(`smtps://${far}:${smtps.port}`), /DEPTH_ZERO_SELF_SIGNED_CERT/);
  await refused(send(`smtps://${near}:${smtps.port}`), /DEPTH_ZERO_SELF_SIGNED_CERT/);
  await refused(send(`smtps://${far}:${plain.port}`), /cannot be reached or trusted/);
  for (const { received, texts } of [starttls, plain, smtps, wrong]) t.same([received, texts], [[], []]);

  await send(`smtp://${far}:${starttls.port}`, own.cert);
  await send(`smtps://${far}:${smtps.port}`, own.cert);
  await send(`smtp://${near}:${starttls.port}`);
  await send(`smtp://${near}:${plain.port}`);
  t.same(
    [...starttls.received, ...smtps.received, ...plain.received].map(({ secure }) => secure),
    [true, true, true, false],
  );
});

t.test("a server may ask for a password, which no failure shows", async (t) => {
  const password = "p@ss:w/örd";
  const server = await startSmtp(t, { auth: { user: "ada@example.org", password } });
  const url = (secret: string) => `smtp://ada%40example.org:${encodeURIComponent(secret)}@127.0.0.1:${server.port}`;
  const right = createSmtpTransport({ url: url(password), from: FROM });
  t.teardown(() => right.close());
  await right.send(outgoing(), NEVER);
  t.equal(server.received[0]?.user, "ada@example.org");
  const wrong = createSmtpTransport({ url: url("hunter2"), from: FROM });
  t.teardown(() => wrong.close());
  const error = await wrong.send(outgoing(), NEVER).catch((error: unknown) => error);
  t.match(error, { name: "MailFailure", of: "everything", message: /answered 535.* to AUTH/ });
  t.notMatch(`${error}`, /hunter2|ada/);
});

t.test("a server that says nothing is given up, and one whose talk is cut off is not waited for", async (t) => {
  const server = await startSmtp(t);
  server.verdict = "hang";
  const impatient = createSmtpTransport({ url: server.url, from: FROM, patience: 100 });
  await t.rejects(impatient.send(outgoing(), NEVER), { of: "everything", message: /ETIMEDOUT/ });
  const patient = createSmtpTransport({ url: server.url, from: FROM });
  const stop = new AbortController();
  const sending = patient.send(outgoing(), stop.signal);
  stop.abort();
  await t.rejects(sending, { of: "everything", message: /took too long/ });
  impatient.close();
  patient.close();
});
