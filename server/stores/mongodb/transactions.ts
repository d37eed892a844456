import { setTimeout as wait } from "node:timers/promises";
import type { ClientSession, Db, Timestamp } from "mongodb";
import { GalleyError } from "#protocol/errors";
import type { Write } from "../document-store.ts";
import { versionConflict } from "../write-refusals.ts";
import { COMMITS, markerOf } from "./commit-marker.ts";
import { DocumentLines } from "./document-lines.ts";
import { CODES, codeOf, hasLabel, isGone, writeError } from "./errors.ts";
import { WRITE_CONCERN, type WriteReply } from "./send.ts";
import type { WriteParts } from "./single-write.ts";
import { commandOf, planTransaction, type Step } from "./transaction-plan.ts";
import { CollectionChanged, itemFault } from "./write-faults.ts";

export interface TransactionParts extends WriteParts {
  /** That many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly nextVersion: (previous: number) => number;
}

/** Tries of a transaction that others stand in the way of (query-language.md 9.6), and milliseconds before the second. */
const ATTEMPTS = 5;
const FIRST_DELAY = 4;
/** How long an unknown end of a commit is asked after. */
const COMMIT_MILLISECONDS = 10_000;

const OPTIONS = {
  readConcern: { level: "snapshot" },
  writeConcern: { w: "majority", journal: true, wtimeoutMS: WRITE_CONCERN.wtimeout },
} as const;

/** Thrown inside an attempt: one of several writes of a command did not match, so do them one by one to see which. */
class OneOfSeveral extends Error {}

/**
 * Makes the function that does several writes as one transaction, all or nothing.
 *
 * Until the commit is sent, whatever goes wrong is proof that nothing was applied. After that only its answer tells.
 *
 * @returns the commit's cluster time; undefined if there was nothing to write
 */
export function createTransactions({ connection, catalog, sessions, random, clock, nextVersion }: TransactionParts) {
  const lines = new DocumentLines();

  return (writes: readonly Write[]): Promise<Timestamp | undefined> =>
    lines.run(writes, async () => {
      const outdated = lines.outdated(writes);
      const write = outdated === undefined ? undefined : writes[outdated];
      if (write) throw refused(versionConflict(write.collection, write.id)).with({ operation: outdated });
      const time = await attemptAll(writes);
      lines.stored(writes);
      return time;
    });

  async function attemptAll(writes: readonly Write[]): Promise<Timestamp | undefined> {
    const db = connection.db(roomOf(writes));
    let apart = false;
    for (let attempt = 1; ; attempt++) {
      try {
        return await sessions.use(db.client, (session) => run(db, session, writes, apart));
      } catch (error) {
        if (error instanceof OneOfSeveral) apart = true;
        else if (error instanceof CollectionChanged) await catalog.refresh(error.collection);
        else if (!hasLabel(error, "TransientTransactionError")) throw error;
        else await connection.ready().catch((fault) => Promise.reject(refused(fault)));
        if (attempt === ATTEMPTS) throw givenUp(error);
        if (!apart) await wait(FIRST_DELAY * 2 ** (attempt - 1) * ((random(1)[0] ?? 0) / 256));
      }
    }
  }

  async function run(
    db: Db,
    session: ClientSession,
    writes: readonly Write[],
    apart: boolean,
  ): Promise<Timestamp | undefined> {
    const commit = Buffer.from(random(12)).toString("hex");
    const plan = await planTransaction(writes, commit, catalog, apart);
    if (plan.steps.length === 0 && !plan.refusal) return undefined;
    session.startTransaction(OPTIONS);
    try {
      for (const step of plan.steps) await runStep(db, session, step, writes);
      if (plan.refusal) throw refused(plan.refusal.error).with({ operation: plan.refusal.operation });
      if (!plan.ended) await mark(db, session, commit);
    } catch (error) {
      // Waited for, since the next attempt would meet with the locks of this one.
      if (!isGone(error)) await session.abortTransaction();
      if (error instanceof GalleyError || hasLabel(error, "TransientTransactionError")) throw error;
      if (error instanceof OneOfSeveral || error instanceof CollectionChanged) throw error;
      throw refused(writeError(error));
    }
    await finish(session);
    return session.operationTime;
  }

  async function runStep(db: Db, session: ClientSession, step: Step, writes: readonly Write[]): Promise<void> {
    const { collection, items } = step;
    const reply = (await db.command(commandOf(step), { session })) as WriteReply;
    // What stands in the way is seen by whoever looks for it then.
    connection.see(reply.operationTime);
    const [error] = reply.writeErrors ?? [];
    const operation = items[error?.index ?? 0]?.operation ?? 0;
    const write = writes[operation] as Write;
    if (error) throw refused(itemFault(write, collection, error)).with({ operation });
    if (reply.n === items.length) return;
    // If none matched, the first did not.
    if (reply.n > 0) throw new OneOfSeveral();
    throw refused(versionConflict(write.collection, write.id)).with({ operation });
  }

  async function mark(db: Db, session: ClientSession, commit: string): Promise<void> {
    const marker = markerOf(commit, nextVersion(0), clock());
    const collectionUUID = catalog.get(COMMITS)?.uuid;
    const command = { insert: COMMITS, documents: [marker], ...(collectionUUID && { collectionUUID }) };
    const reply = (await db.command(command, { session })) as WriteReply;
    const [error] = reply.writeErrors ?? [];
    if (error?.code === CODES.collectionUuidMismatch) throw new CollectionChanged(COMMITS);
    if (error) throw new GalleyError("internal", "the store failed to write", { outcome: "not_applied" }, error);
  }

  /** @throws GalleyError `unavailable`, `unknown`; the driver's error if the transaction was aborted after all */
  async function finish(session: ClientSession): Promise<void> {
    const end = performance.now() + COMMIT_MILLISECONDS;
    for (;;) {
      try {
        await session.commitTransaction();
        connection.see(session.operationTime);
        return;
      } catch (error) {
        if (!hasLabel(error, "UnknownTransactionCommitResult")) {
          if (hasLabel(error, "TransientTransactionError")) throw error;
          throw writeError(error).with({ outcome: "unknown" });
        }
        const unknown = writeError(error).with({ outcome: "unknown" });
        if (!isGone(error) || performance.now() > end) throw unknown;
        await connection.ready().catch(() => Promise.reject(unknown));
      }
    }
  }
}

/** A collection that tells by which client to go: only writes of server collections alone go by the server's. */
function roomOf(writes: readonly Write[]): string {
  return writes.find(({ collection }) => !collection.startsWith("_"))?.collection ?? COMMITS;
}

/** The transaction has not been committed, and never will be. */
function refused(error: Error): GalleyError {
  const failure = error instanceof GalleyError ? error : writeError(error);
  return failure.with({ outcome: "not_applied" });
}

function givenUp(error: unknown): GalleyError {
  if (isGone(error)) return refused(writeError(error));
  const details = { outcome: "not_applied" } as const;
  const cause = codeOf(error) === undefined ? undefined : error;
  return new GalleyError("contention", "too many writes change this at the same time: try again", details, cause);
}
