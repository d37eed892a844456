import { GalleyError } from "#protocol/errors";
import type { Change, Commit, Position, Tail, Write } from "../document-store.ts";
import { type ParseMeter, StoredRow } from "./row.ts";

/** What is kept for a listener that starts at an older position. */
const KEPT_COMMITS = 10_000;
const KEPT_BYTES = 64 * 1024 * 1024;

/** Hands commits on in order, from memory, and keeps the last ones. */
export interface CommitLog {
  /** The position of a sequence number. */
  at(sequence: number): Position;
  /** The position of the last commit that was handed on. */
  readonly position: Position;
  append(sequence: number, writes: readonly Write[], dropped?: string): void;
  tail(from: Position | undefined, listener: (commit: Commit) => void, lost?: () => void): Tail;
  /** The writer begins anew after this commit: if others came before it than are known here, all have to read anew. */
  restart(sequence: number): void;
  close(): void;
}

/** As written, so that what listeners parse of it is not kept with it. */
interface Kept {
  readonly sequence: number;
  readonly writes: readonly Write[];
  readonly dropped: string | undefined;
  readonly bytes: number;
}

interface Listener {
  seen: number;
  readonly listener: (commit: Commit) => void;
  readonly lost: (() => void) | undefined;
}

/**
 * @param history names this run of the store: positions of another run cannot be compared
 * @param sequence the last commit that is durable
 */
export function createCommitLog(history: string, sequence: number, meter: ParseMeter): CommitLog {
  const listeners = new Set<Listener>();
  let kept: Kept[] = [];
  /** Commits up to this one are not kept. Entries before `start` are given up and cut off now and then. */
  let forgotten = sequence;
  let start = 0;
  let bytes = 0;
  let last = sequence;

  function at(place: number): Position {
    return `${history}.${place.toString(16).padStart(16, "0")}` as Position;
  }

  function commitOf({ sequence, writes, dropped }: Kept): Commit {
    const changes = changesOf(writes, meter);
    return { position: at(sequence), changes, ...(dropped !== undefined && { dropped: [dropped] }) };
  }

  function placeOf(from: Position): number {
    const [name, place] = from.split(".");
    if (name !== history || !/^[0-9a-f]{16}$/.test(place ?? "")) throw historyLost();
    const number = Number.parseInt(place ?? "", 16);
    if (number < forgotten) throw historyLost();
    return number;
  }

  function forgetOldest(): void {
    while (kept.length - start > KEPT_COMMITS || (bytes > KEPT_BYTES && start < kept.length)) {
      const oldest = kept[start];
      if (!oldest) break;
      bytes -= oldest.bytes;
      forgotten = oldest.sequence;
      start += 1;
    }
    if (start > KEPT_COMMITS) {
      kept = kept.slice(start);
      start = 0;
    }
  }

  function tell(to: Listener, sequence: number, commit: Commit): void {
    if (sequence <= to.seen) return;
    to.seen = sequence;
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
    at,
    get position() {
      return at(last);
    },
    append(sequence, writes, dropped) {
      const entry: Kept = { sequence, writes, dropped, bytes: sizeOf(writes) };
      last = sequence;
      kept.push(entry);
      bytes += entry.bytes;
      forgetOldest();
      if (listeners.size === 0) return;
      const commit = commitOf(entry);
      for (const listener of listeners) tell(listener, sequence, commit);
    },
    tail(from, listener, lost) {
      const entry: Listener = { seen: from === undefined ? last : placeOf(from), listener, lost };
      listeners.add(entry);
      for (let i = start; i < kept.length && entry.seen < last; i++) {
        const past = kept[i] as Kept;
        if (past.sequence > entry.seen && listeners.has(entry)) tell(entry, past.sequence, commitOf(past));
      }
      return {
        get position() {
          return at(entry.seen);
        },
        close: () => void listeners.delete(entry),
      };
    },
    restart(sequence) {
      if (sequence === last) return;
      last = sequence;
      forgotten = sequence;
      kept = [];
      start = 0;
      bytes = 0;
      for (const listener of [...listeners]) {
        listener.seen = sequence;
        listener.lost?.();
      }
    },
    close: () => listeners.clear(),
  };
}

function historyLost(): GalleyError {
  return new GalleyError("failed_precondition", "commits since that position are not kept any more: read anew", {
    reason: "history_lost",
  });
}

function sizeOf(writes: readonly Write[]): number {
  return writes.reduce((sum, write) => sum + write.id.length + (write.kind === "put" ? write.text.length : 0), 100);
}

/** What a commit changed: for each document its last state. One that it made and deleted again leaves nothing. */
function changesOf(writes: readonly Write[], meter: ParseMeter): Change[] {
  const changes = new Map<string, { made: boolean; change: Change }>();
  for (const write of writes) {
    if (write.kind === "check" || (write.kind === "delete" && write.expect === 0)) continue;
    const { collection, id } = write;
    const key = `${collection}/${id}`;
    const next = write.kind === "put" ? new StoredRow(id, write.version, write.text, meter) : undefined;
    const made = changes.get(key)?.made ?? write.expect === 0;
    if (made && !next) changes.delete(key);
    else changes.set(key, { made, change: { collection, id, next } });
  }
  return [...changes.values()].map(({ change }) => change);
}
