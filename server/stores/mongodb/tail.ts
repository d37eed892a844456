import { setImmediate as turn, setTimeout as wait } from "node:timers/promises";
import { type Db, Timestamp } from "mongodb";
import { GalleyError } from "#protocol/errors";
import { type CommitLog, createCommitLog } from "../commit-log.ts";
import type { DocumentStore, Lost, Position } from "../document-store.ts";
import type { ChangeEvent } from "./change-events.ts";
import { type Batch, type ChangeStream, isHistoryLost, openChangeStream } from "./change-stream.ts";
import { type CommitGroup, CommitGroups } from "./commit-groups.ts";
import { ImageLost, readUpdated, type Update } from "./foreign-updates.ts";
import { isAfter, positionOf } from "./positions.ts";
import { type InternalChange, readGroup } from "./tail-commit.ts";

export interface TailOptions {
  /** Of the client that the tail and the server's own collections have to themselves. */
  readonly db: Db;
  /** Collections whose documents nobody is told of: of them, drops alone. */
  readonly unfollowed: readonly string[];
  /** The name of the database's history, read anew whenever the order of commits was lost. */
  readonly history: () => Promise<string>;
  /**
   * Told of the engine's own collections, in order, and before listeners are told of the same commit. What it starts is
   * waited for: then the commit is passed.
   */
  readonly internal: (changes: InternalChange) => Promise<unknown> | undefined;
  /** A collection was made, changed its indexes, was dropped or renamed; waited for in the same way. */
  readonly reshaped: (collection: string) => Promise<unknown> | undefined;
  /** Told of the highest version among the documents of a commit. */
  readonly stored: (version: number) => void;
  /** The order of commits was lost; told, and waited for, before the listeners of the port are. */
  readonly lost: Lost;
  /** A stream that ended or failed is being replaced; told once for a row of failures. */
  readonly failed: (error: unknown) => void;
}

/** How often what happened, since the start. */
export interface TailCounts {
  events: number;
  commits: number;
  /** Streams that took the place of one that failed. */
  restarts: number;
  /** Times that the order of commits was lost. */
  losses: number;
}

/** The node's one change stream, told as commits. Before it is open, its methods answer `unavailable`. */
export interface MongoTail extends Pick<DocumentStore, "tail" | "passed">, Pick<CommitLog, "reach"> {
  /** Everything up to here was told. */
  readonly position: Position;
  readonly counts: Readonly<TailCounts>;
  /** How often a collection was made, changed, dropped or renamed: counted before anybody is told. */
  readonly reshaped: number;
  /** Commits were missed: nobody has been told yet; or those who follow them read anew. */
  readonly restarting: "missed" | "reading" | undefined;
  /** Resolves once the stream is open, for as long as that takes. @throws GalleyError `unavailable` if it is closed first */
  open(): Promise<void>;
  /** Replaces a stream that seems to have fallen silent. */
  reopen(): void;
  close(): Promise<void>;
}

/** How long the server waits for events. Its answer also tells how far it has looked, so idle tails stay fresh. */
const POLL_MILLISECONDS = 1000;
/** How long it is asked whether a commit has more events; any answer does. */
const REST_MILLISECONDS = 1;
const BACK_OFF = { first: 50, most: 1000 };
/** Commits that are told in one turn of the event loop. */
const AT_ONCE = 200;
/** What the engine starts for a commit is not waited for any longer: then it looks after itself. */
const MOST_WAIT = 2000;

/**
 * Opens the stream and keeps it open. The position is its only checkpoint (live-queries.md 3.5):
 *
 *   starting -> following       a stream from the position on, commits up to the position skipped
 *   following -> starting       an error, an end or silence: what was half read is thrown away
 *   following -> lost           the server has not kept the commits after the position
 *   lost -> following           from now on; listeners are told to read anew
 */
export function createTail(options: TailOptions): MongoTail {
  const { db, unfollowed, failed } = options;
  const counts: TailCounts = { events: 0, commits: 0, restarts: 0, losses: 0 };
  const closing = new AbortController();
  let log: CommitLog | undefined;
  let stream: ChangeStream | undefined;
  let groups = new CommitGroups();
  /** Documents of the update events in `groups`. */
  const updated = new Map<ChangeEvent, Uint8Array>();
  let history = "";
  /** Every commit up to this time has been told; undefined where the next stream starts at any. */
  let through: Timestamp | undefined;
  /** Where the last stream ended for good: one that starts at that time would end again. */
  let end: Timestamp | undefined;
  let restarting: MongoTail["restarting"];
  let reshaped = 0;
  let opened: () => void = () => {};
  const opening = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const running = run();

  function known(): CommitLog {
    if (log) return log;
    throw new GalleyError("unavailable", "the store's order of commits is not known yet");
  }

  async function run(): Promise<void> {
    let delay = BACK_OFF.first;
    while (!closing.signal.aborted) {
      try {
        await start();
        while (!closing.signal.aborted) {
          await follow();
          delay = BACK_OFF.first;
        }
        // It was closed while the stream was being opened.
        stop();
      } catch (error) {
        stop();
        if (closing.signal.aborted) return;
        if (delay === BACK_OFF.first) failed(error);
        if (isHistoryLost(error) || error instanceof ImageLost || error instanceof StreamEnded) through = undefined;
        await wait(delay, undefined, { signal: closing.signal }).catch(() => {});
        delay = Math.min(delay * 2, BACK_OFF.most);
      }
    }
  }

  async function start(): Promise<void> {
    const fresh = through === undefined;
    if (fresh) history = await options.history();
    const from = through ?? later(await committedTime(db), end);
    stream = await openChangeStream(db, from, unfollowed);
    groups = new CommitGroups();
    updated.clear();
    if (!fresh) {
      counts.restarts += 1;
      return;
    }
    const position = positionOf(history, from);
    if (log) {
      counts.losses += 1;
      restarting = "missed";
      await options.lost();
      restarting = "reading";
      // Nothing is told before, so a node whose listeners cannot read loses its lease.
      await log.restart(position);
      restarting = undefined;
    } else {
      log = createCommitLog(position);
      opened();
    }
    through = from;
  }

  /** One round trip. */
  async function follow(): Promise<void> {
    if (!stream) throw new Error("the change stream was closed");
    const batch = await stream.next(groups.open ? REST_MILLISECONDS : POLL_MILLISECONDS);
    counts.events += batch.events.length;
    await readUpdated(db, batch.events.filter(isNewUpdate), updated);
    for (const [i, group] of groups.take(batch).entries()) {
      if (i % AT_ONCE === AT_ONCE - 1) await turn();
      if (isAfter(group.time, through)) await tell(group);
    }
    advance(batch);
    if (!groups.open) updated.clear();
    if (batch.ended) throw new StreamEnded("the server has ended the change stream");
  }

  function isNewUpdate(event: ChangeEvent): event is Update {
    return event.kind === "update" && isAfter(event.time, through);
  }

  async function tell(group: CommitGroup): Promise<void> {
    const position = positionOf(history, group.time);
    const { commit, version, internal, dropped, shaped, ended } = readGroup(group, position, updated);
    options.stored(version);
    reshaped += dropped.length + shaped.length;
    const started = [...internal.map(options.internal), ...[...dropped, ...shaped].map(options.reshaped)];
    for (const work of started) if (work) await settled(work);
    if (commit) {
      counts.commits += 1;
      known().append(commit);
    }
    through = group.time;
    known().advance(position);
    if (!ended) return;
    end = group.time;
    throw new StreamEnded("the database was dropped");
  }

  /** Where nothing happens the position moves too, as far as the server has looked. */
  function advance({ through: looked }: Batch): void {
    if (groups.open || !looked || !isAfter(looked, through)) return;
    through = looked;
    known().advance(positionOf(history, looked));
  }

  function stop(): void {
    stream?.close();
    stream = undefined;
  }

  return {
    counts,
    get reshaped() {
      return reshaped;
    },
    get restarting() {
      return restarting;
    },
    get position() {
      return known().position;
    },
    tail: (from, listener, lost) => known().tail(from, listener, lost),
    passed: async (position) => known().passed(position),
    reach: (position, patience) => known().reach(position, patience),
    async open() {
      const closed = new Promise<void>((resolve) => closing.signal.addEventListener("abort", () => resolve()));
      if (!closing.signal.aborted) await Promise.race([opening, closed]);
      if (closing.signal.aborted) throw new GalleyError("unavailable", "the store is closed");
    },
    reopen: stop,
    async close() {
      closing.abort();
      stop();
      await running;
      log?.close();
    },
  };
}

/** A stream that ends cannot be opened again at or before its end. */
class StreamEnded extends Error {}

/** A time at or after that of every commit that was confirmed before the call. Reads by majority tell what is committed. */
async function committedTime(db: Db): Promise<Timestamp> {
  const { operationTime } = await db.command({ find: "_meta", limit: 1, readConcern: { level: "majority" } });
  return operationTime;
}

function later(time: Timestamp, end: Timestamp | undefined): Timestamp {
  return end && !isAfter(time, end) ? new Timestamp({ t: end.t, i: end.i + 1 }) : time;
}

async function settled(work: Promise<unknown> | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, MOST_WAIT);
  });
  await Promise.race([work?.catch(() => {}), late]);
  clearTimeout(timer);
}
