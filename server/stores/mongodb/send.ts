import { type ClientSession, type Db, type Document, Long, type Timestamp } from "mongodb";
import type { Connection } from "./connect.ts";
import { isGone, writeError } from "./errors.ts";
import { Deadline } from "./time-limit.ts";
import { placesOf } from "./write-places.ts";

/** Durable on a majority of the nodes before it is answered; `wtimeout` ours, since the server's default is for ever. */
export const WRITE_CONCERN = { w: "majority", j: true, wtimeout: 10_000 } as const;
/** Milliseconds for a write in all. Longer than the wait for the majority, whose end mongod tells by itself. */
export const WRITE_MILLISECONDS = 12_000;

/** What a write command's reply tells. */
export interface WriteReply extends Document {
  /** Documents that matched or were inserted. */
  readonly n: number;
  readonly writeErrors?: readonly WriteItemError[];
  readonly operationTime: Timestamp;
}

export interface WriteItemError {
  readonly index: number;
  readonly code: number;
  readonly errmsg?: string;
  readonly keyPattern?: Document;
  readonly keyValue?: Document;
}

/** Times that a command is sent, in all. */
const ATTEMPTS = 3;

/** A number that makes every attempt of a command known to the server as the same one. */
export function nextNumber({ serverSession }: ClientSession): Long {
  serverSession.txnNumber += 1;
  return Long.fromNumber(serverSession.txnNumber);
}

/**
 * Sends one write command outside a transaction. The server does it once however often it is sent, since every attempt
 * bears the same number of the same session; so when the primary goes, the next one is asked.
 *
 * It is a command and not the driver's own method, which neither demands a collection by its UUID nor tells the
 * `operationTime`.
 *
 * @throws GalleyError whose outcome is `not_applied` only if no attempt can have been applied: that the last one was
 *   refused says nothing of those before it
 */
export async function sendWrite(
  connection: Connection,
  session: ClientSession,
  db: Db,
  command: Document,
  txnNumber = nextNumber(session),
): Promise<WriteReply> {
  const numbered = { ...command, writeConcern: WRITE_CONCERN, txnNumber };
  const deadline = new Deadline(WRITE_MILLISECONDS);
  const { givenUp } = connection.topology;
  const places = placesOf(db.client);
  await places.take(deadline, givenUp).catch((error: unknown) => {
    throw writeError(error).with({ outcome: "not_applied" });
  });
  try {
    return await attemptAll(connection, () => deadline.race(db.command(numbered, { session }), givenUp), deadline);
  } finally {
    places.leave();
  }
}

async function attemptAll(
  connection: Connection,
  send: () => Promise<Document>,
  deadline: Deadline,
): Promise<WriteReply> {
  let proven = true;
  for (let attempt = 1; ; attempt++) {
    try {
      const reply = (await send()) as WriteReply;
      connection.see(reply.operationTime);
      return reply;
    } catch (error) {
      const failure = writeError(error);
      proven &&= failure.details.outcome === "not_applied";
      const told = proven ? failure : failure.with({ outcome: "unknown" });
      if (attempt === ATTEMPTS || !isGone(error) || deadline.over) throw told;
      await connection.ready().catch(() => Promise.reject(told));
    }
  }
}
