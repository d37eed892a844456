import { GalleyError } from "#protocol/errors";
import { attempts, LostRace } from "../stores/attempts.ts";
import type { DocumentStore, Position, Write } from "../stores/document-store.ts";
import { consumption, type SecretRecord, secretInvalid } from "./secrets/secrets.ts";

/** What was decided on what was read. */
export interface Decision<T> {
  /** The secret that this uses up: nobody else can, and without that nothing of this happens. */
  readonly consumes?: SecretRecord;
  readonly writes: readonly Write[];
  readonly answer: T;
}

/**
 * Reads, decides and commits until nothing changed in between. Of those who use one secret at once, one gets through.
 *
 * @param decide reads what it needs
 * @throws GalleyError `secret_invalid` if the secret was used meanwhile
 */
export function decideAndCommit<T>(
  { store, random }: { readonly store: DocumentStore; readonly random: (bytes: number) => Uint8Array },
  decide: () => Promise<Decision<T>>,
): Promise<{ readonly answer: T; readonly position: Position }> {
  return attempts(random, async () => {
    const { consumes, writes, answer } = await decide();
    try {
      const position = await store.commit(consumes ? [consumption(consumes), ...writes] : writes);
      return { answer, position };
    } catch (error) {
      if (!(error instanceof GalleyError) || error.code !== "version_conflict") throw error;
      if (consumes && error.details.operation === 0) throw secretInvalid();
      throw new LostRace();
    }
  });
}
