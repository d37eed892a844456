import { commit, createCollected } from "./batch.ts";
import { createCollection } from "./collection.ts";
import { ApiError } from "./error.ts";
import type { Http } from "./http.ts";
import { type AnyWriter, createWriter, type Operation } from "./operations.ts";
import { pause, waitBefore } from "./retry.ts";
import { abortedBy } from "./stop.ts";
import type { TransactionOptions } from "./types/batch.ts";
import type { Json } from "./types/document.ts";
import type { WriteOrder } from "./write-order.ts";

const ATTEMPTS = 5;

export interface AnyTransaction {
  collection(name: string): AnyWriter & { get(id: string): Promise<Json | null> };
}

/** What was read of a document: its first answer, which the whole attempt goes by. */
interface Read {
  readonly collection: string;
  readonly id: string;
  readonly document: Promise<Json | null>;
  /** 0: there is none. Undefined until the answer is there. */
  version?: number;
}

/**
 * Runs `fn`, then sends what it wrote as one batch that fails if anything it read has changed, and runs it again if so:
 * serialisable over the documents read; query-language.md 9.7. What `fn` itself throws ends it.
 */
export async function runTransaction<R>(
  http: Http,
  order: WriteOrder,
  fn: (transaction: AnyTransaction) => Promise<R>,
  { attempts = ATTEMPTS, signal }: TransactionOptions = {},
): Promise<R> {
  for (let n = 1; ; n++) {
    if (signal?.aborted) throw abortedBy(signal);
    const attempt = createAttempt(http, order, signal);
    const result = await attempt.run(fn);
    try {
      await commit(http, order, attempt.operations(), { signal });
      return result;
    } catch (error) {
      if (n >= attempts || !ApiError.is(error, "version_conflict", "contention")) throw error;
      await pause(waitBefore(n - 1, error), signal);
    }
  }
}

function createAttempt(http: Http, order: WriteOrder, signal: AbortSignal | undefined) {
  const reads = new Map<string, Read>();
  const written = createCollected();

  function read(collection: string, id: string): Read {
    const key = `${collection}/${id}`;
    const held = reads.get(key);
    if (held) return held;
    const document = createCollection(http, order, collection)
      .get(id, { signal })
      .then((found) => {
        made.version = (found?._v as number | undefined) ?? 0;
        return found;
      });
    const made: Read = { collection, id, document };
    reads.set(key, made);
    return made;
  }

  async function get(collection: string, id: string): Promise<Json | null> {
    const own = written.operations.filter((write) => write.collection === collection && write.id === id);
    const document = await read(collection, id).document;
    return own.length === 0 ? document : (await import("./pending.ts")).withWrites(document, own);
  }

  const transaction: AnyTransaction = {
    collection: (name) => ({ ...createWriter(name, written.add), get: (id) => get(name, id) }),
  };

  return {
    async run<R>(fn: (transaction: AnyTransaction) => Promise<R>): Promise<R> {
      try {
        return await fn(transaction);
      } finally {
        written.end();
      }
    },
    /** The writes, each document's first one bound to what was read of it, and checks of what was only read. */
    operations(): Operation[] {
      const unbound = new Map(reads);
      const writes = written.operations.map((write): Operation => {
        const key = `${write.collection}/${write.id}`;
        const version = unbound.get(key)?.version;
        unbound.delete(key);
        return { ...write, ifVersion: write.ifVersion ?? version };
      });
      // One document read alone is a consistent state by itself.
      if (writes.length === 0 && unbound.size < 2) return [];
      const checks = [...unbound.values()].map(({ collection, id, version }): Operation => {
        return { op: "check", collection, id, ifVersion: version };
      });
      return [...writes, ...checks.filter(({ ifVersion }) => ifVersion !== undefined)];
    },
  };
}
