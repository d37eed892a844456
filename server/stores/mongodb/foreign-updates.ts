import type { Db } from "mongodb";
import type { ChangeEvent } from "./change-events.ts";
import { CODES, codeOf } from "./errors.ts";
import { BSON_OPTIONS } from "./values.ts";

/** An event that does not carry its document. */
export type Update = Extract<ChangeEvent, { kind: "update" }>;

/** Reads under way at once. */
const AT_ONCE = 16;

/** A document as it was can no longer be read: as bad as a commit that was missed. */
export class ImageLost extends Error {}

/**
 * The documents that updates of other programs left, each as it was at the event's own time (live-queries.md 3.3). The
 * stream's own look-up reads later, so it could show what was written after the event, or nothing; pre- and post-images
 * would make every write store its document a second time.
 *
 * @param documents gets each update's document; none if it was gone at that time, which another event of the commit tells
 * @throws ImageLost if the server keeps no snapshot of that time
 */
export async function readUpdated(
  db: Db,
  updates: readonly Update[],
  documents: Map<ChangeEvent, Uint8Array>,
): Promise<void> {
  let next = 0;
  async function work(): Promise<void> {
    for (let update = updates[next++]; update; update = updates[next++]) {
      const document = await readAt(db, update);
      if (document) documents.set(update, document);
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, updates.length) }, work));
}

async function readAt(db: Db, { collection, id, time }: Update): Promise<Uint8Array | undefined> {
  const readConcern = { level: "snapshot", atClusterTime: time };
  const command = { find: collection, filter: { _id: id }, limit: 1, singleBatch: true, readConcern };
  try {
    const { cursor } = await db.command(command, { ...BSON_OPTIONS, fieldsAsRaw: { firstBatch: true } });
    return cursor.firstBatch[0];
  } catch (error) {
    const code = codeOf(error);
    if (code === CODES.snapshotTooOld || code === CODES.snapshotUnavailable) {
      throw new ImageLost(`${collection} cannot be read any more as it was`, { cause: error });
    }
    throw error;
  }
}
