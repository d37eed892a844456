import type { Log } from "../log.ts";
import type { Commit, DocumentStore, Position } from "../stores/document-store.ts";
import { PositionWaits } from "./position-waits.ts";

/** Commits applied before sockets are told. */
const MOST_IN_A_TURN = 200;
/** Before the next flush, after a mistake of ours. */
const PAUSE_MILLISECONDS = 100;

/** Who follows commits here. Nothing of it waits, so that a commit is dealt with in the turn in which it is told. */
export interface Follower {
  commit?(commit: Commit): void;
  /**
   * Commits were missed. What was built on those before is not right any more; what it returns is resolved once nothing of
   * it can be shown.
   */
  lost?(): void | Promise<void>;
  /** The turn that told commits ends. */
  flush?(): void;
}

/** Rights see each commit first, so that nothing is shown by a right that it took away; live-queries.md 2. */
export type Step = "rights" | "windows" | "sessions";
const STEPS: readonly Step[] = ["rights", "windows", "sessions"];

/** The node's place in the stream of commits, and the order in which the parts of realtime learn of each. */
export interface LiveTail {
  /** Every commit up to here was told to all followers. */
  readonly position: Position;
  /** One a step. */
  follow(step: Step, follower: Follower): void;
  /** Asks for a flush at the end of this turn, as a commit does. */
  flushSoon(): void;
  /**
   * Resolves to whether the position is reached within that many milliseconds. One of another history cannot be compared,
   * and is taken as reached.
   */
  reached(position: Position, milliseconds: number): Promise<boolean>;
  /** What it was told so far, and how often the order of commits was lost. */
  readonly counts: { readonly commits: number; readonly events: number; readonly lost: number };
  close(): void;
}

/** Open it after access and accounts: the store tells its listeners in the order in which they came. */
export function createLiveTail(store: Pick<DocumentStore, "tail" | "passed" | "position">, log: Log): LiveTail {
  const followers = new Map<Step, Follower>();
  const counts = { commits: 0, events: 0, lost: 0 };
  let flushing: NodeJS.Immediate | undefined;
  let applied = 0;
  let closed = false;

  const tail = store.tail(undefined, told, lost);
  const waits = new PositionWaits(() => tail.position);

  function told(commit: Commit): void {
    counts.commits++;
    counts.events += commit.changes.length;
    for (const step of STEPS) tell(step, commit);
    applied++;
    if (applied >= MOST_IN_A_TURN) flush();
    else flushSoon();
    waits.look();
  }

  function tell(step: Step, commit: Commit): void {
    guarded(step, () => followers.get(step)?.commit?.(commit));
  }

  /** A mistake of ours must not go on as if the commit had been seen: what was built on commits is built anew. */
  function guarded(step: Step, run: () => void): void {
    try {
      run();
    } catch (err) {
      log.error({ err, step }, "a commit could not be followed: everything is read anew");
      anew().catch((again: unknown) => log.error({ err: again, step }, "commits could not be read anew"));
      // A mistake that each flush makes must not take all of the time.
      setTimeout(flushSoon, PAUSE_MILLISECONDS).unref();
    }
  }

  function flushSoon(): void {
    if (!closed) flushing ??= setImmediate(flush);
  }

  function flush(): void {
    if (flushing) clearImmediate(flushing);
    flushing = undefined;
    applied = 0;
    for (const step of STEPS) guarded(step, () => followers.get(step)?.flush?.());
  }

  function lost(): Promise<void> {
    flushSoon();
    return anew();
  }

  /** All are told at once: a right that is held nowhere shows nothing while another part still reads. */
  async function anew(): Promise<void> {
    counts.lost++;
    await Promise.all(STEPS.map(async (step) => followers.get(step)?.lost?.()));
  }

  return {
    get position() {
      return tail.position;
    },
    follow(step, follower) {
      followers.set(step, follower);
    },
    flushSoon,
    reached(position, milliseconds) {
      // Not every commit is told, so the store may have to see to it; not to what clients make up.
      if (position > tail.position && position <= store.position()) store.passed(position).catch(() => {});
      return waits.wait(position, milliseconds);
    },
    counts,
    close() {
      closed = true;
      tail.close();
      if (flushing) clearImmediate(flushing);
      followers.clear();
      waits.close();
    },
  };
}
