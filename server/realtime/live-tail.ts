import type { Log } from "../log.ts";
import type { Commit, DocumentStore, Position } from "../stores/document-store.ts";

/** Commits applied before sockets are told. */
const MOST_IN_A_TURN = 200;
/** How often a wait for a position looks, where no commit brings it. */
const LOOK_MILLISECONDS = 10;

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
  close(): void;
}

/** Open it after access and accounts: the store tells its listeners in the order in which they came. */
export function createLiveTail(store: Pick<DocumentStore, "tail">, log: Log): LiveTail {
  const followers = new Map<Step, Follower>();
  const waiting = new Set<() => void>();
  let flushing: NodeJS.Immediate | undefined;
  let applied = 0;
  let closed = false;

  const tail = store.tail(undefined, told, lost);

  function told(commit: Commit): void {
    for (const step of STEPS) tell(step, commit);
    applied++;
    if (applied >= MOST_IN_A_TURN) flush();
    else flushSoon();
    for (const look of waiting) look();
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
      lost().catch((again: unknown) => log.error({ err: again, step }, "commits could not be read anew"));
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

  /** All are told at once: a right that is held nowhere shows nothing while another part still reads. */
  async function lost(): Promise<void> {
    const ending = STEPS.map(async (step) => followers.get(step)?.lost?.());
    flushSoon();
    await Promise.all(ending);
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
      const isReached = () => historyOf(position) !== historyOf(tail.position) || position <= tail.position;
      if (isReached()) return Promise.resolve(true);
      return new Promise((resolve) => {
        const end = (reached: boolean) => {
          clearInterval(looking);
          clearTimeout(limit);
          waiting.delete(look);
          resolve(reached);
        };
        const look = () => {
          if (isReached() || closed) end(!closed);
        };
        // No commit need follow: the store may learn that nothing more happened up to there.
        const looking = setInterval(look, LOOK_MILLISECONDS).unref();
        const limit = setTimeout(end, milliseconds, false).unref();
        waiting.add(look);
      });
    },
    close() {
      closed = true;
      tail.close();
      if (flushing) clearImmediate(flushing);
      followers.clear();
      for (const look of waiting) look();
    },
  };
}

function historyOf(position: Position): string {
  return position.slice(0, position.lastIndexOf("."));
}
