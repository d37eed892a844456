import { setTimeout as sleep } from "node:timers/promises";
import type { Key } from "#protocol/compare";
import { GalleyError } from "#protocol/errors";
import type { Log } from "../log.ts";
import type { DocumentStore, Write } from "../stores/document-store.ts";
import { MAIL, type MailRecord, readMail, removeMail, writeMail } from "./mail-records.ts";
import { MailFailure, type MailTransport } from "./mail-transport.ts";

export interface MailQueueOptions {
  readonly store: DocumentStore;
  readonly clock: () => number;
  readonly log: Log;
  /** Brings a mail on its way; one to nobody is only made. @throws MailFailure */
  readonly deliver: (mail: MailRecord, signal: AbortSignal) => ReturnType<MailTransport["send"]>;
  /** Milliseconds that `close` waits for mails that are being sent. */
  readonly grace?: number;
}

/** Sends what is queued in `_mail`, each mail by one node at a time. */
export interface MailQueue {
  /** Looks soon whether something is due. */
  wake(): void;
  /** Ends with what is being sent, or cuts it off after a while; the next start goes on. */
  close(): Promise<void>;
}

/** Mails sent at once. */
const LANES = 4;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** Waits after a try that failed; the last one from then on. */
const WAITS = [SECOND, 5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, 60 * MINUTE];
/** The longest of them where the mail had no part in the failure. */
const LONGEST_WAIT_FOR_SERVER = 2 * MINUTE;
/** Pauses of the whole queue while nothing can be sent. */
const PAUSES = [SECOND, 5 * SECOND, 30 * SECOND];
/** With less time left a mail is not tried again. */
const TOO_LATE = 30 * SECOND;
/** How long a try may take. */
const TRY_LIMIT = MINUTE;
/** Much longer than a try, so that clocks may differ; the mails of a node that has ended are free at once. */
const LEASE = 5 * MINUTE;
/** For how long a record of what became of a mail is kept. */
export const KEPT = 30 * 24 * 60 * MINUTE;
/** After the reply to the request that queued a mail: how long that took must not tell whether one is sent. */
const WAKE_DELAY = 20;
/** Mails that other nodes queued and could not send, and whatever else was missed. */
const LOOK_INTERVAL = 30 * SECOND;
const GRACE = 5 * SECOND;
const PAGE = 50;

export function createMailQueue({ store, clock, log, deliver, grace = GRACE }: MailQueueOptions): MailQueue {
  const inHand = new Map<string, { readonly work: Promise<void>; readonly abort: () => void }>();
  const ending = new AbortController();
  let closing: Promise<void> | undefined;
  /** Failures in a row that no mail had a part in. */
  let failures = 0;
  let pausedUntil = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | undefined;
  let again = false;
  let next: { readonly timer: NodeJS.Timeout; readonly at: number } | undefined;

  const interval = setInterval(look, LOOK_INTERVAL);
  interval.unref();
  lookIn(WAKE_DELAY);

  return {
    wake: () => lookIn(WAKE_DELAY),
    close() {
      closing ??= close();
      return closing;
    },
  };

  async function close(): Promise<void> {
    clearInterval(interval);
    clearTimeout(next?.timer);
    await looking;
    const sent = Promise.all([...inHand.values()].map(({ work }) => work));
    await Promise.race([sent, sleep(grace, undefined, { ref: false })]);
    ending.abort();
    for (const { abort } of inHand.values()) abort();
    await sent;
  }

  function lookIn(milliseconds: number): void {
    const at = performance.now() + milliseconds;
    if (closing || (next && next.at <= at)) return;
    clearTimeout(next?.timer);
    const timer = setTimeout(() => {
      next = undefined;
      look();
    }, milliseconds);
    timer.unref();
    next = { timer, at };
  }

  /** Looks once more if it is asked to while it looks: what it has read may be out of date. */
  function look(): void {
    if (closing) return;
    if (looking) {
      again = true;
      return;
    }
    looking = takeDue()
      .catch((error: unknown) => log.warn({ err: error }, "queued mail cannot be read; trying again later"))
      .then(() => {
        looking = undefined;
        if (again) {
          again = false;
          look();
        }
      });
  }

  async function takeDue(): Promise<void> {
    for await (const mail of queuedInOrder(store)) {
      const now = clock();
      const wait = Math.max(mail.dueAt.getTime(), pausedUntil) - now;
      if (wait > 0) return lookIn(Math.min(wait, LOOK_INTERVAL));
      // While nothing can be sent, one mail finds out whether that is over.
      if (closing || inHand.size >= (failures > 0 ? 1 : LANES)) return;
      if (!inHand.has(mail.id) && isFree(mail, now)) take(mail);
    }
  }

  function isFree({ node, leaseUntil }: MailRecord, now: number): boolean {
    if (node === undefined || node === store.nodes.self || !store.nodes.lives(node)) return true;
    return leaseUntil === undefined || leaseUntil.getTime() <= now;
  }

  function take(mail: MailRecord): void {
    const attempt = new AbortController();
    const work = handle(mail, attempt).then(
      () => finish(mail.id, WAKE_DELAY),
      (error: unknown) => {
        if (!ending.signal.aborted) log.warn({ err: error, mail: mail.id }, "a queued mail is left for later");
        finish(mail.id, SECOND);
      },
    );
    inHand.set(mail.id, { work, abort: () => attempt.abort() });
  }

  function finish(id: string, wait: number): void {
    inHand.delete(id);
    lookIn(wait);
  }

  async function handle(mail: MailRecord, attempt: AbortController): Promise<void> {
    const now = clock();
    if (mail.until.getTime() <= now) {
      await settle(endOf(mail, mail.reason ?? "it was not sent in time", now));
      return;
    }
    const claimed = await claim(mail, now);
    if (!claimed) return;
    const limit = setTimeout(() => attempt.abort(), TRY_LIMIT);
    let write: Write;
    try {
      const { file } = await deliver(claimed, attempt.signal);
      if (claimed.to !== undefined) works();
      write = claimed.to === undefined ? removeMail(claimed) : sentOf(claimed, file, clock());
    } catch (error) {
      // Cut off by `close`: nobody holds it once this process has ended.
      if (ending.signal.aborted) return;
      write = notSentOf(claimed, error, clock());
    } finally {
      clearTimeout(limit);
    }
    await settle(write);
  }

  /** Makes this node the only one that sends it; undefined if another was faster. */
  async function claim(mail: MailRecord, now: number): Promise<MailRecord | undefined> {
    const claimed = {
      ...mail,
      tries: mail.tries + 1,
      node: store.nodes.self,
      leaseUntil: new Date(now + LEASE),
    };
    const write = writeMail(store, claimed, now);
    try {
      await store.commit([write]);
      return { ...claimed, version: write.version };
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
  }

  /** Notes what became of a mail. That it was sent is known here alone, so this does not give up before the end. */
  async function settle(write: Write): Promise<void> {
    for (let wait = 100; ; wait = Math.min(2 * wait, 5 * SECOND)) {
      try {
        await store.commit([write]);
        return;
      } catch (error) {
        // It was stored by a try whose answer was lost; or somebody else has taken it, long after its lease.
        if (isConflict(error)) return;
        if (ending.signal.aborted) throw error;
        log.warn({ err: error }, "what became of a mail cannot be noted; trying again");
      }
      await sleep(wait, undefined, { signal: ending.signal }).catch(() => {});
    }
  }

  function sentOf({ reason: _, ...mail }: MailRecord, file: string | undefined, now: number): Write {
    return writeMail(
      store,
      {
        ...withoutSecrets(mail),
        state: "sent",
        sentAt: new Date(now),
        expiresAt: new Date(now + KEPT),
        ...(file !== undefined && { file }),
      },
      now,
    );
  }

  function endOf(mail: MailRecord, reason: string, now: number): Write {
    const { id, kind, tries } = mail;
    log.warn({ mail: id, kind, tries, reason }, "a mail could not be sent");
    if (mail.to === undefined) return removeMail(mail);
    const failed = { ...withoutSecrets(mail), state: "failed", reason, expiresAt: new Date(now + KEPT) } as const;
    return writeMail(store, failed, now);
  }

  function notSentOf(mail: MailRecord, error: unknown, now: number): Write {
    const { of, message: reason } = error instanceof MailFailure ? error : unforeseen(error);
    if (of === "everything") pause(reason, now);
    else works();
    const left = mail.until.getTime() - now;
    if (of === "this-mail" || left < TOO_LATE) return endOf(mail, reason, now);
    const most = of === "everything" ? LONGEST_WAIT_FOR_SERVER : Number.POSITIVE_INFINITY;
    // Half of what is left at most, so that the last try is not long before the end.
    const wait = Math.min(WAITS[mail.tries - 1] ?? 60 * MINUTE, most, left / 2);
    const { node: _, leaseUntil: __, ...kept } = mail;
    return writeMail(store, { ...kept, reason, dueAt: new Date(now + wait) }, now);
  }

  function pause(reason: string, now: number): void {
    // Mails that were sent at the same time tell one thing.
    if (now < pausedUntil) return;
    if (failures === 0) log.warn({ reason }, "mail cannot be sent at present; it is kept and tried again");
    pausedUntil = now + (PAUSES[failures] ?? 30 * SECOND);
    failures++;
  }

  function works(): void {
    if (failures > 0) log.info({}, "mail can be sent again");
    failures = 0;
    pausedUntil = Number.NEGATIVE_INFINITY;
  }

  function unforeseen(error: unknown): Pick<MailFailure, "of" | "message"> {
    // Its message may quote what was to be sent.
    const { name, code } = error as NodeJS.ErrnoException;
    return { of: "this-time", message: `the mail could not be made (${code ?? name})` };
  }
}

/** A mail that is queued. */
type Queued = MailRecord & { readonly dueAt: Date };

/** What is queued, the longest due first. */
async function* queuedInOrder(store: DocumentStore): AsyncGenerator<Queued> {
  const path = ["dueAt"];
  const query = {
    collection: MAIL.name,
    filter: { kind: "compare", op: "gte", path, value: new Date(0) },
    sort: [
      { path, descending: false },
      { path: ["_id"], descending: false },
    ],
    limit: PAGE,
    budget: { candidates: Number.POSITIVE_INFINITY, milliseconds: 10 * SECOND },
  } as const;
  for (let after: Key[] | undefined; ; ) {
    const { rows, more } = await store.find(after ? { ...query, after } : query);
    const queued = rows.map(readMail).filter((mail): mail is Queued => mail.dueAt !== undefined);
    yield* queued;
    const last = queued.at(-1);
    if (!more || !last) return;
    after = [last.dueAt, last.id];
  }
}

/** Without what only a queued mail has. */
function withoutSecrets(mail: MailRecord): MailRecord {
  const { values: _, dueAt: __, node: ___, leaseUntil: ____, ...kept } = mail;
  return kept;
}

function isConflict(error: unknown): boolean {
  return error instanceof GalleyError && error.code === "version_conflict";
}
