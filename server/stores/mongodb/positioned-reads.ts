import { setTimeout as wait } from "node:timers/promises";
import { GalleyError } from "#protocol/errors";
import { historyLost } from "../commit-log.ts";
import type { Position, Query } from "../document-store.ts";
import { historyOf } from "../positions.ts";
import type { IndexedCollection } from "./collection-plan.ts";
import type { Connection } from "./connect.ts";
import { CODES, codeOf, isGone, isMissingHint } from "./errors.ts";
import type { Order } from "./order.ts";
import { type KnownCollections, withoutIndexes } from "./read-attempts.ts";
import type { ReadClock } from "./read-clock.ts";
import { NoCollection } from "./snapshot.ts";

/** Reads of a state that has a position (live-queries.md 4). */
export interface PositionedReads {
  /**
   * Reads at `query.at`, or where that cannot be, at a later position that the tail has reached.
   *
   * @param read reads a collection at a position, by a snapshot of that time
   * @param empty answers where nothing was stored at a position
   * @throws GalleyError as `Query.at`, and whatever `read` throws that does not pass
   */
  run<T>(
    query: Query & { readonly at: Position },
    clock: ReadClock,
    read: (collection: IndexedCollection, at: Position) => Promise<T>,
    empty: (at: Position) => T,
  ): Promise<T>;
}

export interface PositionedReadsOptions {
  readonly connection: Pick<Connection, "ready" | "closed">;
  readonly catalog: KnownCollections;
  readonly order: Pick<Order, "reach" | "told" | "reshaped" | "fence" | "demandTouch">;
}

/** How often it is read at a later position, because the structure had changed. Making and dropping it is four changes. */
const MOST_FENCES = 8;
const BACK_OFF = { first: 10, most: 1000 };

/**
 * What stands against a read at a position passes, or is avoided by a later one behind a fence: a report of this node that
 * its tail has shown, so that everything the read met is at or before the later position.
 *
 * - The collection, or an index of it, is younger than the position: it can be read at the later one.
 * - No collection is found. The server tells whether there is one now, and the catalog whether there was one a moment ago;
 *   the position may be before a drop, or after the collection was made. If the tail has told of no change of any
 *   collection from before that until behind the fence, and none is found there either, then there is none at the later
 *   position.
 */
export function createPositionedReads({ connection, catalog, order }: PositionedReadsOptions): PositionedReads {
  return {
    async run(query, clock, read, empty) {
      const { collection: name } = query;
      const missing = new Set<string>();
      let at = query.at;
      let fences = 0;
      let fenced = true;
      /** What `order.reshaped` was before the collection was not found. */
      let absent: number | undefined;
      let delay = BACK_OFF.first;

      for (;;) {
        const { reshaped } = order;
        try {
          await connection.ready();
          order.demandTouch([name]);
          await order.reach(query.at, clock.left);
          if (!fenced) {
            await clock.wait(order.fence(), () => {});
            at = laterOf(query.at, order.told);
            fenced = true;
          }
          if (query.filter.kind === "false") return empty(at);
          const collection = catalog.get(name);
          if (!collection) throw new NoCollection();
          return await read(withoutIndexes(collection, missing), at);
        } catch (error) {
          const code = codeOf(error);
          if (code === CODES.snapshotTooOld) throw historyLost(error);
          if (error instanceof NoCollection && absent === order.reshaped) return empty(at);
          if (error instanceof NoCollection || code === CODES.snapshotUnavailable) {
            if (fences === MOST_FENCES) throw changesAllTheTime(error);
            if (error instanceof NoCollection) absent = reshaped;
            fences += 1;
            fenced = false;
          } else if (isMissingHint(error) && missing.size === 0) {
            for (const index of catalog.get(name)?.indexes ?? []) missing.add(index.name);
            await catalog.refresh(name);
          } else {
            if (!isPassing(error) || connection.closed || clock.left <= delay) throw error;
            await wait(delay);
            delay = Math.min(delay * 2, BACK_OFF.most);
            at = laterOf(query.at, order.told);
          }
        }
        clock.check();
      }
    },
  };
}

/** What another try a moment later may do away with. */
function isPassing(error: unknown): boolean {
  if (error instanceof GalleyError) return error.code === "unavailable";
  const code = codeOf(error);
  return isGone(error) || code === CODES.cursorNotFound || code === CODES.queryPlanKilled;
}

/** The later one, if both are of the history of the first. */
function laterOf(at: Position, other: Position): Position {
  return historyOf(at) === historyOf(other) && other > at ? other : at;
}

function changesAllTheTime(cause: unknown): GalleyError {
  return new GalleyError(
    "unavailable",
    "the collection was made or changed several times just now: try again",
    {},
    cause,
  );
}
