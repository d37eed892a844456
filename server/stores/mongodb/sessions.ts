import type { ClientSession, MongoClient } from "mongodb";

/** Sessions that are kept, since a write needs one and opening one for each costs more than the write's own command. */
export interface Sessions {
  /**
   * Runs work with a session that nobody else uses meanwhile.
   * @param work may call `keep`, if it fails: then it ends the session itself
   */
  use<T>(client: MongoClient, work: (session: ClientSession, keep: () => void) => Promise<T>): Promise<T>;
}

export function createSessions(): Sessions {
  const idle = new Map<MongoClient, ClientSession[]>();

  return {
    async use(client, work) {
      const free = idle.get(client) ?? [];
      idle.set(client, free);
      const session = free.pop() ?? client.startSession();
      let kept = false;
      const keep = () => {
        kept = true;
      };
      try {
        const result = await work(session, keep);
        free.push(session);
        return result;
      } catch (error) {
        // What it was used for may still run on the server: it is not used again.
        if (!kept) void session.endSession().catch(() => {});
        throw error;
      }
    },
  };
}
