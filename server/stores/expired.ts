import type { Node } from "#protocol/ast";
import { GalleyError } from "#protocol/errors";
import { type Repeating, startRepeating } from "../repeating.ts";
import type { DocumentStore, Write } from "./document-store.ts";

/** Records removed in one commit. */
const AT_ONCE = 500;

export interface SweepOptions {
  readonly store: DocumentStore;
  readonly clock: () => number;
  /** Server collections whose records have `expiresAt`, the time at which they are removed, and an index on it. */
  readonly collections: readonly string[];
}

/** Removes records once their time is over, now and then. */
export function startSweep(
  options: SweepOptions & { readonly warn: (event: object, message: string) => void },
): Repeating {
  return startRepeating(
    (isOver) => sweepExpired(options, isOver),
    (err) => options.warn({ err }, "expired records could not be removed; trying again later"),
  );
}

/** Removes what has expired. @returns how many records */
export async function sweepExpired(options: SweepOptions, isOver: () => boolean = () => false): Promise<number> {
  let removed = 0;
  for (const collection of options.collections) removed += await sweepOne(options, collection, isOver);
  return removed;
}

async function sweepOne({ store, clock }: SweepOptions, collection: string, isOver: () => boolean): Promise<number> {
  const path = ["expiresAt"];
  const filter: Node = { kind: "compare", op: "lt", path, value: new Date(clock()) };
  const sort = [
    { path, descending: false },
    { path: ["_id"], descending: false },
  ];
  let removed = 0;
  while (!isOver()) {
    const budget = { candidates: Infinity, milliseconds: 60_000 };
    const { rows, more } = await store.find({ collection, filter, sort, limit: AT_ONCE, budget });
    if (rows.length === 0) return removed;
    const writes = rows.map(({ id, version }): Write => ({ kind: "delete", collection, id, expect: version }));
    try {
      await store.commit(writes);
    } catch (error) {
      // Another node is at it too, or a record was used again: what is left has its turn in ten minutes.
      if (error instanceof GalleyError && error.code === "version_conflict") return removed;
      throw error;
    }
    removed += rows.length;
    if (!more) return removed;
  }
  return removed;
}
