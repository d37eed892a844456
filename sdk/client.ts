import type { Accounts } from "./accounts.ts";
import { createAuth } from "./auth.ts";
import { commit, runBatch } from "./batch.ts";
import { type AnyCollection, createCollection, type Writing } from "./collection.ts";
import { decode } from "./decode.ts";
import { DOOR, type Door } from "./door.ts";
import { encodeObject, encodePart } from "./encode.ts";
import { ApiError, notLoaded, refused } from "./error.ts";
import { createHttp, type Grant } from "./http.ts";
import type { Machine } from "./live/parts.ts";
import { createConnectionFace, type Watch, watchBy } from "./live.ts";
import { createWriter } from "./operations.ts";
import type { OwnWrites } from "./own-writes.ts";
import { waitBefore } from "./retry.ts";
import { createSession } from "./session.ts";
import { createKeeper, pageStorage } from "./storage.ts";
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
  const { serviceKey, admin = false, optimistic = true, timeout = TIMEOUT } = options;
  if (!/^https?:\/\/[^/?#@][^?#@]*$/.test(options.url)) throw refused("url", "expects an http(s) address");
  if (!(timeout > 0)) throw refused("timeout", "expects time in ms");
  if (serviceKey && isBrowser()) throw refused("serviceKey", "is for servers: a page would leak it");
  const url = options.url.replace(/\/+$/, "");
  const http = createHttp({
    url,
    claim: () => (serviceKey ? claimKey(serviceKey) : session.claim()),
    // What a timer can hold; beyond it, it would ring at once.
    timeout: Math.min(timeout, 2 ** 31 - 1),
    fetch: options.fetch ?? ((...request) => fetch(...request)),
  });
  const door: Door = { send: http.send, encodeObject, encodePart, ApiError };
  const key = `galley:${url}${admin ? ":admin" : ""}`;
  // Nobody signs in with a service key.
  const storage = serviceKey ? undefined : (options.storage ?? pageStorage());
  const devices = createKeeper(storage);
  const accounts = async (): Promise<Accounts> => {
    if (serviceKey)
      throw new ApiError("failed_precondition", "a client with a service key is nobody's", { status: 412 });
    const { createAccounts } = await import("./accounts.ts").catch(notLoaded);
    return createAccounts(door, { session, devices, key, admin });
  };
  const session = createSession({
    key,
    keeper: admin ? createKeeper(undefined) : devices,
    locks: storage || admin ? globalThis.navigator?.locks : undefined,
    ...(admin && { headers: { "x-galley-csrf": "1" }, restore: async () => (await accounts()).restore() }),
    send: http.send,
  });
  const own: OwnWrites = {};
  const writing: Writing = { http, order: createWriteOrder(), own };
  const connection = createConnectionFace();
  let machine: Promise<Machine> | undefined;
  const ask = (...asked: Parameters<Watch>): ReturnType<Watch> => {
    const { WebSocket = globalThis.WebSocket } = options;
    if (!WebSocket) throw refused("WebSocket", "is missing: pass that of `ws`");
    const parts = { ...door, url, WebSocket, http, decode, auth: session.auth, connection, own, optimistic };
    machine ??= import("./live/index.ts").then(
      ({ createMachine }) => createMachine(parts),
      (cause) => {
        // The next one tries again.
        machine = undefined;
        notLoaded(cause);
      },
    );
    return watchBy(machine, ...asked);
  };
  const watch = Object.assign(ask, { auth: session.auth }) as Watch;
  const collection = (name: string): AnyCollection => createCollection(writing, watch, name);
  const client = {
    auth: createAuth(session.auth, accounts),
    connection,
    collection,
    batch: (fn: (b: Batch<AnySchema>) => void, batch?: BatchOptions) => runBatch(writing, fn, batch),
    async transaction<R>(fn: (tx: Transaction<AnySchema>) => Promise<R>, transaction?: TransactionOptions) {
      const core: Core = {
        grant: http.claim(),
        collection,
        writer: createWriter,
        commit: (operations, batch) => commit(writing, operations, batch),
        wait: (n, error, signal) => http.sleep(waitBefore(n - 1, error), signal),
        ApiError,
      };
      return (await import("./transaction.ts").catch(notLoaded)).runTransaction(core, fn, transaction);
    },
    close() {
      const end = (): void => {
        connection.close?.();
        session.close();
      };
      end();
      // What is still being loaded ends once it is there, and who watches something later hears of it as who asks does.
      machine?.then(end, end);
      http.close();
      machine = http.sleep(0, undefined) as Promise<never>;
      machine.catch(end);
    },
  };
  Object.defineProperty(client, DOOR, { value: door });
  // From here on the types know the documents; the code below them does not.
  return client as unknown as Client<S>;
}

/** A key does not change: what is refused is refused. */
function claimKey(key: string): Grant {
  return async (refused) => {
    if (refused) throw refused.error;
    return key;
  };
}

/** A page, a worker of one, or an app of React Native. */
function isBrowser(): boolean {
  return "document" in globalThis || "importScripts" in globalThis || globalThis.navigator?.product === "ReactNative";
}
