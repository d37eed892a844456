import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { GalleyError } from "#protocol/errors";
import { authorizeAdmin } from "../../server/access/authorize.ts";
import { createMail, MAIL, type Mail, type MailRequest, type MailTransport } from "../../server/accounts/mail/mail.ts";
import { readMail } from "../../server/accounts/mail/mail-records.ts";
import { createSmtpTransport } from "../../server/accounts/mail/mail-smtp.ts";
import { MailFailure, type OutgoingMail } from "../../server/accounts/mail/mail-transport.ts";
import { deriveKeys } from "../../server/accounts/secrets/derived-keys.ts";
import type { Log } from "../../server/log.ts";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { openMongoStore } from "../../server/stores/mongodb/store.ts";
import { pagesOf } from "../../server/stores/pages.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";
import { type Engine, onEachEngine } from "../support/engines.ts";
import { keyPrincipal } from "../support/services.ts";
import { startSmtp } from "../support/smtp.ts";
import { until } from "../support/until.ts";

const admin = authorizeAdmin(keyPrincipal(), "settings", "read");
const SECRET = "a secret for tests, at least 32 bytes";
const FROM = { name: "Notes & Co", address: "no-reply@app.example" };
const NOW = Date.UTC(2026, 0, 31, 10);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** What no log and no record of a sent mail may hold. */
const CANARIES = /canary-link|493817|canary-name/;

onEachEngine(t, (t, engine) => {
  t.test("a mail that is queued in a commit is sent once, with its headers and both its bodies", async (t) => {
    const { mail, queue, infos, rows, lines } = await start(t, engine);
    const server = await startSmtp(t);
    const sender = mail(createSmtpTransport({ url: server.url, from: FROM }));
    await queue(sender, request(0, { locale: "de-AT" }), request(1, { kind: "verify" }));
    for (let i = 2; i < 16; i++) await queue(sender, request(i));
    await until(() => server.received.length === 16);
    await until(async () => (await infos()).every(({ state }) => state === "sent"));
    t.same(server.received.map(({ to }) => to[0]).sort(), Array.from({ length: 16 }, (_, i) => addressOf(i)).sort());
    t.ok(server.peak <= 4, `${server.peak} connections at once`);
    const first = server.received.find(({ to }) => to[0] === addressOf(0));
    t.match(first, { from: FROM.address, headers: { to: addressOf(0), "auto-submitted": "auto-generated" } });
    t.equal(first?.headers.from, `"Notes & Co" <${FROM.address}>`);
    t.match(first?.headers["message-id"], /^<[0-9a-f]{32}@app\.example>$/);
    t.equal(new Set(server.received.map(({ headers }) => headers["message-id"])).size, 16);
    t.equal(first?.headers.subject, "Neues Kennwort für Notes");
    t.match(first?.text, /https:\/\/app\.example\/auth\/reset#token=canary-link-0/);
    const second = server.received.find(({ to }) => to[0] === addressOf(1));
    t.equal(second?.headers.subject, "Confirm your address for Notes");
    for (const body of [second?.text, second?.html]) t.ok(body?.includes("canary-link-1") && body.includes("493817"));

    for (const { value } of await rows()) {
      t.notMatch(JSON.stringify(value), CANARIES, "what it said is gone");
      t.same([value.state, value.values, value.dueAt, value.node], ["sent", undefined, undefined, undefined]);
      t.equal((value.expiresAt as Date).getTime(), (value.sentAt as Date).getTime() + 30 * DAY);
    }
    t.notMatch(lines.join("\n"), CANARIES);
    const page = await sender.list(admin, { limit: 10 });
    t.match(page.mails[0], { to: addressOf(15), state: "sent", tries: 1, reason: null, file: null });
    const rest = await sender.list(admin, { limit: 10, after: page.next ?? "" });
    t.same([page.mails.length, rest.mails.length, rest.next], [10, 6, undefined]);
    await t.rejects(sender.list(admin, { after: "no id", limit: 0 }), { code: "invalid_argument" });
  });

  t.test("a mail to nobody is stored like any other, shown to nobody, and goes nowhere", async (t) => {
    const { mail, queue, rows, lines } = await start(t, engine);
    const server = await startSmtp(t);
    const sender = mail(createSmtpTransport({ url: server.url, from: FROM }));
    const [real, decoy] = [sender.queued(request(0)), sender.queued(request(0, { to: undefined }))];
    const shapeOf = ({ text }: { text: string }) => Object.keys(JSON.parse(text)).filter((key) => key !== "to");
    t.same(shapeOf(decoy as { text: string }), shapeOf(real as { text: string }));
    t.notMatch(JSON.stringify([real, decoy]), CANARIES, "what a queued mail says is sealed");
    await queue(sender, request(1, { to: undefined }));
    t.same((await sender.list(admin, {})).mails, []);
    await until(async () => (await rows()).length === 0);
    t.same([server.texts, lines], [[], []]);
  });

  t.test("a server that is away is waited for; nothing is lost, and the log says it once", async (t) => {
    const { mail, queue, time, infos, rows, lines } = await start(t, engine);
    const server = await startSmtp(t);
    server.verdict = "away";
    const sender = mail(createSmtpTransport({ url: server.url, from: FROM }));
    await queue(sender, request(0), request(1), request(2));
    await until(async () => (await infos()).every(({ reason }) => reason?.includes("cannot be reached")));
    for (const [i, pause] of [SECOND, 5 * SECOND, 30 * SECOND].entries()) {
      time.now += pause;
      sender.wake();
      // One mail finds out whether the server is back.
      await until(async () => {
        const all = (await rows()).map(readMail);
        return all.every(({ node }) => node === undefined) && all.reduce((sum, one) => sum + one.tries, 0) === 4 + i;
      });
    }
    t.match(lines, [/^warn .*cannot be sent at present/]);
    server.verdict = "take";
    time.now += 2 * MINUTE;
    sender.wake();
    await until(() => server.received.length === 3);
    await until(async () => (await infos()).every(({ state, reason }) => state === "sent" && reason === null));
    t.match(lines.at(-1), /^info .*mail can be sent again/);
    t.equal(lines.length, 2);
  });

  t.test("what a server does not take now is tried again after growing waits, until it is not worth it", async (t) => {
    const { mail, queue, time, infos, rows, lines } = await start(t, engine);
    const server = await startSmtp(t);
    server.verdict = { code: 451, text: "4.7.1 greylisted canary-link-0" };
    const sender = mail(createSmtpTransport({ url: server.url, from: FROM }));
    await queue(sender, request(0, { until: new Date(time.now + 3 * HOUR) }));
    const waits: number[] = [];
    for (let tried = 1; ; tried++) {
      await until(async () => (await rows()).some(({ value }) => value.tries === tried && value.node === undefined));
      const due = (await rows())[0]?.value.dueAt;
      if (!(due instanceof Date)) break;
      waits.push(due.getTime() - time.now);
      time.now = due.getTime();
      sender.wake();
    }
    t.same(
      waits.slice(0, 7),
      [1, 5, 30, 120, 600, 1800, 3600].map((seconds) => seconds * SECOND),
    );
    t.ok(waits.length < 20 && server.texts.length === waits.length + 1);
    t.equal(new Set(server.texts.map((text) => /^Message-ID: (.*)$/im.exec(text)?.[1])).size, 1);
    t.match(await infos(), [{ state: "failed", reason: "the mail server answered 451 4.7.1 to DATA", sentAt: null }]);
    t.notMatch([(await rows())[0]?.text, ...lines].join("\n"), CANARIES, "whatever the server quotes");
    t.match(lines, [/^warn .*451 4\.7\.1.*could not be sent/]);
  });

  t.test("what a server refuses for good is shown as failed at once; the others go on", async (t) => {
    const { mail, queue, infos, rows } = await start(t, engine);
    const server = await startSmtp(t, {
      onRcptTo: ({ address }, _session, done) =>
        address === addressOf(0)
          ? done(Object.assign(new Error("5.1.1 no such user\u001b[31m"), { responseCode: 550 }))
          : done(),
    });
    const sender = mail(createSmtpTransport({ url: server.url, from: FROM }));
    await queue(sender, request(0), request(1));
    await until(async () => (await infos()).every(({ state }) => state !== "queued"));
    const [first, second] = (await infos()).sort((a, b) => (a.to < b.to ? -1 : 1));
    t.match(first, { state: "failed", tries: 1, reason: /^the mail server answered 550 .*no such user.* to RCPT$/ });
    t.notMatch(first?.reason, /\p{Cc}/u);
    t.match(second, { state: "sent" });
    for (const { text } of await rows()) t.notMatch(text, CANARIES);
  });

  t.test("a server that drops or hangs in the middle gets the same message again", async (t) => {
    const { mail, queue, time, infos } = await start(t, engine);
    const server = await startSmtp(t);
    const sender = mail(createSmtpTransport({ url: server.url, from: FROM, patience: 1500 }));
    server.verdict = "drop";
    await queue(sender, request(0));
    await until(async () => (await infos())[0]?.reason !== null);
    server.verdict = "hang";
    time.now += 5 * SECOND;
    sender.wake();
    await until(async () => (await infos())[0]?.reason?.includes("ETIMEDOUT") === true);
    server.verdict = "take";
    time.now += 30 * SECOND;
    sender.wake();
    await until(async () => (await infos())[0]?.state === "sent");
    t.equal(server.texts.length, 3);
    t.equal(new Set(server.texts.map((text) => /^Message-ID: (.*)$/im.exec(text)?.[1])).size, 1);
    t.equal(server.received.length, 1);
  });

  t.test("two nodes send each mail once, and one goes on where the other was killed", async (t) => {
    const { mail, queue, rows, nodes, infos } = await start(t, engine, 2);
    const [one, two] = [recorder(), recorder()];
    const [a, b] = [mail(one, nodes[0]), mail(two, nodes[1])];
    for (let i = 0; i < 20; i++) {
      await queue(i % 2 ? a : b, request(i));
      a.wake();
      b.wake();
    }
    await until(async () => (await infos()).every(({ state }) => state === "sent"));
    t.same(
      [...one.sent, ...two.sent].map(({ to }) => to).sort(),
      Array.from({ length: 20 }, (_, i) => addressOf(i)).sort(),
    );

    // One dies between the server's 250 and its own note of it.
    await Promise.all([a.close(), b.close()]);
    const dying = nodes[0];
    const kept: DocumentStore = { ...dying, commit: (writes) => dying.commit(one.dead ? ghosts(writes) : writes) };
    const first = mail(one, kept, 50);
    one.dies = true;
    await queue(first, request(20));
    await until(() => one.sent.some(({ to }) => to === addressOf(20)));
    const second = mail(two, nodes[1]);
    second.wake();
    await first.close();
    const [row] = (await rows()).filter(({ value }) => value.state === "queued");
    t.match(row?.value, { node: dying.nodes.self, tries: 1 });
    t.notOk(
      two.sent.some(({ to }) => to === addressOf(20)),
      "whose lease it is, sends it",
    );
    await dying.close();
    await until(async () => {
      second.wake();
      return (await infos(second)).every(({ state }) => state === "sent");
    });
    const twice = [...one.sent, ...two.sent].filter(({ to }) => to === addressOf(20));
    t.equal(twice.length, 2, "it cannot be known");
    t.equal(new Set(twice.map(({ message }) => /^Message-ID: (.*)$/im.exec(message.toString())?.[1])).size, 1);
  });

  t.test("a mail that was sent is not sent again because that could not be noted at once", async (t) => {
    const { mail, queue, nodes, infos, lines } = await start(t, engine);
    const [store] = nodes;
    const transport = recorder();
    let failures = 0;
    const shaky: DocumentStore = {
      ...store,
      async commit(writes) {
        if (transport.sent.length === 0 || failures === 3) return store.commit(writes);
        failures++;
        // The last of them is stored, and its answer is lost.
        if (failures === 3) await store.commit(writes);
        throw new GalleyError("unavailable", "the store has gone", { outcome: "unknown" });
      },
    };
    const sender = mail(transport, shaky);
    await queue(sender, request(0));
    await until(async () => (await infos())[0]?.state === "sent");
    await sender.close();
    t.same([transport.sent.length, failures], [1, 3]);
    t.match(lines, [/cannot be noted; trying again/, /cannot be noted/, /cannot be noted/]);
  });

  t.test("closing ends with what is being sent, or cuts it off; the next start goes on", async (t) => {
    const { mail, queue, infos, nodes } = await start(t, engine, 2);
    const server = await startSmtp(t);
    server.verdict = "hang";
    const first = mail(createSmtpTransport({ url: server.url, from: FROM }), nodes[0], 50);
    await queue(first, request(0), request(1, { to: undefined }));
    await until(() => server.texts.length === 1);
    await first.close();
    await first.close();
    await nodes[0].close();
    server.verdict = "take";
    const second = mail(createSmtpTransport({ url: server.url, from: FROM }), nodes[1]);
    await until(() => server.received.length === 1);
    await until(async () => (await infos(second)).every(({ state, tries }) => state === "sent" && tries === 2));
  });

  t.test("a mail whose time is over, or that cannot be opened, fails with the reason", async (t) => {
    const { mail, queue, time, infos, rows } = await start(t, engine);
    const server = await startSmtp(t);
    const sender = mail(createSmtpTransport({ url: server.url, from: FROM }));
    await queue(sender, request(0, { until: new Date(time.now) }));
    await until(async () => (await infos())[0]?.state === "failed");
    t.match(await infos(), [{ reason: "it was not sent in time", tries: 0 }]);
    await sender.close();
    await queue(sender, request(1), request(2, { to: undefined }));
    const other = mail(
      createSmtpTransport({ url: server.url, from: FROM }),
      undefined,
      undefined,
      `${SECRET}, another`,
    );
    other.wake();
    await until(async () => (await infos())[0]?.state === "failed");
    t.match(await infos(), [{ reason: /GALLEY_SECRET is another one/ }, {}]);
    await until(async () => (await rows()).length === 2);
    t.same([server.texts, (await rows()).map(({ value }) => value.values)], [[], [undefined, undefined]]);
  });
});

interface Recorder extends MailTransport {
  readonly sent: OutgoingMail[];
  /** Whether its process dies with the next mail. */
  dies: boolean;
  dead: boolean;
}

/** A transport that notes what it is given. */
function recorder(): Recorder {
  const made: Recorder = {
    from: FROM,
    sent: [],
    dies: false,
    dead: false,
    async send(mail) {
      made.sent.push(mail);
      made.dead = made.dies;
      return {};
    },
    close() {},
  };
  return made;
}

/** What a dead process stores: nothing, and its answer does not come. */
function ghosts(_writes: unknown): never {
  throw new MailFailure("everything", "this process is dead");
}

function addressOf(i: number): string {
  return `reader-${i}@example.org`;
}

function request(i: number, over: Partial<MailRequest> = {}): MailRequest {
  const link = `https://app.example/auth/reset#token=canary-link-${i}`;
  const values = { app: "Notes", name: "canary-name", link, code: "493817", minutes: "30" };
  return { kind: "reset", to: addressOf(i), values, until: new Date(NOW + 30 * MINUTE), ...over };
}

const GERMAN = { subject: "Neues Kennwort für {{app}}", text: "Hier: {{link}}" };

/** Nodes on one store, and what looks into it. */
async function start(t: Test, engine: Engine, count = 1) {
  const time = { now: NOW };
  const nodes = await openNodes(t, engine, count);
  const [store] = nodes;
  await store.ensureCollection(MAIL);
  const lines: string[] = [];
  const note = (level: string) => (event: object, message: string) => {
    lines.push(`${level} ${JSON.stringify(event)} ${message}`);
  };
  const log: Log = { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") };
  const random = (bytes: number) => randomBytes(bytes);
  let looker: Mail | undefined;

  function mail(transport: MailTransport, on: DocumentStore = store, grace?: number, secret = SECRET): Mail {
    const keys = deriveKeys([secret]);
    const templates = () => ({ reset: { de: GERMAN } });
    const options = { store: on, clock: () => time.now, random, log, keys, transport, templates };
    const made = createMail({ ...options, ...(grace !== undefined && { grace }) });
    t.teardown(() => made.close());
    looker ??= made;
    return made;
  }

  return {
    ...{ time, nodes, lines, mail },
    /** Stores mails in one commit, and wakes the sender. */
    async queue(sender: Mail, ...requests: readonly MailRequest[]) {
      const writes = requests.map((one) => {
        time.now++; // Newer ids come first.
        return sender.queued(one);
      });
      await store.commit(writes);
      sender.wake();
    },
    infos: async (by = looker) => (await by?.list(admin, { limit: 200 }))?.mails ?? [],
    async rows() {
      for await (const { rows } of pagesOf(store, MAIL.name, 500)) return rows;
      return [];
    },
  };
}

/** On SQLite one process has the store: further nodes there are the same store under other names. */
async function openNodes(t: Test, engine: Engine, count: number): Promise<[DocumentStore, ...DocumentStore[]]> {
  const folder = mkdtempSync(join(tmpdir(), "galley-mail-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const url = engine.env(folder).GALLEY_MONGODB_URL;
  const clock = Date.now;
  if (url !== undefined) {
    const open = async () => {
      const store = await openMongoStore({ url, clock, random: (bytes) => randomBytes(bytes), warn: () => {} });
      t.teardown(() => store.close());
      await store.opened;
      return store;
    };
    const first = await open();
    return [first, ...(await Promise.all(Array.from({ length: count - 1 }, open)))];
  }
  const store = await openSqliteStore({ folder, clock });
  t.teardown(() => store.close());
  if (count === 1) return [store];
  const alive = new Set<string>();
  const view = (name: string): DocumentStore => {
    alive.add(name);
    const lives = (node: string) => alive.has(node);
    const close = async () => void alive.delete(name);
    return { ...store, nodes: { ...store.nodes, self: name, lives }, close };
  };
  return [view("node-0"), ...Array.from({ length: count - 1 }, (_, i) => view(`node-${i + 1}`))];
}
