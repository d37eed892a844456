import { setTimeout as sleep } from "node:timers/promises";
import { GalleyError } from "#protocol/errors";
import type { Log } from "../../log.ts";
import type { DocumentStore } from "../../stores/document-store.ts";
import { claimed, failed, failureOf, notSent, sent } from "./mail-outcomes.ts";
import { type MailRecord, queuedMails, removeMail, writeMail } from "./mail-records.ts";
import type { MailTransport } from "./mail-transport.ts";

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
/** Pauses of the whole queue while nothing can be sent; the last one from then on. */
const PAUSES = [SECOND, 5 * SECOND, 30 * SECOND];
/** How long a try may take. */
const TRY_LIMIT = 60 * SECOND;
/** After the reply to the request that queued a mail: how long that took must not tell whether one is sent. */
const WAKE_DELAY = 20;
/** Mails that other nodes queued and could not send, and whatever else was missed. */
const LOOK_INTERVAL = 30 * SECOND;
const GRACE = 5 * SECOND;

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
      .catch((error: unknown) => {
        log.warn({ err: error }, "queued mail cannot be read; trying again soon");
        lookIn(SECOND);
      })
      .then(() => {
        looking = undefined;
        if (again) {
          again = false;
          look();
        }
      });
  }

  async function takeDue(): Promise<void> {
    for await (const mail of queuedMails(store)) {
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
      await settle(failed(mail, mail.reason ?? "it was not sent in time", now));
      return;
    }
    const own = await claim(mail, now);
    if (!own) return;
    const limit = setTimeout(() => attempt.abort(), TRY_LIMIT);
    let outcome: MailRecord;
    try {
      const { file } = await deliver(own, attempt.signal);
      if (own.to !== undefined) works();
      outcome = sent(own, file, clock());
    } catch (error) {
      // Cut off by `close`: nobody holds it once this process has ended.
      if (ending.signal.aborted) return;
      const failure = failureOf(error);
      if (failure.of === "everything") pause(failure.reason, clock());
      outcome = notSent(own, failure, clock());
    } finally {
      clearTimeout(limit);
    }
    await settle(outcome);
  }

  /** Makes this node the only one that sends it; undefined if another was faster. */
  async function claim(mail: MailRecord, now: number): Promise<MailRecord | undefined> {
    const own = claimed(mail, store.nodes.self, now);
    const write = writeMail(store, own, now);
    try {
      await store.commit([write]);
      return { ...own, version: write.version };
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
  }

  /** Notes what became of a mail. That it was sent is known here alone, so this does not give up before the end. */
  async function settle(outcome: MailRecord): Promise<void> {
    const { id, kind, to, state, tries, reason } = outcome;
    if (state === "failed") log.warn({ mail: id, kind, tries, reason }, "a mail could not be sent");
    // What goes to nobody leaves nothing behind.
    const over = to === undefined && state !== "queued";
    const write = over ? removeMail(outcome) : writeMail(store, outcome, clock());
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

  function pause(reason: string, now: number): void {
    // Mails that were sent at the same time tell one thing.
    if (now < pausedUntil) return;
    if (failures === 0) log.warn({ reason }, "mail cannot be sent at present; it is kept and tried again");
    pausedUntil = now + (PAUSES[failures] ?? LOOK_INTERVAL);
    failures++;
  }

  function works(): void {
    if (failures > 0) log.info({}, "mail can be sent again");
    failures = 0;
    pausedUntil = Number.NEGATIVE_INFINITY;
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof GalleyError && error.code === "version_conflict";
}
