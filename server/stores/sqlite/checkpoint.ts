import type { Database } from "better-sqlite3";
import type { Write } from "../document-store.ts";

const PAGE = 4096;
/** Pages of the log after which it is moved into the file. */
const OFTEN = 4000;
/** Pages beyond which writers wait until readers have let the log start anew: long reads, one after the other. */
const TOO_LONG = 65_536;
/** A read takes 5 s at most. */
const READERS_MS = 6000;

/** Moves the write-ahead log into the file, after answers and not before them. */
export interface Checkpointer {
  /** Tells of the writes of a commit. */
  wrote(writes: readonly Write[]): void;
  /** Tells of pages written otherwise. */
  grew(pages: number): void;
  /** Whether it is time for {@link Checkpointer.run}. */
  readonly due: boolean;
  run(): void;
  /** Leaves an empty log, if nobody reads. */
  finish(): void;
}

export function createCheckpointer(database: Database): Checkpointer {
  const busyMs = Number(database.pragma("busy_timeout", { simple: true }));
  let pages = 0;

  function checkpoint(mode: "PASSIVE" | "RESTART" | "TRUNCATE"): number {
    const [row] = database.pragma(`wal_checkpoint(${mode})`) as { log: number }[];
    return row?.log ?? 0;
  }

  /** A full disk leaves the log as it is, complete and durable, and the next time may be better. */
  function trying(work: () => void): void {
    try {
      work();
    } catch {
      pages = 0;
    }
  }

  return {
    wrote(writes) {
      // A row of the table and one of its index on ids, at least.
      for (const write of writes) pages += write.kind === "put" ? 2 + write.text.length / PAGE : 1;
    },
    grew(more) {
      pages += more;
    },
    get due() {
      return pages >= OFTEN;
    },
    run() {
      pages = 0;
      trying(() => {
        if (checkpoint("PASSIVE") < TOO_LONG) return;
        database.pragma(`busy_timeout = ${READERS_MS}`);
        checkpoint("RESTART");
      });
      database.pragma(`busy_timeout = ${busyMs}`);
    },
    finish: () => trying(() => void checkpoint("TRUNCATE")),
  };
}
