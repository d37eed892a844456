import type { Database } from "better-sqlite3";

const PAGE = 4096;
/** Pages of the log after which it is moved into the file. */
const OFTEN = 2000;
/** Pages beyond which writers wait until readers have let the log start anew: long reads, one after the other. */
const TOO_LONG = 65_536;
/** A read takes 5 s at most. */
const READERS_MS = 6000;

/** Moves the write-ahead log into the file, after answers and not before them. */
export interface Checkpointer {
  /** Tells about how much a transaction wrote. */
  wrote(bytes: number, rows: number): void;
  /** Whether it is time for {@link run}. */
  readonly due: boolean;
  run(): void;
}

export function createCheckpointer(database: Database): Checkpointer {
  const busyMs = Number(database.pragma("busy_timeout", { simple: true }));
  let pages = 0;

  function checkpoint(mode: "PASSIVE" | "RESTART"): { busy: number; log: number; checkpointed: number } {
    const rows = database.pragma(`wal_checkpoint(${mode})`) as { busy: number; log: number; checkpointed: number }[];
    return rows[0] ?? { busy: 1, log: 0, checkpointed: 0 };
  }

  return {
    wrote(bytes, rows) {
      pages += rows + bytes / PAGE;
    },
    get due() {
      return pages >= OFTEN;
    },
    run() {
      pages = 0;
      try {
        const { log } = checkpoint("PASSIVE");
        if (log < TOO_LONG) return;
        database.pragma(`busy_timeout = ${READERS_MS}`);
        checkpoint("RESTART");
      } catch {
        // A full disk: the log stays as it is, complete and durable, and the next time may be better.
      } finally {
        database.pragma(`busy_timeout = ${busyMs}`);
      }
    },
  };
}
