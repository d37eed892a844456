import type { Log } from "../log.ts";
import type { DocumentStore, StoredCollection } from "../stores/document-store.ts";

export interface KeptCollectionsOptions {
  readonly store: DocumentStore;
  readonly log: Log;
  readonly collections: readonly StoredCollection[];
}

/**
 * Makes the server's own collections, and makes them again if another program drops them or the whole database: then
 * nobody is signed in any more, and everybody can sign up.
 */
export async function keepCollections({ store, log, collections }: KeptCollectionsOptions): Promise<{ close(): void }> {
  const ensure = async (wanted: readonly StoredCollection[]) => {
    await Promise.all(wanted.map((collection) => store.ensureCollection(collection)));
  };
  await ensure(collections);
  return store.tail(
    undefined,
    ({ dropped = [] }) => {
      const gone = collections.filter(({ name }) => dropped.includes(name));
      if (gone.length === 0) return;
      log.warn({ collections: gone.map(({ name }) => name) }, "server collections were dropped: making them anew");
      ensure(gone).catch((error: unknown) => {
        log.error({ err: error }, "a server collection could not be made anew: start the server again");
      });
    },
    () => ensure(collections),
  );
}
