/**
 * Sends writes of one document one after another, in the order of the calls: two connections could swap them. Writes
 * of different documents do not wait for each other; a batch waits for all its documents (sdk.md 5.2).
 */
export interface WriteOrder {
  /** Runs a write when all earlier ones that touch one of these documents have ended, well or not. */
  run<R>(documents: Iterable<string>, write: () => Promise<R>): Promise<R>;
}

export function createWriteOrder(): WriteOrder {
  const last = new Map<string, Promise<unknown>>();
  return {
    run(documents, write) {
      const keys = [...new Set(documents)];
      const running = Promise.all(keys.map((key) => last.get(key))).then(write);
      const ended: Promise<unknown> = running
        .catch(() => {})
        .then(() => {
          for (const key of keys) if (last.get(key) === ended) last.delete(key);
        });
      for (const key of keys) last.set(key, ended);
      return running;
    },
  };
}
