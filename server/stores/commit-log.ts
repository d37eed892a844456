import { GalleyError } from "#protocol/errors";
import type { Commit, Lost, Position, Tail } from "./document-store.ts";
import { historyOf, isPosition, PositionWaits } from "./positions.ts";

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
  /** Resolves once everything up to the position was handed on. @throws GalleyError as `DocumentStore.passed` */
  passed(position: Position): Promise<void>;
  /**
   * For reads at a position: undefined if everything up to it was handed on, else resolves once it is.
   *
   * @param patience milliseconds that it may take
   * @throws GalleyError as `Query.at`, at once or by the promise
   */
  reach(position: Position, patience: number): Promise<void> | undefined;
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

/** @param start the last commit that is durable */
export function createCommitLog(start: Position): CommitLog {
  const listeners = new Set<Listener>();
  let kept: LoggedCommit[] = [];
  /** Order is known from here on. */
  let since = start;
  /** Commits up to this one are not kept. Entries before `first` are given up and cut off now and then. */
  let forgotten = start;
  let first = 0;
  let bytes = 0;
  let last = start;
  const waits = new PositionWaits();

  function demandKept(from: Position): void {
    if (!isPosition(from) || historyOf(from) !== historyOf(last) || from < forgotten) throw historyLost();
  }

  /** That nothing was missed after a position. */
  function demandKnown(at: Position): void {
    if (!isPosition(at) || historyOf(at) !== historyOf(since) || at < since) throw historyLost();
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
      waits.settle(last);
    },
    advance(position) {
      if (position <= last) return;
      last = position;
      waits.settle(last);
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
          // While all read anew, `last` may still be of the history before.
          return entry.seen > last || historyOf(entry.seen) !== historyOf(last) ? entry.seen : last;
        },
        close: () => void listeners.delete(entry),
      };
    },
    passed(position) {
      if (historyOf(position) !== historyOf(last)) return Promise.reject(orderLost());
      return position <= last ? Promise.resolve() : waits.add(position);
    },
    reach(position, patience) {
      demandKnown(position);
      // What those who read anew may already have seen.
      if (position === since || (historyOf(last) === historyOf(since) && position <= last)) return undefined;
      return waits.add(position, patience).then(
        () => demandKnown(position),
        (error) => Promise.reject(notReached(error)),
      );
    },
    async restart(position) {
      since = position;
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
      if (other) waits.end(orderLost());
      waits.settle(last);
    },
    close() {
      listeners.clear();
      waits.end(new GalleyError("unavailable", "the store is closed"));
    },
  };
}

/** What happened since a position cannot be told any more. */
export function historyLost(cause?: unknown): GalleyError {
  const message = "commits since that position are not kept any more: read anew";
  return new GalleyError("failed_precondition", message, { reason: "history_lost" }, cause);
}

function orderLost(): GalleyError {
  return new GalleyError("unavailable", "the order of commits was lost: read what is stored", { outcome: "unknown" });
}

function notReached(cause: unknown): GalleyError {
  return new GalleyError("unavailable", "this server has not come to that position in time", {}, cause);
}
