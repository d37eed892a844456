import { runBatch } from "./batch.ts";
import { createCollection } from "./collection.ts";
import { refused } from "./error.ts";
import { createHttp } from "./http.ts";
import { runTransaction } from "./transaction.ts";
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
  if (!/^https?:\/\/[^/?#@]+[^?#]*$/.test(url)) throw refused("url", "expects an http:// or https:// address");
  if (!(timeout > 0 && timeout < 2 ** 31)) throw refused("timeout", "expects milliseconds");
  if (serviceKey !== undefined) {
    if (!/^[!-~]+$/.test(serviceKey)) throw refused("serviceKey", "expects a key as `galley keys create` prints it");
    if (isBrowser()) throw refused("serviceKey", "is for servers only: whoever opens the page could take it");
  }
  const http = createHttp({
    url: url.replace(/\/+$/, ""),
    token: serviceKey,
    timeout,
    fetch: options.fetch ?? ((...request) => fetch(...request)),
  });
  const order = createWriteOrder();
  const client = {
    collection: (name: string) => createCollection(http, order, name),
    batch: (...batch: Parameters<typeof runBatch> extends [unknown, unknown, ...infer Rest] ? Rest : never) => {
      return runBatch(http, order, ...batch);
    },
    transaction: (...transaction: Parameters<typeof runTransaction> extends [unknown, unknown, ...infer Rest] ? Rest : never) => {
      return runTransaction(http, order, ...transaction);
    },
    close: http.close,
  };
  // From here on the types know the documents; the code below them does not.
  return client as unknown as Client<S>;
}

/** A page or a worker of one. */
function isBrowser(): boolean {
  return "document" in globalThis || "importScripts" in globalThis;
}
