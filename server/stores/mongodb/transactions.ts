import { setTimeout as wait } from "node:timers/promises";
import {
  type ClientSession,
  type Db,
  type Document,
  type MongoClient,
  MongoWriteConcernError,
  type Timestamp,
} from "mongodb";
import { GalleyError } from "#protocol/errors";
import type { ObjectValue } from "#protocol/values";
import type { Write } from "../document-store.ts";
import { versionConflict } from "../write-refusals.ts";
import { type Abandoned, type Abort, abort } from "./abandoned.ts";
import { COMMITS, markerOf } from "./commit-marker.ts";
import type { Connection } from "./connect.ts";
import { DocumentLines } from "./document-lines.ts";
import { CODES, codeOf, hasLabel, isGone, writeError } from "./errors.ts";
import { WRITE_CONCERN, WRITE_MILLISECONDS, type WriteReply } from "./send.ts";
import type { WriteParts } from "./single-write.ts";
import { Deadline, TimeIsUp } from "./time-limit.ts";
import { commandOf, planTransaction, type Step } from "./transaction-plan.ts";
import { CollectionChanged, itemFault } from "./write-faults.ts";

export interface TransactionParts extends WriteParts {
  /** That many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly nextVersion: (previous: number) => number;
  readonly abandoned: Abandoned;
}

/** Tries of a transaction that others stand in the way of (query-language.md 9.6), and milliseconds before the second. */
const ATTEMPTS = 5;
const FIRST_DELAY = 4;

const OPTIONS = {
  readConcern: { level: "snapshot" },
  writeConcern: { w: "majority", journal: true, wtimeoutMS: WRITE_CONCERN.wtimeout },
} as const;

/** What the texts of the puts say, by their indexes, where it is at hand. */
type Values = readonly (ObjectValue | undefined)[];

/** Thrown inside an attempt: one of several writes of a command did not match, so do them one by one to see which. */
class OneOfSeveral extends Error {}

/**
 * Makes the function that does several writes as one transaction, all or nothing.
 *
 * Until the commit is sent, whatever goes wrong is proof that nothing was applied. After that only its answer tells.
 *
 * @returns the commit's cluster time; undefined if there was nothing to write
 */
export function createTransactions(parts: TransactionParts) {
  const { connection, catalog, sessions, random, clock, nextVersion, abandoned } = parts;
  const lines = new DocumentLines();

  return (writes: readonly Write[], values: Values = []): Promise<Timestamp | undefined> => {
    const deadline = new Deadline(WRITE_MILLISECONDS);
    return lines.run(writes, async () => {
      // Others may have taken all of its time.
      if (deadline.over) throw refused(new TimeIsUp());
      const outdated = lines.outdated(writes);
      const write = outdated === undefined ? undefined : writes[outdated];
      if (write) throw refused(versionConflict(write.collection, write.id)).with({ operation: outdated });
      const time = await attemptAll(writes, values, deadline);
      lines.stored(writes);
      return time;
    });
  };

  async function attemptAll(
    writes: readonly Write[],
    values: Values,
    deadline: Deadline,
  ): Promise<Timestamp | undefined> {
    const db = connection.db(roomOf(writes));
    let apart = false;
    for (let attempt = 1; ; attempt++) {
      try {
        return await sessions.use(db.client, (session, keep) => {
          const own = { client: db.client, session, keep, deadline };
          return run(own, db, writes, values, apart);
        });
      } catch (error) {
        if (error instanceof OneOfSeveral) apart = true;
        else if (error instanceof CollectionChanged) await catalog.refresh(error.collection);
        else if (!hasLabel(error, "TransientTransactionError") && !isGone(error)) throw error;
        else await connection.ready().catch((fault) => Promise.reject(refused(fault)));
        if (attempt === ATTEMPTS || deadline.over) throw givenUp(error);
        if (!apart) await wait(FIRST_DELAY * 2 ** (attempt - 1) * ((random(1)[0] ?? 0) / 256));
      }
    }
  }

  async function run(
    own: OwnSession,
    db: Db,
    writes: readonly Write[],
    values: Values,
    apart: boolean,
  ): Promise<Timestamp | undefined> {
    const { client, session, deadline } = own;
    const commit = Buffer.from(random(12)).toString("hex");
    const plan = await planTransaction(writes, values, commit, catalog, apart);
    if (plan.steps.length === 0 && !plan.refusal) return undefined;
    session.startTransaction(OPTIONS);
    const { givenUp } = connection.topology;
    const send = (command: Document) => deadline.race(db.command(command, { session }), givenUp) as Promise<WriteReply>;
    try {
      for (const step of plan.steps) await runStep(send, step, writes);
      if (plan.refusal) throw refused(plan.refusal.error).with({ operation: plan.refusal.operation });
      if (!plan.ended) await mark(send, commit);
    } catch (error) {
      // Waited for where the server is there, since the next attempt would meet with the locks of this one.
      if (!isGone(error)) await abort(client, session);
      else abandon(own);
      if (error instanceof GalleyError || isGone(error) || hasLabel(error, "TransientTransactionError")) throw error;
      if (error instanceof OneOfSeveral || error instanceof CollectionChanged) throw error;
      throw refused(writeError(error));
    }
    return finish(own);
  }

  async function runStep(send: Send, step: Step, writes: readonly Write[]): Promise<void> {
    const { collection, items } = step;
    const reply = await send(commandOf(step));
    const [error] = reply.writeErrors ?? [];
    const operation = items[error?.index ?? 0]?.operation ?? 0;
    const write = writes[operation] as Write;
    // What stands in the way is seen by whoever looks for it then.
    if (error || reply.n < items.length) connection.see(reply.operationTime);
    if (error) throw refused(itemFault(write, collection, error)).with({ operation });
    if (reply.n === items.length) return;
    // If none matched, the first did not.
    if (reply.n > 0) throw new OneOfSeveral();
    throw refused(versionConflict(write.collection, write.id)).with({ operation });
  }

  async function mark(send: Send, commit: string): Promise<void> {
    const marker = markerOf(commit, nextVersion(0), clock());
    const collectionUUID = catalog.get(COMMITS)?.uuid;
    const command = { insert: COMMITS, documents: [marker], ...(collectionUUID && { collectionUUID }) };
    const reply = await send(command);
    const [error] = reply.writeErrors ?? [];
    if (error?.code === CODES.collectionUuidMismatch) throw new CollectionChanged(COMMITS);
    if (error) throw new GalleyError("internal", "the store failed to write", { outcome: "not_applied" }, error);
  }

  /**
   * Commits, and asks again while the end is not known. What nobody tells is asked to abort, whose answer may tell the
   * end after all.
   *
   * @throws GalleyError with the outcome; the driver's error if the transaction was aborted and may be tried again
   */
  async function finish(own: OwnSession): Promise<Timestamp | undefined> {
    const { client, session, deadline } = own;
    let verdict: Abort = "unknown";
    for (let asked = 1; ; asked++) {
      try {
        await deadline.race(session.commitTransaction(), connection.topology.givenUp);
        connection.see(session.operationTime);
        return session.operationTime;
      } catch (error) {
        const lost = hasLabel(error, "TransientTransactionError") && !hasLabel(error, "UnknownTransactionCommitResult");
        // Never begun anew if an earlier request to commit was heard after all.
        if (lost && (await abort(client, session)) !== "committed") throw error;
        const unknown = writeError(error).with({ outcome: "unknown" });
        // Committed, and only not confirmed by a majority: there is nothing to ask.
        if (error instanceof MongoWriteConcernError && !isGone(error)) throw unknown;
        const reachable = !deadline.over && (await isReady(connection));
        if (reachable && asked < ATTEMPTS) continue;
        if (reachable && verdict === "unknown") {
          verdict = await abort(client, session);
          if (verdict === "aborted") throw refused(unknown);
          if (verdict === "committed") continue;
        }
        abandon(own);
        throw unknown;
      }
    }
  }

  function abandon({ client, session, keep }: OwnSession): void {
    keep();
    abandoned.add(client, session);
  }
}

/** The session of one attempt. `keep` takes it away from the pool; `deadline` is that of all attempts together. */
interface OwnSession {
  readonly client: MongoClient;
  readonly session: ClientSession;
  readonly keep: () => void;
  readonly deadline: Deadline;
}

type Send = (command: Document) => Promise<WriteReply>;

function isReady(connection: Connection): Promise<boolean> {
  return connection.ready().then(
    () => true,
    () => false,
  );
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
