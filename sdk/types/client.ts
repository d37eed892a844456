import type { Auth } from "./auth.ts";
import type { Batch, BatchOptions, BatchResult, Transaction, TransactionOptions } from "./batch.ts";
import type { Collection } from "./collection.ts";
import type { Json } from "./document.ts";
import type { Connection } from "./live.ts";

/** Without a schema: any collection, of any documents. */
export type AnySchema = Record<string, Json>;

export interface ClientOptions {
  /** Where Galley answers, as in `https://api.example.com`. */
  url: string;
  /**
   * `gsk_…`: may do all that its scopes say, so it stays on servers; in a browser this throws. A client with a key is
   * nobody's: `auth.user` stays null, and the server refuses to sign anybody in by it.
   */
  serviceKey?: string | undefined;
  /** Where the session is kept: `localStorage` in a browser, memory elsewhere. In React Native, its AsyncStorage. */
  storage?: KeyStorage | undefined;
  /** The console's own: signs admins in; no script reads the refresh token, which is in a cookie of the server's origin. */
  admin?: boolean | undefined;
  /** `false`: live results show own writes only as the server tells of them. */
  optimistic?: boolean | undefined;
  /** Milliseconds that a request may take with its retries; 30,000 if absent. */
  timeout?: number | undefined;
  /** In place of the platform's own. */
  fetch?: typeof fetch | undefined;
  /** In place of the platform's own: on Node 20, which has none, the one of the package `ws`. */
  WebSocket?: typeof WebSocket | undefined;
}

/** Texts by key. `localStorage` is one, and so is AsyncStorage. Where it fails, the session is kept in memory. */
export interface KeyStorage {
  getItem(key: string): string | null | undefined | PromiseLike<string | null | undefined>;
  setItem(key: string, value: string): unknown;
  removeItem(key: string): unknown;
}

/** The door to one server. Several live side by side. */
export interface Client<S = AnySchema> {
  /** Accounts: who is signed in, and the ways in and out. Requests speak for that user. */
  readonly auth: Auth;

  /** @example const todos = db.collection("todos"); */
  collection<N extends keyof S & string>(name: N): Collection<S[N], S>;

  /**
   * Up to 500 writes, all or nothing, in one request. Results come in the order of the writes.
   *
   * @example
   * await db.batch((b) => {
   *   const id = b.collection("lists").create({ name: "Groceries" });
   *   b.collection("todos").create({ title: "Buy milk", list: id });
   * });
   */
  batch(fn: (batch: Batch<S>) => void, options?: BatchOptions): Promise<BatchResult[]>;

  /**
   * Reads, decides and writes as if alone: if a document that it read changes meanwhile, nothing is written and `fn`
   * runs again. An error that `fn` throws ends it.
   *
   * @example
   * await db.transaction(async (tx) => {
   *   const accounts = tx.collection("accounts");
   *   const a = await accounts.get("a");
   *   if (!a || a.balance < 10) throw new Error("too little");
   *   accounts.update("a", { $inc: { balance: -10 } });
   *   accounts.update("b", { $inc: { balance: 10 } });
   * });
   */
  transaction<R>(fn: (tx: Transaction<S>) => Promise<R>, options?: TransactionOptions): Promise<R>;

  /** The socket of all live results. */
  readonly connection: Connection;

  /** Aborts what is under way and ends what is live, for good. */
  close(): void;
}
