import { attempts, commitOrLose } from "../../stores/attempts.ts";
import type { DocumentStore } from "../../stores/document-store.ts";
import { fresh, putRecord } from "../record.ts";

const PLACE = { collection: "_settings", id: "epoch" };

/**
 * What names this database's life: every token bears it, and a restored backup is to get a new one, so that no token of
 * before the restore counts.
 */
export async function databaseEpoch({
  store,
  clock,
  random,
}: {
  readonly store: DocumentStore;
  readonly clock: () => number;
  readonly random: (bytes: number) => Uint8Array;
}): Promise<string> {
  return attempts(random, async () => {
    const [row] = await store.get(PLACE.collection, [PLACE.id]);
    if (row) return String(row.value.epoch);
    const epoch = Buffer.from(random(9)).toString("base64url");
    await commitOrLose(store, [putRecord(store, PLACE.collection, fresh(PLACE.id, clock()), { epoch }, clock())]);
    return epoch;
  });
}
