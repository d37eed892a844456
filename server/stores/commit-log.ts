import { GalleyError } from "#protocol/errors";
import type { Commit, Lost, Position, Tail } from "./document-store.ts";

/** What is kept for a listener that starts at an older position. */
const KEPT_COMMITS = 10_000;
const KEPT_BYTES = 64 * 1024 * 1024;

/** A commit as it is kept: what listeners parse of it is not kept with it. */
export interface LoggedCommit {
  readonly position: Position;
  /** About what it takes in memory. */
  readonly bytes: number;
  /** Makes the commit anew for listeners that come later. */
  readonly make: () => Commit;
}

/** Hands commits on in order, from memory, and keeps the last ones. What the tails of both engines stand on. */
export interface CommitLog {
  /** Everything up to here was handed on. */
  readonly position: Position;
  append(entry: LoggedCommit): void;
  /** Nothing more was committed up to here. */
  advance(position: Position): void;
  tail(from: Position | undefined, listener: (commit: Commit) => void, lost?: Lost): Tail;
  /** Resolves once everything up to the position was handed on. @throws GalleyError `unavailable` if the order is lost */
  passed(position: Position): Promise<void>;
  /**
   * Order is known again only from here on: all have to read anew. Resolves once they have, and only then the position
   * counts as passed. Rejects if one of them could not.
   */
  restart(position: Position): Promise<void>;
  close(): void;
}

interface Listener {
  seen: Position;
  readonly listener: (commit: Commit) => void;
  readonly lost: Lost | undefined;
}

interface Waiter {
  readonly position: Position;
  readonly resolve: () => void;
  readonly reject: (error: GalleyError) => void;
}

/** @param start the last commit that is durable */
export function createCommitLog(start: Position): CommitLog {
  const listeners = new Set<Listener>();
  let kept: LoggedCommit[] = [];
  /** Commits up to this one are not kept. Entries before `first` are given up and cut off now and then. */
  let forgotten = start;
  let first = 0;
  let bytes = 0;
  let last = start;
  let waiting: Waiter[] = [];

  function demandKept(from: Position): void {
    if (!/^[^.]+\.[0-9a-f]{16}$/.test(from) || historyOf(from) !== historyOf(last) || from < forgotten) {
      throw historyLost();
    }
  }

  function forgetOldest(): void {
    while (kept.length - first > KEPT_COMMITS || (bytes > KEPT_BYTES && first < kept.length)) {
      const oldest = kept[first];
      if (!oldest) break;
      bytes -= oldest.bytes;
      forgotten = oldest.position;
      first += 1;
    }
    if (first > KEPT_COMMITS) {
      kept = kept.slice(first);
      first = 0;
    }
  }

  function tell(to: Listener, position: Position, commit: Commit): void {
    // One that starts ahead of the log has seen what it names.
    if (position < to.seen) return;
    to.seen = position;
    try {
      to.listener(commit);
    } catch (error) {
      // Its owner missed a commit and must not go on as if nothing had been; writers have no part in it.
      listeners.delete(to);
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  function settle(): void {
    if (waiting.length === 0) return;
    const over = waiting.filter(({ position }) => position <= last);
    waiting = waiting.filter(({ position }) => position > last);
    for (const { resolve } of over) resolve();
  }

  return {
    get position() {
      return last;
    },
    append(entry) {
      last = entry.position;
      kept.push(entry);
      bytes += entry.bytes;
      forgetOldest();
      if (listeners.size > 0) {
        const made = entry.make();
        for (const listener of listeners) if (listener.seen < entry.position) tell(listener, entry.position, made);
      }
      settle();
    },
    advance(position) {
      if (position <= last) return;
      last = position;
      settle();
    },
    tail(from, listener, lost) {
      if (from !== undefined) demandKept(from);
      const entry: Listener = { seen: from ?? last, listener, lost };
      listeners.add(entry);
      for (let i = first; i < kept.length && entry.seen < last; i++) {
        const past = kept[i] as LoggedCommit;
        if (past.position > entry.seen && listeners.has(entry)) tell(entry, past.position, past.make());
      }
      return {
        get position() {
          return entry.seen > last ? entry.seen : last;
        },
        close: () => void listeners.delete(entry),
      };
    },
    passed(position) {
      if (historyOf(position) !== historyOf(last)) return Promise.reject(orderLost());
      if (position <= last) return Promise.resolve();
      return new Promise((resolve, reject) => waiting.push({ position, resolve, reject }));
    },
    async restart(position) {
      forgotten = position;
      kept = [];
      first = 0;
      bytes = 0;
      const reading: unknown[] = [];
      for (const listener of [...listeners]) {
        listener.seen = position;
        reading.push(listener.lost?.());
      }
      await Promise.all(reading);
      const other = historyOf(position) !== historyOf(last);
      // Commits may have followed already.
      if (other || position > last) last = position;
      if (other) for (const { reject } of waiting.splice(0)) reject(orderLost());
      settle();
    },
    close() {
      listeners.clear();
      for (const { reject } of waiting.splice(0)) reject(new GalleyError("unavailable", "the store is closed"));
    },
  };
}

function historyOf(position: Position): string {
  return position.slice(0, position.lastIndexOf("."));
}

function historyLost(): GalleyError {
  return new GalleyError("failed_precondition", "commits since that position are not kept any more: read anew", {
    reason: "history_lost",
  });
}

function orderLost(): GalleyError {
  return new GalleyError("unavailable", "the order of commits was lost: read what is stored", { outcome: "unknown" });
}
