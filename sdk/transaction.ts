import type { AnyCollection } from "./collection.ts";
import type { ApiError } from "./error.ts";
import type { Grant } from "./http.ts";
import type { createWriter, Operation } from "./operations.ts";
import type { GalleyError } from "./protocol/errors.ts";
import type { BatchOptions, Transaction, TransactionOptions } from "./types/batch.ts";
import type { AnySchema } from "./types/client.ts";
import type { Doc, Json } from "./types/document.ts";

const ATTEMPTS = 5;

/**
 * What a transaction needs of the client. It is handed in and not imported, so that this file, which is loaded when it
 * is first used, shares no module with the core: bundlers would tear the core into pieces for it.
 */
export interface Core {
  /** What somebody has read, nobody else writes on. */
  readonly grant: Grant;
  collection(name: string): AnyCollection;
  writer: typeof createWriter;
  /** Sends operations as one batch. */
  commit(operations: readonly Operation[], options: BatchOptions & { readonly grant: Grant }): Promise<unknown>;
  /** Waits before try `n` + 1, the first being 1. @throws ApiError `aborted` */
  wait(n: number, error: ApiError, signal: AbortSignal | undefined): Promise<unknown>;
  ApiError: typeof ApiError;
}

/** What was read of a document: the first answer, which the whole attempt goes by. */
interface Read {
  readonly collection: string;
  readonly id: string;
  readonly document: Promise<Doc<Json> | null>;
  /** 0: there is none. Undefined until the answer came. */
  version?: number;
}

/**
 * Runs `fn`, then sends what it wrote as one batch that fails if anything it read has changed, and runs it again if so:
 * serialisable over the documents read; query-language.md 9.7. What `fn` itself throws ends it.
 */
export async function runTransaction<R>(
  core: Core,
  fn: (transaction: Transaction<AnySchema>) => Promise<R>,
  { attempts = ATTEMPTS, signal }: TransactionOptions = {},
): Promise<R> {
  for (let n = 1; ; n++) {
    const reads = new Map<string, Read>();
    const writes: Operation[] = [];
    const result = await fn(createTransaction(core, reads, writes, signal));
    Object.freeze(writes);
    try {
      await core.commit(guarded(writes, reads), { signal, grant: core.grant });
      return result;
    } catch (error) {
      if (n >= attempts || !core.ApiError.is(error, "version_conflict", "contention")) throw error;
      await core.wait(n, error, signal);
    }
  }
}

function createTransaction(
  core: Core,
  reads: Map<string, Read>,
  writes: Operation[],
  signal: AbortSignal | undefined,
): Transaction<AnySchema> {
  function read(collection: string, id: string): Promise<Doc<Json> | null> {
    const key = `${collection}/${id}`;
    const held = reads.get(key);
    if (held) return held.document;
    const answer = core.collection(collection).get(id, { signal, grant: core.grant });
    const document = answer.then((found) => {
      made.version = found?._v ?? 0;
      return found;
    });
    const made: Read = { collection, id, document };
    reads.set(key, made);
    return document;
  }

  return {
    collection: (name) => ({
      ...core.writer(name, writes),
      async get(id) {
        const own = writes.filter((write) => write.collection === name && write.id === id);
        const document = await read(name, id);
        if (own.length === 0) return document;
        const { withWrites } = await import("./pending.ts");
        try {
          return withWrites(document, own);
        } catch (error) {
          const { code, message, status, details } = error as GalleyError;
          throw new core.ApiError(code, message, { status, details, cause: error });
        }
      },
    }),
  };
}

/** The writes, each document's first one bound to what was read of it, then checks of what was only read. */
function guarded(writes: readonly Operation[], reads: Map<string, Read>): Operation[] {
  const unbound = new Map(reads);
  const bound = writes.map((write): Operation => {
    const key = `${write.collection}/${write.id}`;
    const { version } = unbound.get(key) ?? {};
    unbound.delete(key);
    return { ...write, ifVersion: write.ifVersion ?? version };
  });
  // A document that was read alone, with nothing written, is a consistent state by itself.
  if (writes.length === 0 && unbound.size < 2) return [];
  for (const { collection, id, version } of unbound.values()) {
    if (version !== undefined) bound.push({ op: "check", collection, id, ifVersion: version });
  }
  return bound;
}
