import type { Database } from "better-sqlite3";
import { type Activity, changing } from "./activity.ts";
import type { Checkpointer } from "./checkpoint.ts";
import { buildIndexes } from "./index-build.ts";
import { sweepLeftovers } from "./structure.ts";

/** How long work that nobody waits for may keep a commit waiting. */
const SLICE_MS = 8;
/** After a fault of the disk it tries again this much later. */
const RETRY_MS = 1000;
/** About as many pages does one slice write. */
const SLICE_PAGES = 200;

/** Builds indexes and empties dropped tables in the writer's thread, between requests. */
export interface Background {
  /** Works for one slice, now. */
  advance(): void;
  /** Goes on by itself until there is nothing left. */
  schedule(): void;
  stop(): void;
}

export function createBackground(database: Database, checkpointer: Checkpointer, activity: Activity): Background {
  let turn: NodeJS.Immediate | undefined;
  let retry: NodeJS.Timeout | undefined;

  /** @returns whether there is more to do */
  function work(): boolean {
    const end = performance.now() + SLICE_MS;
    try {
      while (performance.now() < end) {
        const left = end - performance.now();
        if (!buildIndexes(database, left) && !sweepLeftovers(database, left)) return false;
      }
      return true;
    } catch {
      // What a slice did is undone as a whole, so it is as good the second time.
      retry ??= setTimeout(() => {
        retry = undefined;
        schedule();
      }, RETRY_MS);
      return false;
    } finally {
      checkpointer.grew(SLICE_PAGES);
      if (checkpointer.due) checkpointer.run();
    }
  }

  function schedule(): void {
    // Requests that came meanwhile are answered before the next turn.
    turn ??= setImmediate(() => {
      turn = undefined;
      if (changing(activity, work)) schedule();
    });
  }

  return {
    advance: () => void work(),
    schedule,
    stop() {
      clearImmediate(turn);
      clearTimeout(retry);
    },
  };
}
