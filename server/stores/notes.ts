import { GalleyError } from "#protocol/errors";
import type { DocumentStore, Write } from "./document-store.ts";

/** Milliseconds until a note is stored, and until a failure is tried again. */
const SOON = 250;
const AGAIN = 1000;

/** Writes of new records beside requests, which wait for none of them. */
export interface Notes {
  /** Takes one, if there is room for it. */
  add(note: Write): void;
  /** Whether there is no room for one more. */
  readonly full: boolean;
  /** Whether a record is not stored yet, as far as is known. */
  holds(id: string): boolean;
  /** Stores what there is; resolves when that was tried. */
  flush(): Promise<void>;
  /** Stores what is left. */
  close(): Promise<void>;
}

export interface NotesOptions {
  readonly store: Pick<DocumentStore, "commit">;
  /** What they are called in the log, as in "audit lines". */
  readonly what: string;
  /** Notes of one commit. */
  readonly atOnce: number;
  /** Notes held while the store is slow or away. */
  readonly most: number;
  readonly warn: (event: object, message: string) => void;
  /** The note that says how many there was no room for; without it nobody is told. */
  readonly lost?: (count: number) => Write;
}

/** Gathers notes and stores them together, each once, within a second if the store can. */
export function createNotes({ store, what, atOnce, most, warn, lost }: NotesOptions): Notes {
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
      .catch((err: unknown) => {
        if (!failing) warn({ err }, `${what} could not be stored yet: trying again`);
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
    const next = waiting.splice(0, atOnce);
    if (dropped === 0 || !lost) return next;
    warn({ count: dropped }, `more ${what} came than could be held`);
    const count = dropped;
    dropped = 0;
    return [...next, lost(count)];
  }

  return {
    get full() {
      return closed || waiting.length >= most;
    },
    add(note) {
      if (waiting.length < most) waiting.push(note);
      else if (lost) dropped++;
      wakeIn(SOON);
    },
    holds: (id) => batch.some((note) => note.id === id) || waiting.some((note) => note.id === id),
    flush,
    async close() {
      closed = true;
      clearTimeout(timer);
      // One that failed meanwhile is tried once more.
      await running;
      await flush();
      const left = batch.length + waiting.length + dropped;
      if (left > 0) warn({ count: left }, `${what} are lost: the store could not be written before the end`);
    },
  };
}
