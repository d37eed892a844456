import type { Writing } from "./collection.ts";
import { refused } from "./error.ts";
import type { Call } from "./http.ts";
import { bodyOf, createWriter, type Operation } from "./operations.ts";
import { showing } from "./own-writes.ts";
import type { BatchReply } from "./protocol/api.ts";
import type { Batch, BatchOptions, BatchResult } from "./types/batch.ts";
import type { AnySchema } from "./types/client.ts";
import { writeKey } from "./write-key.ts";

export async function runBatch(
  writing: Writing,
  fn: (batch: Batch<AnySchema>) => unknown,
  options?: BatchOptions,
): Promise<BatchResult[]> {
  const operations: Operation[] = [];
  const returned = fn({ collection: (name) => createWriter(name, operations) });
  Object.freeze(operations);
  if (returned instanceof Promise) {
    returned.catch(() => {});
    throw refused("batch", "expects a function that is not async");
  }
  return commit(writing, operations, options);
}

/** Sends operations, all or nothing, when all earlier writes of their documents are answered. */
export async function commit(
  { http, order, own }: Writing,
  operations: readonly Operation[],
  options: BatchOptions & Pick<Call, "grant"> = {},
): Promise<BatchResult[]> {
  if (operations.length === 0) return [];
  const { signal, grant } = options;
  const headers = writeKey(options);
  const call = { method: "POST", path: "batch", body: bodyOf(operations), headers, signal, grant } as const;
  const documents = operations.map(({ collection, id }) => `${collection}/${id}`);
  const { results } = await showing(
    own,
    operations,
    options,
    (course) => order.run(documents, (turn) => http.send({ ...call, turn, course })) as Promise<BatchReply>,
    (reply) => reply.results,
  );
  return results.map(({ id, v = 0 }) => ({ id, version: v }));
}
