import { GalleyError } from "#protocol/errors";
import type { Principal } from "../access/principal.ts";
import { attempts, LostRace } from "../stores/attempts.ts";
import type { DocumentStore, Position, Write } from "../stores/document-store.ts";
import type { NewProfile } from "./profiles.ts";
import { consumption, type SecretRecord, secretInvalid } from "./secrets/secrets.ts";
import { demandStanding, type Renewed } from "./standing.ts";

/** What was decided on what was read. */
export interface Decision<T> {
  /** The secret that this uses up: nobody else can, and without that nothing of this happens. */
  readonly consumes?: SecretRecord;
  readonly writes: readonly Write[];
  /** The profile that is stored in the same commit. */
  readonly profile?: NewProfile | undefined;
  /** Who decides, where it is somebody's right to: they must have it still. */
  readonly by?: Principal;
  readonly answer: T;
}

interface Deciding {
  readonly store: DocumentStore;
  readonly random: (bytes: number) => Uint8Array;
  readonly renewed?: Renewed | undefined;
}

/**
 * Reads, decides and commits until nothing changed in between. Of those who use one secret at once, one gets through.
 *
 * @param decide reads what it needs
 * @throws GalleyError `secret_invalid` if the secret was used meanwhile
 */
export function decideAndCommit<T>(
  { store, random, renewed }: Deciding,
  decide: () => Promise<Decision<T>>,
): Promise<{ readonly answer: T; readonly position: Position }> {
  return attempts(random, async () => {
    const { consumes, writes, profile, by, answer } = await decide();
    const all = [...(consumes ? [consumption(consumes)] : []), ...writes, ...(profile ? [profile.write] : [])];
    if (by) await demandStanding(renewed, by);
    if (profile?.holds() === false) throw new LostRace();
    try {
      const position = await store.commit(all);
      if (profile?.grantsRights) await store.barrier(position);
      return { answer, position };
    } catch (error) {
      if (!(error instanceof GalleyError)) throw error;
      const { operation } = error.details;
      if (error.code === "version_conflict") throw consumes && operation === 0 ? secretInvalid() : new LostRace();
      throw profile && operation === all.length - 1 ? profile.refusal(error) : error;
    }
  });
}
