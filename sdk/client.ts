import { commit, runBatch } from "./batch.ts";
import { type AnyCollection, createCollection } from "./collection.ts";
import { ApiError, refused } from "./error.ts";
import { createHttp } from "./http.ts";
import { createWriter } from "./operations.ts";
import { waitBefore } from "./retry.ts";
import type { Core } from "./transaction.ts";
import type { Batch, BatchOptions, Transaction, TransactionOptions } from "./types/batch.ts";
import type { AnySchema, Client, ClientOptions } from "./types/client.ts";
import { createWriteOrder } from "./write-order.ts";

const TIMEOUT = 30_000;

/**
 * Makes a client. It sends nothing yet.
 *
 * @example const db = createClient<Schema>({ url: "https://api.example.com" });
 * @throws ApiError `invalid_argument` for options that could never work
 */
export function createClient<S = AnySchema>(options: ClientOptions): Client<S> {
  const { url, serviceKey, timeout = TIMEOUT } = options;
  if (!/^https?:\/\/[^/?#@][^?#@]*$/.test(url)) throw refused("url", "expects an http or https address");
  if (!(timeout > 0)) throw refused("timeout", "expects time in ms");
  if (serviceKey && isBrowser()) throw refused("serviceKey", "is for servers: a page would give it to everyone");
  const http = createHttp({
    url: url.replace(/\/+$/, ""),
    token: serviceKey,
    // What a timer can hold; beyond it, it would ring at once.
    timeout: Math.min(timeout, 2 ** 31 - 1),
    fetch: options.fetch ?? ((...request) => fetch(...request)),
  });
  const order = createWriteOrder();
  const collection = (name: string): AnyCollection => createCollection(http, order, name);
  const core: Core = {
    collection,
    writer: createWriter,
    commit: (operations, batch) => commit(http, order, operations, batch),
    wait: (n, error, signal) => http.sleep(waitBefore(n - 1, error), signal),
    ApiError,
  };
  const client = {
    collection,
    batch: (fn: (b: Batch<AnySchema>) => void, batch?: BatchOptions) => runBatch(http, order, fn, batch),
    transaction: async <R>(fn: (tx: Transaction<AnySchema>) => Promise<R>, transaction?: TransactionOptions) =>
      (await import("./transaction.ts").catch(notLoaded)).runTransaction(core, fn, transaction),
    close: http.close,
  };
  // From here on the types know the documents; the code below them does not.
  return client as unknown as Client<S>;
}

function notLoaded(cause: unknown): never {
  throw new ApiError("network", "a part of the SDK could not be loaded", { cause });
}

/** A page or a worker of one. */
function isBrowser(): boolean {
  return "document" in globalThis || "importScripts" in globalThis;
}
