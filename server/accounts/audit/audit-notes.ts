import { GalleyError } from "#protocol/errors";
import type { Log } from "../../log.ts";
import type { DocumentStore, Write } from "../../stores/document-store.ts";

/** Milliseconds until a note is stored, and until a failure is tried again. */
const SOON = 250;
const AGAIN = 1000;
/** Writes of one commit. */
const AT_ONCE = 500;
/** Notes held while the store is slow or away; what comes beyond is counted only. */
const MOST_WAITING = 10_000;

/** Writes beside requests, which wait for none of them. */
export interface Notes {
  add(note: Write): void;
  /** Stores what is left. */
  close(): Promise<void>;
}

export interface NotesOptions {
  readonly store: Pick<DocumentStore, "commit">;
  readonly log: Log;
  /** The note that says how many there was no room for. */
  readonly lost: (count: number) => Write;
}

/** Gathers notes and stores them together, each once, within a second if the store can. */
export function createNotes({ store, log, lost }: NotesOptions): Notes {
  const waiting: Write[] = [];
  /** Those of the commit under way. If its end is not known the same ones are tried again, and no others with them. */
  let batch: Write[] = [];
  let dropped = 0;
  let failing = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;

  function wakeIn(milliseconds: number): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      void flush();
    }, milliseconds).unref();
  }

  function flush(): Promise<void> {
    running ??= storeAll()
      .catch((error: unknown) => {
        if (!failing) log.warn({ err: error }, "audit lines could not be stored yet: trying again");
        failing = true;
        if (!closed) wakeIn(AGAIN);
      })
      .finally(() => {
        running = undefined;
      });
    return running;
  }

  async function storeAll(): Promise<void> {
    while (batch.length + waiting.length + dropped > 0) {
      if (batch.length === 0) batch = nextBatch();
      try {
        await store.commit(batch);
      } catch (error) {
        // Their ids are new, so it can only be that an earlier try did store them.
        if (!(error instanceof GalleyError) || error.code !== "version_conflict") throw error;
      }
      batch = [];
      failing = false;
    }
  }

  function nextBatch(): Write[] {
    const next = waiting.splice(0, AT_ONCE);
    if (dropped === 0) return next;
    log.warn({ lines: dropped }, "more audit lines came than could be held");
    const count = dropped;
    dropped = 0;
    return [...next, lost(count)];
  }

  return {
    add(note) {
      if (waiting.length >= MOST_WAITING) dropped++;
      else waiting.push(note);
      wakeIn(SOON);
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      // One that failed meanwhile is tried once more.
      await running;
      await flush();
      const left = batch.length + waiting.length + dropped;
      if (left > 0) log.error({ lines: left }, "audit lines are lost: the store could not be written before the end");
    },
  };
}
