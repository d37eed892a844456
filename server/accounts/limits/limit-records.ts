import { createHash } from "node:crypto";
import { GalleyError } from "#protocol/errors";
import { attempts, LostRace } from "../../stores/attempts.ts";
import type { DocumentStore, StoredCollection, Write } from "../../stores/document-store.ts";

/**
 * Counters of accounts. Of a made-up account a counter looks like any other, so each has its end: what few tries have left
 * is forgotten soon, and what is kept for long took many.
 */
export const LIMITS_RECORDS: StoredCollection = { name: "_limits", indexes: [{ paths: ["expiresAt"] }] };

export interface LimitParts {
  readonly store: DocumentStore;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** That many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
}

/** Times five attempts that a decision is tried, if another node decides on the same account all the while. */
const PATIENCE = 4;

/** Id of a record: it tells neither the account nor what it is tried with. */
export function limitId(what: string, ...of: readonly string[]): string {
  return createHash("sha256")
    .update(JSON.stringify([what, ...of]))
    .digest("hex");
}

/** What was decided about each of several tries, in their order, and what has to be stored for it to hold. */
export interface Verdicts<A> {
  readonly verdicts: readonly (A | GalleyError)[];
  readonly writes: readonly Write[];
}

/**
 * Decides on the tries of one account one after the other, before any of them is judged: read, decide, compare and swap.
 * Those that come while the store is at work are decided on together, so that a flood of them costs little more than one.
 *
 * @param decide reads the account's records and decides on the tries given, as often as others get in between
 * @returns what was decided on one try; a verdict that is an error is thrown. GalleyError `unavailable` if the records
 *   cannot be read or written: nothing is let through uncounted
 */
export function oneByOne<J, A>(
  { store, random }: LimitParts,
  decide: (account: string, tries: readonly J[]) => Promise<Verdicts<A>>,
): (account: string, job: J) => Promise<A> {
  const lines = new Map<string, Waiting<J, A>[]>();

  return (account, job) =>
    new Promise<A>((resolve, reject) => {
      const waiting = { job, resolve, reject };
      const line = lines.get(account);
      if (line) return void line.push(waiting);
      lines.set(account, [waiting]);
      void work(account);
    });

  async function work(account: string): Promise<void> {
    for (;;) {
      const tries = lines.get(account) ?? [];
      if (tries.length === 0) break;
      lines.set(account, []);
      const answers = await answersTo(account, tries);
      for (const [i, { resolve, reject }] of tries.entries()) {
        const answer = answers[i] as A | GalleyError;
        if (answer instanceof GalleyError) reject(answer);
        else resolve(answer);
      }
    }
    lines.delete(account);
  }

  async function answersTo(account: string, tries: readonly Waiting<J, A>[]): Promise<readonly (A | GalleyError)[]> {
    const jobs = tries.map(({ job }) => job);
    try {
      return await patiently(random, () => decideOnce(account, jobs));
    } catch (error) {
      return tries.map(() => uncounted(error));
    }
  }

  async function decideOnce(account: string, jobs: readonly J[]): Promise<readonly (A | GalleyError)[]> {
    const { verdicts, writes } = await decide(account, jobs);
    if (writes.length === 0) return verdicts;
    try {
      await store.commit(writes);
    } catch (error) {
      throw error instanceof GalleyError && error.code === "version_conflict" ? new LostRace() : error;
    }
    return verdicts;
  }
}

interface Waiting<J, A> {
  readonly job: J;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: GalleyError) => void;
}

async function patiently<T>(random: (bytes: number) => Uint8Array, attempt: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await attempts(random, attempt);
    } catch (error) {
      const lost = error instanceof GalleyError && error.code === "contention";
      if (!lost || tried === PATIENCE) throw error;
    }
  }
}

/** What cannot be counted is not let through. */
function uncounted(cause: unknown): GalleyError {
  const message = "attempts cannot be counted at the moment, so none is let through: try again";
  return new GalleyError("unavailable", message, { outcome: "not_applied" }, cause);
}
