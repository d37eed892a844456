import type { Log } from "../log.ts";
import type { DocumentStore } from "../stores/document-store.ts";
import { startSweep } from "../stores/expired.ts";
import { createAdvisor } from "./advice.ts";
import { createBatches } from "./batch.ts";
import type { DocumentService } from "./contract.ts";
import { createCursors } from "./cursors.ts";
import { addIndex } from "./definition-change.ts";
import type { Definitions } from "./definitions.ts";
import { COMMITS, createIdempotency } from "./idempotency.ts";
import { createReading } from "./reading.ts";
import { createWriteRequests } from "./write-requests.ts";
import { createWriter } from "./writing.ts";

export interface DocumentServiceOptions {
  readonly store: DocumentStore;
  readonly definitions: Definitions;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** That many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  /** The server's secrets, newest first: cursors are signed with the first and read with any. */
  readonly secrets: readonly string[];
  /** Development mode: pages carry advice, and missing indexes are declared by themselves. */
  readonly development: boolean;
  /** Whether a write in a collection changes what somebody may do (access-rules.md 5.6). */
  readonly grantsRights: (collection: string) => boolean;
}

/**
 * Documents as transport asks for them. How a read goes: reading.ts. How a write goes: write-requests.ts, then
 * operation.ts computes and judges, and writing.ts or batch.ts commits. `close` ends what runs in the background.
 */
export async function createDocumentService(
  options: DocumentServiceOptions,
): Promise<DocumentService & { close(): Promise<void> }> {
  const { store, definitions, clock, random, log } = options;
  const ensureRecords = () => store.ensureCollection({ name: COMMITS, indexes: [{ paths: ["expiresAt"] }] });
  await ensureRecords();
  // Another program may have dropped the whole database.
  const tail = store.tail(undefined, () => {}, ensureRecords);

  const cursors = createCursors(options.secrets);
  const advisor = createAdvisor({
    clock,
    log,
    development: options.development,
    declareIndex: (collection, index) => addIndex({ store, definitions }, collection, index),
  });
  const { grantsRights } = options;
  const writer = createWriter({ store, definitions, random, grantsRights });
  const batches = createBatches({ store, definitions, writer, clock, random, grantsRights });
  const idempotency = createIdempotency({ store, clock });
  const sweep = startSweep({ store, clock, collections: [COMMITS], warn: log.warn.bind(log) });

  return {
    ...createReading({ store, definitions, cursors, advisor, development: options.development }),
    ...createWriteRequests({ store, definitions, writer, batches, idempotency, clock, random }),
    async close() {
      tail.close();
      await sweep.close();
    },
  };
}
