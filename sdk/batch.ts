import { ApiError, refused } from "./error.ts";
import type { Http } from "./http.ts";
import { type AnyWriter, bodyOf, createWriter, type Operation } from "./operations.ts";
import type { BatchReply } from "./protocol/api.ts";
import type { BatchOptions, BatchResult } from "./types/batch.ts";
import { writeKey } from "./write-key.ts";
import type { WriteOrder } from "./write-order.ts";

export interface AnyBatch {
  collection(name: string): AnyWriter;
}

/** Collects operations while a function runs, and refuses those that come later: they would be lost. */
export interface Collected {
  readonly operations: readonly Operation[];
  add(operation: Operation): void;
  end(): void;
}

export function createCollected(): Collected {
  const operations: Operation[] = [];
  let ended = false;
  return {
    operations,
    add(operation) {
      if (ended) throw new ApiError("failed_precondition", "this write came after the end of its batch or transaction");
      operations.push(operation);
    },
    end: () => {
      ended = true;
    },
  };
}

export async function runBatch(
  http: Http,
  order: WriteOrder,
  fn: (batch: AnyBatch) => unknown,
  options: BatchOptions = {},
): Promise<BatchResult[]> {
  const { operations, add, end } = createCollected();
  const returned = fn({ collection: (name) => createWriter(name, add) });
  end();
  if (returned instanceof Promise) throw refused("batch", "expects a function that is not async");
  return commit(http, order, operations, options);
}

/** Sends operations, all or nothing, when all earlier writes of their documents are answered. */
export async function commit(
  http: Http,
  order: WriteOrder,
  operations: readonly Operation[],
  options: BatchOptions,
): Promise<BatchResult[]> {
  if (operations.length === 0) return [];
  const body = bodyOf(operations);
  const headers = writeKey(options);
  const documents = operations.map(({ collection, id }) => `${collection}/${id}`);
  const reply = await order.run(documents, () => {
    return http.send({ method: "POST", path: "batch", body, headers, signal: options.signal, write: true });
  });
  return (reply as BatchReply).results.map(({ id, v = 0 }) => ({ id, version: v }));
}
