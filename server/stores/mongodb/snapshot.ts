import type { ClientSession, Db, Document, Timestamp } from "mongodb";
import type { Connection } from "./connect.ts";
import type { ReadClock } from "./read-clock.ts";
import { BSON_OPTIONS } from "./values.ts";

/** Bytes of documents that one batch of a stream should hold: it is read in one go, which nothing else can interrupt. */
const STREAM_BYTES = 512 * 1024;
const MOST_DOCUMENTS = 4000;
/** The members of replies that hold documents, which the driver leaves as they are. */
const DOCUMENTS = { firstBatch: true, nextBatch: true };

/**
 * Reads of one query, all of one state of the database (query-language.md 8.3.1): that of the first one. The driver's own
 * snapshot sessions give way to the client's read concern, and do not tell the time, so the commands are run as they are.
 */
export class Snapshot {
  readonly #connection: Connection;
  readonly #database: Db;
  readonly #clock: ReadClock;
  readonly #session: ClientSession;
  #at: Timestamp | undefined;
  #answered: Timestamp | undefined;
  #underWay = false;

  constructor(connection: Connection, collection: string, clock: ReadClock) {
    this.#connection = connection;
    this.#database = connection.db(collection);
    this.#clock = clock;
    // A cursor belongs to its session: with implicit ones a getMore sometimes comes with another.
    this.#session = connection.clientOf(collection).startSession({ causalConsistency: false });
  }

  /** The state that was read; undefined if nothing was. A read of a collection that does not exist is of no state. */
  get time(): Timestamp | undefined {
    return this.#at ?? this.#answered;
  }

  /**
   * The batches of a `find` or `aggregate`, each document as its bytes: what no program should have stored must fail no
   * document but itself.
   *
   * @param milliseconds a time of its own within the query's, for a try
   */
  async *batches(command: Document, milliseconds = this.#clock.left): AsyncGenerator<Uint8Array[]> {
    const collection: unknown = command.find ?? command.aggregate;
    const maxTimeMS = Math.min(milliseconds, this.#clock.left);
    const reply = await this.#run({ ...command, readConcern: this.#readConcern(), maxTimeMS });
    this.#note(reply);
    let { id, firstBatch: batch } = reply.cursor as { id: number | bigint; firstBatch: Uint8Array[] };
    try {
      for (;;) {
        yield batch;
        if (Number(id) === 0) return;
        // A small id is read as a number, and MongoDB takes longs only.
        const more = await this.#run({ getMore: BigInt(id), collection, batchSize: batchSizeAfter(batch) });
        id = more.cursor.id;
        batch = more.cursor.nextBatch;
      }
    } finally {
      if (Number(id) !== 0) this.#kill({ killCursors: collection, cursors: [BigInt(id)] });
    }
  }

  /** Ends it, with whatever is still under way. */
  async end(): Promise<void> {
    // Of a command that is not answered yet the session is still in use; it ends with it.
    if (!this.#underWay) await this.#session.endSession();
  }

  #readConcern(): Document {
    if (this.#at) return { level: "snapshot", atClusterTime: this.#at };
    const { seen } = this.#connection;
    // After a change of primary its snapshot may lag behind what this process was told to be stored.
    return seen ? { level: "snapshot", afterClusterTime: seen } : { level: "snapshot" };
  }

  #note(reply: Document): void {
    this.#at ??= reply.cursor.atClusterTime;
    this.#answered ??= reply.operationTime;
    this.#connection.see(this.#at);
  }

  #run(command: Document): Promise<Document> {
    this.#underWay = true;
    const options = { ...BSON_OPTIONS, fieldsAsRaw: DOCUMENTS, session: this.#session };
    const running = this.#database.command(command, options).finally(() => {
      this.#underWay = false;
    });
    return this.#clock.wait(running, () => {
      running.catch(() => {}).finally(() => this.#session.endSession());
      const { id } = this.#session;
      if (id) this.#kill({ killSessions: [id] });
    });
  }

  /** Nobody waits for it, and MongoDB does it by itself if it does not arrive. */
  #kill(command: Document): void {
    this.#database.command(command).catch(() => {});
  }
}

/** How many documents like these make a batch. */
function batchSizeAfter(batch: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const document of batch) bytes += document.length;
  if (bytes === 0) return MOST_DOCUMENTS;
  return Math.max(1, Math.min(MOST_DOCUMENTS, Math.floor((STREAM_BYTES * batch.length) / bytes)));
}
