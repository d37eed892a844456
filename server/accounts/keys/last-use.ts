import type { Log } from "../../log.ts";
import type { DocumentStore } from "../../stores/document-store.ts";
import { KEYS, type KeyRecord, readKey, writeKey } from "./key-records.ts";

const MINUTE = 60_000;

export interface LastUseOptions {
  readonly store: DocumentStore;
  readonly clock: () => number;
  readonly log: Log;
}

/** Notes when and from where a key was last used, at most once a minute and beside the request. */
export function createLastUse({ store, clock, log }: LastUseOptions): (key: KeyRecord, address: string) => void {
  const noted = new Map<string, number>();

  return (key, address) => {
    const now = clock();
    const last = Math.max(noted.get(key.id) ?? -Infinity, key.lastUsed?.at.getTime() ?? -Infinity);
    if (now - last < MINUTE) return;
    noted.set(key.id, now);
    note(key.id, address, now).catch((error: unknown) => {
      // Another node noted it, or the key has just been changed or removed: the next use tries again.
      log.info({ err: error, keyId: key.id }, "the last use of a service key was not noted");
    });
  };

  async function note(id: string, address: string, now: number): Promise<void> {
    const [row] = await store.get(KEYS, [id]);
    if (row)
      await store.commit([writeKey(store, { ...readKey(row), lastUsed: { at: new Date(now), from: address } }, now)]);
  }
}
