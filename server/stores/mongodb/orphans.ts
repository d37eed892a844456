import { setTimeout as wait } from "node:timers/promises";
import type { Document } from "mongodb";
import type { Connection } from "./connect.ts";

/** Ends what killed processes left open on the server. */
export interface Orphans {
  /** Looks once, then every second until closed. */
  open(): Promise<void>;
  close(): Promise<void>;
}

const LOOK_MILLISECONDS = 1000;
/** For how long nobody may have used a transaction: between two commands of a living process there is a moment, too. */
const IDLE_MILLISECONDS = 200;
/** For one look, which waits for nothing. */
const MOST_MILLISECONDS = 2000;

/**
 * A process that is killed in the middle of a transaction leaves it open. The server ends it after a minute, and until
 * then nobody can write the same documents. But the server knows by which connection a transaction was used last, and
 * which connections there are: one whose connection is gone has lost its process. (If a living one has only lost the
 * connection, it is told that its transaction was aborted, and tries again.)
 */
export function createOrphans(connection: Connection, warn: (message: string, error?: unknown) => void): Orphans {
  const admin = connection.server.client.db("admin");
  const { appName } = connection.server.client.options;
  const closing = new AbortController();
  let looking: Promise<void> | undefined;
  let told = false;

  function currentOperations(options: object, match: object, fields: object): Promise<Document[]> {
    // Those of our own user, which needs no rights beyond its own.
    const stages = [{ $currentOp: { allUsers: false, ...options } }, { $match: match }, { $project: fields }];
    return admin.aggregate(stages, { maxTimeMS: MOST_MILLISECONDS, readConcern: { level: "local" } }).toArray();
  }

  async function end(): Promise<void> {
    const idle = { type: "idleSession", appName, "transaction.timeInactiveMicros": { $gte: IDLE_MILLISECONDS * 1000 } };
    const open = await currentOperations({ idleSessions: true }, idle, { connectionId: 1, lsid: 1 });
    if (open.length === 0) return;
    const there = await currentOperations(
      { idleConnections: true },
      { type: "op", connectionId: { $in: open.map(({ connectionId }) => connectionId) } },
      { connectionId: 1 },
    );
    // As texts: the server sends the one as an int64, the other as it likes.
    const living = new Set(there.map(({ connectionId }) => String(connectionId)));
    const orphans = open.filter(({ connectionId }) => !living.has(String(connectionId)));
    if (orphans.length === 0) return;
    await admin.command({ killSessions: orphans.map(({ lsid }) => ({ id: lsid.id })) });
    warn(`${orphans.length} transactions of a process that is gone stood open, and were ended`);
  }

  async function look(): Promise<void> {
    try {
      await end();
      told = false;
    } catch (error) {
      // The server then ends them by itself, later.
      if (!told && connection.topology.primary) warn("open transactions of gone processes cannot be looked for", error);
      told = true;
    }
  }

  async function lookOn(): Promise<void> {
    for (;;) {
      await wait(LOOK_MILLISECONDS, undefined, { signal: closing.signal, ref: false });
      await look();
    }
  }

  return {
    async open() {
      await look();
      looking ??= lookOn().catch(() => {});
    },
    async close() {
      closing.abort();
      await looking;
    },
  };
}
