import type { Document } from "mongodb";
import type { Access } from "../plan-shape.ts";
import { boundsFilter } from "./bounds-filter.ts";
import type { NamedIndex } from "./collection-plan.ts";
import type { Clients } from "./connect.ts";
import type { ReadClock } from "./read-clock.ts";

/** How long a collection's size is taken to be about the same. */
const FRESH_MILLISECONDS = 1000;
/** Sizes of more collections are not remembered. */
const MOST_SIZES = 10_000;

/**
 * Tells how many documents a query has to look at, which MongoDB itself tells only after the fact. Sizes of collections it
 * knows at once; what lies within bounds it counts in the index, no further than it matters.
 */
export interface CandidateCounter {
  /** How many documents a collection held within the last second or so; undefined if it was not asked then. */
  recent(collection: string): number | undefined;
  /** How many documents a collection holds now. */
  size(collection: string, clock: ReadClock): Promise<number>;
  /** How many documents an access finds, counted no further than `most`; undefined if it reads every document. */
  within(collection: string, access: Access<NamedIndex>, most: number, clock: ReadClock): Promise<number | undefined>;
}

export function createCandidateCounter(clients: Pick<Clients, "db">): CandidateCounter {
  const sizes = new Map<string, { documents: number; at: number }>();

  async function count(command: Document, clock: ReadClock): Promise<number> {
    const running = clients.db(command.count).command({ ...command, maxTimeMS: clock.left });
    const { n } = await clock.wait(running, () => running.catch(() => {}));
    return Number(n);
  }

  return {
    recent(collection) {
      const known = sizes.get(collection);
      return known && performance.now() - known.at < FRESH_MILLISECONDS ? known.documents : undefined;
    },

    async size(collection, clock) {
      const documents = await count({ count: collection }, clock);
      if (sizes.size >= MOST_SIZES) sizes.clear();
      sizes.set(collection, { documents, at: performance.now() });
      return documents;
    },

    async within(collection, access, most, clock) {
      if (access.kind === "none") return 0;
      const query = boundsFilter(access);
      if (!query) return undefined;
      const hint = access.kind === "index" ? access.index.name : access.kind === "primary" ? "_id_" : undefined;
      const limit = Number.isFinite(most) ? { limit: most } : {};
      return count({ count: collection, query, ...limit, ...(hint && { hint }) }, clock);
    },
  };
}
