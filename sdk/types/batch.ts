import type { WriteOptions } from "./collection.ts";
import type { Doc, New } from "./document.ts";
import type { Update } from "./update.ts";

/** Collects writes that happen all together or not at all. */
export interface Batch<S> {
  collection<N extends keyof S & string>(name: N): BatchCollection<S[N]>;
}

/** Nothing is sent yet: what is wrong with a write is told by the batch as a whole. */
export interface BatchCollection<T> {
  /** Returns the new document's id, for later writes of the same batch. */
  create(value: New<T> & { readonly _id?: string }): string;
  set(id: string, value: New<T>, options?: Guard): void;
  update(id: string, change: Update<T>, options?: Guard & { upsert?: boolean | undefined }): void;
  delete(id: string, options?: Guard): void;
  /** Changes nothing, but lets the batch fail if the document has another version (0: if it exists). */
  check(id: string, options: { ifVersion: number }): void;
}

type Guard = Pick<WriteOptions, "ifVersion">;
export type BatchOptions = Pick<WriteOptions, "signal" | "idempotencyKey" | "optimistic">;

/** What one operation left behind; version 0 where the document is gone. */
export interface BatchResult {
  id: string;
  version: number;
}

/** A batch whose reads hold: what was read has not changed when its writes are stored. */
export interface Transaction<S> {
  collection<N extends keyof S & string>(name: N): TransactionCollection<S[N]>;
}

export interface TransactionCollection<T> extends BatchCollection<T> {
  /**
   * A document as this transaction sees it, its own writes included; null if there is none. What it has written itself
   * keeps the `_v` it was read with, 0 if it is new.
   */
  get(id: string): Promise<Doc<T> | null>;
}

export interface TransactionOptions {
  /** How often to run when others interfere: 5 if absent. */
  attempts?: number | undefined;
  signal?: AbortSignal | undefined;
}
