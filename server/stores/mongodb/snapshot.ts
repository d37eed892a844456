import type { ClientSession, Db, Document, Timestamp } from "mongodb";
import type { Clients, Connection } from "./connect.ts";
import type { ReadClock } from "./read-clock.ts";
import { BSON_OPTIONS } from "./values.ts";

/** Bytes of documents that one batch of a stream should hold: it is read in one go, which nothing else can interrupt. */
const STREAM_BYTES = 512 * 1024;
const MOST_DOCUMENTS = 4000;
/** The members of replies that hold documents, which the driver leaves as they are. */
const DOCUMENTS = { firstBatch: true, nextBatch: true };

/** A read at a time found no collection of that name: whether there was one then, it does not tell. */
export class NoCollection extends Error {}

export interface SnapshotOptions {
  readonly connection: Connection;
  readonly clients: Clients;
  readonly collection: string;
  readonly clock: ReadClock;
  /** The state to read; undefined: the newest. */
  readonly at?: Timestamp | undefined;
}

/**
 * Reads of one query, all of one state of the database (query-language.md 8.3.1): that of the first one. The driver's own
 * snapshot sessions give way to the client's read concern, and do not tell the time, so the commands are run as they are.
 */
export class Snapshot {
  readonly #connection: Connection;
  readonly #database: Db;
  readonly #clock: ReadClock;
  readonly #session: ClientSession;
  /** Whether the state was given. */
  readonly #positioned: boolean;
  #at: Timestamp | undefined;
  #answered: Timestamp | undefined;
  #underWay = false;

  constructor({ connection, clients, collection, clock, at }: SnapshotOptions) {
    this.#connection = connection;
    this.#database = clients.db(collection);
    this.#clock = clock;
    this.#positioned = at !== undefined;
    this.#at = at;
    // A cursor belongs to its session: with implicit ones a getMore sometimes comes with another.
    this.#session = clients.clientOf(collection).startSession({ causalConsistency: false });
  }

  /** The state that was read; undefined if nothing was. A read of a collection that does not exist is of no state. */
  get time(): Timestamp | undefined {
    return this.#at ?? this.#answered;
  }

  /**
   * The batches of a `find` or `aggregate`, each document as its bytes: what no program should have stored must fail no
   * document but itself.
   *
   * @throws NoCollection, what the server says, or GalleyError `timeout`
   * @param milliseconds a time of its own within the query's, for a try
   */
  async *batches(command: Document, milliseconds = this.#clock.left): AsyncGenerator<Uint8Array[]> {
    const collection: unknown = command.find ?? command.aggregate;
    const maxTimeMS = Math.min(milliseconds, this.#clock.left);
    const reply = await this.#run({ ...command, readConcern: this.#readConcern(), maxTimeMS });
    this.#note(reply);
    let { id, firstBatch: batch } = reply.cursor as { id: number | bigint; firstBatch: Uint8Array[] };
    if (this.#positioned && command.aggregate && batch.length === 0 && Number(id) === 0)
      await this.#demandCollection(command.aggregate);
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

  /** The reply to an `aggregate` does not tell whether there is a collection, as that to a `find` does. */
  async #demandCollection(collection: unknown): Promise<void> {
    const limits = { limit: 1, projection: { _id: 1 }, maxTimeMS: this.#clock.left };
    this.#note(await this.#run({ find: collection, ...limits, readConcern: this.#readConcern() }));
  }

  #readConcern(): Document {
    if (this.#at) return { level: "snapshot", atClusterTime: this.#at };
    const { seen } = this.#connection;
    // After a change of primary its snapshot may lag behind what this process was told to be stored.
    return seen ? { level: "snapshot", afterClusterTime: seen } : { level: "snapshot" };
  }

  #note(reply: Document): void {
    if (this.#positioned && !reply.cursor.atClusterTime) throw new NoCollection();
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
    const stop = () => {
      running.catch(() => {}).finally(() => this.#session.endSession());
      const { id } = this.#session;
      if (id) this.#kill({ killSessions: [id] });
    };
    return this.#clock.wait(running, stop, this.#connection.topology.givenUp);
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
