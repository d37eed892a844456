import { setTimeout as wait } from "node:timers/promises";
import { GalleyError } from "#protocol/errors";
import type { DocumentStore, Position, Write } from "./document-store.ts";

/** Tries of a write that loses its compare-and-swap to others (query-language.md 9.6). */
const ATTEMPTS = 5;
/** Milliseconds before the second try, at most; doubled each time. */
const FIRST_DELAY = 4;

/** Thrown inside {@link attempts}: what was read has changed meanwhile, so do it all again. */
export class LostRace extends Error {}

/** Commits, within {@link attempts}. @throws LostRace if the versions that the writes expect are not stored any more */
export async function commitOrLose(store: Pick<DocumentStore, "commit">, writes: readonly Write[]): Promise<Position> {
  try {
    return await store.commit(writes);
  } catch (error) {
    throw error instanceof GalleyError && error.code === "version_conflict" ? new LostRace() : error;
  }
}

/**
 * Runs an attempt until it does not lose a race, waiting a random while in between.
 * @throws GalleyError `contention` when every attempt lost
 */
export async function attempts<T>(random: (bytes: number) => Uint8Array, attempt: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof LostRace)) throw error;
      if (tried === ATTEMPTS) {
        throw new GalleyError("contention", "too many writes change this at the same time: try again", {
          outcome: "not_applied",
        });
      }
    }
    await wait(FIRST_DELAY * 2 ** (tried - 1) * ((random(1)[0] ?? 0) / 256));
  }
}
