import { setTimeout as wait } from "node:timers/promises";
import type { ClientSession, MongoClient } from "mongodb";
import type { Connection } from "./connect.ts";
import { CODES, codeOf } from "./errors.ts";
import { Deadline } from "./time-limit.ts";

/** What a server says of a transaction that it was asked to abort. `none`: it knows of none, for whatever reason. */
export type Abort = "aborted" | "committed" | "none" | "unknown";

/**
 * Transactions that this process gave up without knowing their end. On the server they may stand open for a minute, and
 * hold up everyone who writes the same documents: so each is aborted as soon as the server can be reached again.
 */
export interface Abandoned {
  /** Takes over a session with a transaction whose end is not known, and ends both. */
  add(client: MongoClient, session: ClientSession): void;
  /** Resolves once the server has been told of all of them, or after a moment; undefined if there are none. */
  cleared(): Promise<unknown> | undefined;
}

/** Longer than the server keeps a transaction open by itself. */
const LIFE_MILLISECONDS = 60_000;
const RETRY_MILLISECONDS = 100;
/** For one request to abort. */
const ABORT_MILLISECONDS = 2000;
/** How long other writes wait, since it is only likely that they would be held up. */
const PATIENCE_MILLISECONDS = 2000;

export function createAbandoned(connection: Connection): Abandoned {
  const open = new Set<Promise<void>>();

  async function end(client: MongoClient, session: ClientSession): Promise<void> {
    const until = performance.now() + LIFE_MILLISECONDS;
    try {
      while (performance.now() < until && !connection.closed) {
        if ((await abort(client, session)) !== "unknown") return;
        await wait(RETRY_MILLISECONDS);
      }
    } finally {
      await session.endSession().catch(() => {});
    }
  }

  return {
    add(client, session) {
      const ending = end(client, session).finally(() => open.delete(ending));
      open.add(ending);
    },
    cleared: () => (open.size === 0 ? undefined : Promise.race([Promise.all(open), wait(PATIENCE_MILLISECONDS)])),
  };
}

/**
 * Asks the server to abort a session's transaction, whatever the driver believes of it. `aborted` is proof that it never
 * was committed and never will be; `committed`, that it was, though perhaps not yet on a majority.
 */
export async function abort(client: MongoClient, session: ClientSession): Promise<Abort> {
  const deadline = new Deadline(ABORT_MILLISECONDS);
  try {
    await deadline.race(client.db("admin").command({ abortTransaction: 1 }, { session }));
    return "aborted";
  } catch (error) {
    switch (codeOf(error)) {
      case CODES.transactionCommitted:
        return "committed";
      case CODES.noSuchTransaction:
        return "none";
      default:
        return "unknown";
    }
  }
}
