import { GalleyError } from "#protocol/errors";
import type { Commit, DocumentStore, Position, Row } from "../../stores/document-store.ts";
import type { ListQuestion } from "../contract.ts";
import type { LiveTail } from "../live-tail.ts";
import type { LoadSlots } from "./load-slots.ts";

const READ_MILLISECONDS = 5000;
/** How often a read that was too far behind begins again, each time allowed to be twice as far behind. */
const ATTEMPTS = 5;

/** Why a window is read. */
export type LoadReason = "load" | "refill" | "audit";

/** A result joined to the stream: handed on in the turn in which `commits` are all that follow. */
export interface Joined {
  readonly rows: readonly Row[];
  readonly more: boolean;
  /** Commits that touch the collection after the rows were as they are, up to the tail's position, in order. */
  readonly commits: readonly Commit[];
}

export interface JoinEnd {
  done(joined: Joined): void;
  failed(error: unknown): void;
}

/** What is to be read. */
export interface Wanted {
  readonly question: ListQuestion;
  /** Rows to read. */
  readonly capacity: number;
  readonly reason: LoadReason;
  /** Who waits for it; one at least. */
  readonly askers: Iterable<string>;
}

/** A read that is under way, or waits. */
export interface Reading {
  /** Somebody else waits for it. */
  also(asker: string): void;
  /** Gives it up: its end is not told. */
  stop(): void;
}

/** Reads results at the tail's position, and keeps what is committed meanwhile; live-queries.md 4. */
export interface Joins {
  /** Exactly one of `end` is called, in a later turn. */
  start(wanted: Wanted, end: JoinEnd): Reading;
  /** To be told of each commit. */
  commit(commit: Commit): void;
  readonly counts: Readonly<Record<LoadReason | "again", number>>;
  /** Seconds that reads took together. */
  readonly seconds: number;
}

export interface JoinsOptions {
  readonly store: Pick<DocumentStore, "find" | "passed">;
  readonly tail: Pick<LiveTail, "position">;
  readonly slots: LoadSlots;
  readonly keptCommits: number;
}

export function createJoins({ store, tail, slots, keptCommits }: JoinsOptions): Joins {
  const reading = new Set<Kept>();
  const counts = { load: 0, refill: 0, audit: 0, again: 0 };
  let seconds = 0;

  /** One read, handed on in the turn in which nothing that followed is missing. @returns false: it is too far behind */
  async function read(of: Read, most: number): Promise<boolean> {
    const { question, capacity, end, signal } = of;
    const { collection, filter, sort, candidates, characters } = question;
    const kept = new Kept(collection, most);
    reading.add(kept);
    const begun = performance.now();
    try {
      const budget = { candidates, characters, milliseconds: READ_MILLISECONDS, signal };
      const found = await store.find({ collection, filter, sort, limit: capacity, budget, at: tail.position });
      // The store may have read ahead of what it has told.
      while (found.position > tail.position && !signal.aborted) await store.passed(found.position);
      const commits = kept.after(found.position);
      if (commits && !signal.aborted) end.done({ rows: found.rows, more: found.more, commits });
      return commits !== undefined;
    } finally {
      reading.delete(kept);
      seconds += (performance.now() - begun) / 1000;
    }
  }

  async function join(of: Read): Promise<void> {
    const { signal, end } = of;
    try {
      for (let attempt = 0; attempt < ATTEMPTS && !signal.aborted; attempt++) {
        if (attempt > 0) counts.again++;
        if (await read(of, keptCommits * 2 ** attempt)) return;
      }
      if (!signal.aborted) end.failed(tooFast());
    } catch (error) {
      if (!signal.aborted) end.failed(error);
    }
  }

  return {
    start({ question, capacity, reason, askers }, end) {
      const signal: Signal = { aborted: false };
      const [asker = "", ...others] = askers;
      const run = () => {
        counts[reason]++;
        return join({ question, capacity, end, signal });
      };
      const { also, leave } = slots.enter(run, asker);
      for (const other of others) also(other);
      return {
        also,
        stop() {
          signal.aborted = true;
          leave();
        },
      };
    },
    commit(commit) {
      for (const kept of reading) kept.tell(commit);
    },
    counts,
    get seconds() {
      return seconds;
    },
  };
}

interface Signal {
  aborted: boolean;
}

interface Read {
  readonly question: ListQuestion;
  readonly capacity: number;
  readonly end: JoinEnd;
  readonly signal: Signal;
}

/** Commits of one collection while it is read. */
class Kept {
  readonly #collection: string;
  readonly #most: number;
  #commits: Commit[] | undefined = [];

  constructor(collection: string, most: number) {
    this.#collection = collection;
    this.#most = most;
  }

  tell(commit: Commit): void {
    if (!this.#commits || !commit.changes.some(({ collection }) => collection === this.#collection)) return;
    this.#commits.push(commit);
    if (this.#commits.length > this.#most) this.#commits = undefined;
  }

  /** Those after a position; undefined: they were too many to keep. */
  after(position: Position): readonly Commit[] | undefined {
    return this.#commits?.filter((commit) => commit.position > position);
  }
}

function tooFast(): GalleyError {
  return new GalleyError("unavailable", "the collection changes faster than it can be read: try again");
}
