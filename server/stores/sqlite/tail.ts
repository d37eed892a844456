import { type CommitLog, createCommitLog } from "../commit-log.ts";
import type { Change, Commit, Position, Write } from "../document-store.ts";
import { type ParseMeter, StoredRow } from "./row.ts";

/** The commits that the writer made, told in order. */
export interface SqliteTail extends Omit<CommitLog, "append" | "advance" | "restart"> {
  /** The position of a sequence number. */
  at(sequence: number): Position;
  append(sequence: number, writes: readonly Write[], dropped?: string): void;
  /** The writer begins anew after this commit: if others came before it than are known here, all have to read anew. */
  restart(sequence: number): Promise<void>;
}

/**
 * @param history names this run of the store: positions of another run cannot be compared
 * @param sequence the last commit that is durable
 */
export function createSqliteTail(history: string, sequence: number, meter: ParseMeter): SqliteTail {
  const at = (place: number) => `${history}.${place.toString(16).padStart(16, "0")}` as Position;
  const log = createCommitLog(at(sequence));

  return {
    at,
    get position() {
      return log.position;
    },
    append(sequence, writes, dropped) {
      const position = at(sequence);
      const make = (): Commit => ({
        position,
        changes: changesOf(writes, meter),
        ...(dropped !== undefined && { dropped: [dropped] }),
      });
      log.append({ position, bytes: sizeOf(writes), make });
    },
    tail: (from, listener, lost) => log.tail(from, listener, lost),
    passed: (position) => log.passed(position),
    reach: (position, patience) => log.reach(position, patience),
    async restart(sequence) {
      if (at(sequence) !== log.position) await log.restart(at(sequence));
    },
    close: () => log.close(),
  };
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
