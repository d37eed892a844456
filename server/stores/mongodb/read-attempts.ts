import { setTimeout as wait } from "node:timers/promises";
import type { IndexedCollection } from "./collection-plan.ts";
import type { Connection } from "./connect.ts";
import { CODES, codeOf, isGone, isMissingHint } from "./errors.ts";
import type { ReadClock } from "./read-clock.ts";

/** Runs reads again that met a change under way, which nobody above needs to hear of. */
export interface ReadAttempts {
  /** @param read is given the collection as the catalog has it, undefined if it does not exist */
  run<T>(name: string, clock: ReadClock, read: (collection: IndexedCollection | undefined) => Promise<T>): Promise<T>;
}

/** The collections as the catalog has them. */
export interface KnownCollections {
  get(name: string): IndexedCollection | undefined;
  /** Reads one anew. */
  refresh(name: string): Promise<unknown>;
}

const MOST_ATTEMPTS = 5;
/** A new collection or index can be read from once a majority has it. */
const PAUSE_MILLISECONDS = 10;

/** The collection or one of its indexes was just made or dropped, or the primary changed hands. */
const PASSING: ReadonlySet<number> = new Set([
  CODES.cursorNotFound,
  CODES.queryPlanKilled,
  CODES.snapshotTooOld,
  CODES.snapshotUnavailable,
]);

export function createReadAttempts(connection: Pick<Connection, "ready">, catalog: KnownCollections): ReadAttempts {
  return {
    async run(name, clock, read) {
      const missing = new Set<string>();
      for (let attempt = 1; ; attempt++) {
        await connection.ready();
        const collection = catalog.get(name);
        try {
          return await read(collection && withoutIndexes(collection, missing));
        } catch (error) {
          const code = codeOf(error);
          if (attempt === MOST_ATTEMPTS) throw error;
          if (isMissingHint(error)) {
            // An index that was dropped a moment ago, and the catalog has not heard of it yet.
            for (const index of collection?.indexes ?? []) missing.add(index.name);
            await catalog.refresh(name);
          } else if (code !== undefined && PASSING.has(code)) await wait(PAUSE_MILLISECONDS * attempt);
          else if (!isGone(error) || attempt > 1) throw error;
          clock.check();
        }
      }
    },
  };
}

/** The collection as it is for who found that some of its indexes are gone. */
export function withoutIndexes(collection: IndexedCollection, missing: ReadonlySet<string>): IndexedCollection {
  if (missing.size === 0) return collection;
  return { ...collection, indexes: collection.indexes.filter(({ name }) => !missing.has(name)) };
}
