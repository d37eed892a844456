import { setTimeout as wait } from "node:timers/promises";
import type { GalleyError } from "#protocol/errors";
import type { Connection } from "./connect.ts";
import type { MongoStore } from "./store.ts";

/** How long a start waits for a server that is there, and for one that does not answer, before it goes on without. */
const START_MILLISECONDS = { answering: 10_000, silent: 1500 };

/** Waits for the store to open as long as that is of use. */
export async function started(
  store: MongoStore,
  connection: Connection,
  openEventually: (fail: (error: GalleyError) => void) => Promise<void>,
): Promise<MongoStore> {
  let opened: Promise<void> = Promise.resolve();
  const refused = new Promise<never>((_, reject) => {
    opened = openEventually(reject);
  });
  const timing = new AbortController();
  const { signal } = timing;
  const patience = wait(START_MILLISECONDS.silent, undefined, { signal }).then(() =>
    connection.topology.answered
      ? wait(START_MILLISECONDS.answering - START_MILLISECONDS.silent, undefined, { signal })
      : undefined,
  );
  try {
    await Promise.race([opened, refused, patience]);
  } catch (error) {
    await store.close();
    throw error;
  } finally {
    timing.abort();
    patience.catch(() => {});
    refused.catch(() => {});
  }
  return { ...store, opened };
}
