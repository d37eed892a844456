/**
 * Sends writes of one document one after another, in the order of the calls: two connections could swap them. Writes
 * of different documents do not wait for each other; a batch waits for all its documents (sdk.md 5.2).
 */
export interface WriteOrder {
  /** @param write is called at once, with what it must wait for: the end, good or bad, of all earlier writes */
  run<R>(documents: readonly string[], write: (turn: Promise<unknown>) => Promise<R>): Promise<R>;
}

export function createWriteOrder(): WriteOrder {
  const last = new Map<string, Promise<unknown>>();
  return {
    run(documents, write) {
      const turn = Promise.all(documents.map((key) => last.get(key)));
      const written = write(turn);
      // A write that is aborted while it waits ends early, but must not let later ones pass those before it.
      const ended: Promise<unknown> = Promise.all([turn, written.catch(() => {})]).then(() => {
        for (const key of documents) if (last.get(key) === ended) last.delete(key);
      });
      for (const key of documents) last.set(key, ended);
      return written;
    },
  };
}
