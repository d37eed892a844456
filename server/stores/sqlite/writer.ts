import { GalleyError } from "#protocol/errors";
import type { StoredCollection, Write } from "../document-store.ts";
import type { Refusal, WriterOptions, WriterReply, WriterRequest } from "./messages.ts";
import { packGroup } from "./packed-group.ts";
import { startThread, type Thread } from "./writer-link.ts";

/** The main thread's side of the writer: groups commits, sends one request at a time, and settles each promise. */
export interface Writer {
  /** Resolves to the commit's sequence number once it is durable; the last one before it if it changed nothing. */
  commit(writes: readonly Write[]): Promise<number>;
  ensure(definition: StoredCollection): Promise<void>;
  drop(collection: string): Promise<number | undefined>;
  /** Resolves once all that was asked before has been answered. @throws GalleyError `unavailable` if that cannot be known */
  settled(): Promise<void>;
  /** Takes the answer to what is under way, if it has come: for those who have the event loop while it is busy. */
  poll(): void;
  /** Whether the thread runs. */
  readonly running: boolean;
  /** Ends after everything that was asked before. */
  close(): Promise<void>;
}

export interface WriterEvents {
  /** The thread had ended and runs again; `sequence` and `highest` version are what it found in the file. */
  restarted(sequence: number, highest: number): void;
  /** In commit order, before the promise of the commit is settled. `dropped` is told with no writes. */
  committed(sequence: number, writes: readonly Write[], dropped?: string): void;
  /** A place where tests stop: a group is durable, and nobody has been told. */
  pause?: ((at: "before-reply") => void | Promise<void>) | undefined;
}

/** Commits, and characters of their texts, that share one transaction. More only adds to what the last one waits for. */
const GROUP = { commits: 500, size: 8 * 1024 * 1024 };
/** A group is not waited for beyond this many commits or turns of the event loop. */
const GATHER = { commits: 64, turns: 12 };
/** So many commits are not worth a turn of the event loop. */
const FEW = 4;
/** What may wait; beyond it a commit is refused at once rather than kept in memory. */
const WAITING = { commits: 20_000, size: 128 * 1024 * 1024 };

interface Job {
  readonly request:
    | { readonly kind: "commit"; readonly writes: readonly Write[] }
    | Exclude<WriterRequest, { kind: "group" }>;
  readonly size: number;
  resolve(sequence: number | undefined): void;
  reject(error: GalleyError): void;
}

/**
 * Starts the writer's thread.
 *
 * Commits called together, or while a group is under way, go over together; under load, also those of a few turns.
 * Should the thread end by itself, what was under way is `unknown`; what waits goes to the next thread, or is refused if
 * none starts.
 */
export async function startWriter(
  options: WriterOptions,
  events: WriterEvents,
): Promise<{ writer: Writer; sequence: number; highest: number }> {
  let thread: Thread | undefined;
  let underWay: readonly Job[] | undefined;
  let waiting: Job[] = [];
  let size = 0;
  let last = 0;
  let gathering = false;
  /** How many were sent together last. */
  let lastGroup = 0;
  let starting = false;
  let closing: Promise<void> | undefined;
  /** Replies are told one after the other, also when a test holds one up. */
  let telling: Promise<void> | undefined;

  async function start(): Promise<{ sequence: number; highest: number }> {
    starting = true;
    try {
      const started = await startThread(options, receive, lostThread);
      thread = started.thread;
      last = started.sequence;
      return started;
    } finally {
      starting = false;
    }
  }

  async function restart(): Promise<void> {
    try {
      const { sequence, highest } = await start();
      events.restarted(sequence, highest);
      send();
    } catch (cause) {
      for (const job of takeAll()) job.reject(unavailable("the store's writer does not start", "not_applied", cause));
    }
  }

  function lostThread(cause: unknown): void {
    thread = undefined;
    const jobs = underWay ?? [];
    underWay = undefined;
    for (const job of jobs) job.reject(unavailable("the store's writer stopped", "unknown", cause));
    void restart();
  }

  function enqueue(request: Job["request"], length: number): Promise<number | undefined> {
    if (closing) return Promise.reject(unavailable("the store is closed", "not_applied"));
    if (waiting.length >= WAITING.commits || (size + length > WAITING.size && waiting.length > 0)) {
      return Promise.reject(unavailable("more writes are waiting than the disk can take", "not_applied"));
    }
    return new Promise((resolve, reject) => {
      waiting.push({ request, size: length, resolve, reject });
      size += length;
      if (!underWay) sendSoon();
    });
  }

  /** Where few write there is nobody to wait for, and a turn of a busy event loop takes longer than the disk. */
  function sendSoon(): void {
    if (lastGroup <= FEW && waiting.length <= FEW) process.nextTick(send);
    else gather();
  }

  /**
   * Sends once a turn of the event loop has brought few more, or enough is there: under load a group fills, and its sync
   * and the way to the thread are shared.
   */
  function gather(turns = 0, before = 0): void {
    if (turns === 0) {
      if (gathering) return;
      gathering = true;
    }
    setImmediate(() => {
      const more = waiting.length > before + FEW && waiting.length < GATHER.commits && turns < GATHER.turns;
      if (more) return gather(turns + 1, waiting.length);
      gathering = false;
      send();
    });
  }

  function send(): void {
    if (underWay || starting || waiting.length === 0) return;
    if (!thread) {
      void restart();
      return;
    }
    underWay = takeGroup();
    lastGroup = underWay.length;
    const commits = underWay.flatMap(({ request }) => (request.kind === "commit" ? [request.writes] : []));
    const [first] = underWay;
    thread.send(
      first && first.request.kind !== "commit" ? first.request : { kind: "group", commits: packGroup(commits) },
    );
  }

  /** The commits at the head of the queue, or the one other request there. */
  function takeGroup(): readonly Job[] {
    let count = 0;
    let taken = 0;
    for (const job of waiting) {
      const fits = count === 0 || (job.request.kind === "commit" && taken + job.size <= GROUP.size);
      if (!fits || count === GROUP.commits) break;
      count += 1;
      taken += job.size;
      if (job.request.kind !== "commit") break;
    }
    size -= taken;
    return waiting.splice(0, count);
  }

  function takeAll(): readonly Job[] {
    const jobs = waiting;
    waiting = [];
    size = 0;
    return jobs;
  }

  function receive(reply: WriterReply): void {
    const jobs = underWay ?? [];
    underWay = undefined;
    if (waiting.length > 0) sendSoon();
    if (!events.pause && !telling) tell(jobs, reply);
    else
      telling = (telling ?? Promise.resolve()).then(() => events.pause?.("before-reply")).then(() => tell(jobs, reply));
  }

  function tell(jobs: readonly Job[], reply: WriterReply): void {
    for (const [i, job] of jobs.entries()) {
      const verdict = verdictOf(reply, i);
      if (typeof verdict === "object") {
        job.reject(new GalleyError(verdict.code, verdict.message, verdict.details, verdict.cause));
        continue;
      }
      if (verdict !== undefined && verdict > last) {
        last = verdict;
        const { request } = job;
        if (request.kind === "commit") events.committed(verdict, request.writes);
        else if (request.kind === "drop") events.committed(verdict, [], request.collection);
      }
      job.resolve(verdict);
    }
  }

  const { sequence, highest } = await start();
  const writer: Writer = {
    commit: async (writes) => {
      let length = 0;
      for (const write of writes) length += write.kind === "put" ? write.text.length : 0;
      return (await enqueue({ kind: "commit", writes }, length)) ?? last;
    },
    ensure: async (definition) => void (await enqueue({ kind: "ensure", definition }, 0)),
    drop: (collection) => enqueue({ kind: "drop", collection }, 0),
    async settled() {
      if (!underWay && !telling && waiting.length === 0) return;
      try {
        // Nothing is answered before what was asked before it.
        await enqueue({ kind: "commit", writes: [] }, 0);
      } catch (cause) {
        throw unavailable("it cannot be known whether older writes have ended", "unknown", cause);
      }
    },
    poll() {
      if (underWay && !starting) thread?.poll();
    },
    get running() {
      return thread !== undefined;
    },
    close: () => {
      closing ??= enqueue({ kind: "close" }, 0).then(() => thread?.end());
      return closing;
    },
  };
  return { writer, sequence, highest };
}

function verdictOf(reply: WriterReply, i: number): number | undefined | Refusal {
  switch (reply.kind) {
    case "group":
      return reply.verdicts[i];
    case "dropped":
      return reply.sequence;
    case "failed":
      return reply.refusal;
    case "started":
    case "ensured":
    case "closed":
      return undefined;
  }
}

function unavailable(message: string, outcome: "unknown" | "not_applied", cause?: unknown): GalleyError {
  return new GalleyError("unavailable", message, { outcome }, cause);
}
