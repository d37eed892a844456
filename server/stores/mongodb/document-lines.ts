import type { Write } from "../document-store.ts";

/**
 * One line a document: transactions of this process on one document come one after the other. Side by side MongoDB would
 * let one through and abort all others, again and again.
 */
export class DocumentLines {
  readonly #lines = new Map<string, { last: Promise<void>; version: number }>();

  /** Waits until no transaction of this process writes these documents, and keeps it so while the work lasts. */
  async run<T>(writes: readonly Write[], work: () => Promise<T>): Promise<T> {
    const keys = new Set(writes.map(({ collection, id }) => `${collection}/${id}`));
    let leave: () => void = () => {};
    const mine = new Promise<void>((resolve) => {
      leave = resolve;
    });
    // All lines are joined in one turn, so that no two can wait for each other.
    const before: Promise<void>[] = [];
    for (const key of keys) {
      const line = this.#lines.get(key);
      if (line) before.push(line.last);
      this.#lines.set(key, { last: mine, version: line?.version ?? 0 });
    }
    try {
      if (before.length > 0) await Promise.all(before);
      return await work();
    } finally {
      leave();
      for (const key of keys) if (this.#lines.get(key)?.last === mine) this.#lines.delete(key);
    }
  }

  /** Notes the versions that a commit has stored, for those who wait in the lines. */
  stored(writes: readonly Write[]): void {
    for (const write of writes) {
      const line = write.kind === "put" ? this.#lines.get(`${write.collection}/${write.id}`) : undefined;
      if (line && write.kind === "put") line.version = write.version;
    }
  }

  /** The first write that expects a version from before one that is known to have been stored: it cannot come back. */
  outdated(writes: readonly Write[]): number | undefined {
    const own = new Set<string>();
    for (const [operation, write] of writes.entries()) {
      const key = `${write.collection}/${write.id}`;
      const known = this.#lines.get(key)?.version ?? 0;
      if (!own.has(key) && write.expect > 0 && write.expect < known) return operation;
      own.add(key);
    }
    return undefined;
  }
}
