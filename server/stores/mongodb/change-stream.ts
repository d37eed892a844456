import type { ClientSession, Db, Document, Timestamp } from "mongodb";
import { type ChangeEvent, readEvent, timeOfToken } from "./change-events.ts";
import { COMMITS } from "./commit-marker.ts";
import { codeOf, hasLabel } from "./errors.ts";
import { BSON_OPTIONS } from "./values.ts";

/** What one round trip to the server brought. */
export interface Batch {
  readonly events: readonly ChangeEvent[];
  /** Every event up to this time has been handed over; undefined if the server did not say. */
  readonly through: Timestamp | undefined;
  /** Whether the server may have stopped because the reply was full, and so in the middle of a transaction. */
  readonly full: boolean;
  /** The stream has ended with this batch. */
  readonly ended: boolean;
}

/** A cursor on the changes of a database. */
export interface ChangeStream {
  /** Waits at most so many milliseconds for events. Throws what the server says, or if it says nothing for too long. */
  next(milliseconds: number): Promise<Batch>;
  close(): void;
}

const MOST_EVENTS = 1000;
/**
 * A reply holds 16 MiB, and ends where the next event does not fit. One of a document that Galley stored takes at most
 * 7 MiB (1 MiB of text in its least favourable form); so below this size it would have fit. More events than these are not
 * measured.
 */
const SURELY_NOT_FULL = { events: 64, bytes: 4 * 1024 * 1024 };
/** Beyond what it was told to wait, how long a reply may take before the connection is given up. */
const PATIENCE = 3000;

/**
 * Leaves out events that nobody follows: the expiry of commit records, and the documents of those collections. And no
 * `fullDocument`: Galley's own writes are inserts, replaces and deletes, which carry the document; a look-up could show a
 * later state (live-queries.md 3.3).
 */
function followed(unfollowed: readonly string[]): Document[] {
  const expiry = { operationType: "delete", "ns.coll": COMMITS };
  const ofDocuments = { $in: ["insert", "replace", "update", "delete"] };
  const others = { operationType: ofDocuments, "ns.coll": { $in: unfollowed } };
  // One a stage: the optimizer of MongoDB 6.0 fails on a `$nor` of two, and on an empty list.
  const left = unfollowed.length === 0 ? [expiry] : [expiry, others];
  return left.map((events) => ({ $match: { $nor: [events] } }));
}

/**
 * Opens a stream with the events from this time on, those of the time itself included. It reads the cursor by commands
 * and not by the driver's change stream, which begins anew by itself in the middle of a commit, hands over one event at a
 * time, and does not tell how far it has looked.
 */
export async function openChangeStream(db: Db, start: Timestamp, unfollowed: readonly string[]): Promise<ChangeStream> {
  const session = db.client.startSession({ causalConsistency: false });
  try {
    const stream = { $changeStream: { startAtOperationTime: start, showExpandedEvents: true } };
    const pipeline = [stream, ...followed(unfollowed)];
    const command = { aggregate: 1, pipeline, cursor: { batchSize: 0 }, readConcern: { level: "majority" } };
    const { cursor } = await ask(db, command, session, new AbortController(), 0);
    return new CommandStream(db, session, cursor.id);
  } catch (error) {
    void session.endSession();
    throw error;
  }
}

class CommandStream implements ChangeStream {
  readonly #db: Db;
  readonly #session: ClientSession;
  readonly #cursor: bigint;
  /** Of the round trip under way. */
  #asking = new AbortController();

  constructor(db: Db, session: ClientSession, cursor: unknown) {
    this.#db = db;
    this.#session = session;
    // However the driver reads an id, it has to be sent as a long: the server refuses a small one that is an int.
    this.#cursor = BigInt(String(cursor));
  }

  async next(milliseconds: number): Promise<Batch> {
    const limits = { batchSize: MOST_EVENTS, maxTimeMS: milliseconds };
    const command = { getMore: this.#cursor, collection: "$cmd.aggregate", ...limits };
    this.#asking = new AbortController();
    const { cursor } = await ask(this.#db, command, this.#session, this.#asking, milliseconds);
    const batch = cursor.nextBatch as Uint8Array[];
    return {
      events: batch.map(readEvent),
      through: timeOfToken(cursor.postBatchResumeToken),
      full: mayBeFull(batch),
      ended: String(cursor.id) === "0",
    };
  }

  close(): void {
    this.#asking.abort(new Error("the change stream is closed"));
    void endCursor(this.#db, this.#cursor, this.#session);
  }
}

/** Runs a command and gives its connection up if there is no answer: a network that swallows would hold it for ever. */
async function ask(
  db: Db,
  command: Document,
  session: ClientSession,
  asking: AbortController,
  milliseconds: number,
): Promise<Document> {
  const timer = setTimeout(() => asking.abort(new Error("the server does not answer")), milliseconds + PATIENCE);
  try {
    const options = { ...BSON_OPTIONS, fieldsAsRaw: { nextBatch: true }, session, signal: asking.signal };
    return await db.command(command, options);
  } finally {
    clearTimeout(timer);
  }
}

/** A courtesy to the server, which ends forgotten cursors by itself. */
async function endCursor(db: Db, cursor: bigint, session: ClientSession): Promise<void> {
  try {
    const late = AbortSignal.timeout(PATIENCE);
    await db.command({ killCursors: "$cmd.aggregate", cursors: [cursor] }, { session, signal: late });
  } catch {
    // It may be gone with its server.
  } finally {
    await session.endSession();
  }
}

function mayBeFull(batch: readonly Uint8Array[]): boolean {
  if (batch.length > SURELY_NOT_FULL.events) return true;
  return batch.reduce((bytes, event) => bytes + event.length, 0) > SURELY_NOT_FULL.bytes;
}

/** The oplog has rolled over the place to start from, or holds an event that no reply can. */
const HISTORY_LOST = new Set([280, 286, 10_334]);

/** Whether a stream cannot go on from where it was: commits were missed. */
export function isHistoryLost(error: unknown): boolean {
  return hasLabel(error, "NonResumableChangeStreamError") || HISTORY_LOST.has(codeOf(error) ?? 0);
}
