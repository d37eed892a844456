import type { DocumentStore } from "../../stores/document-store.ts";
import { userCollection } from "../users.ts";
import type { KeyRecord } from "./key-records.ts";

/** Where those are who answer for keys; accounts.md 13. */
export const MAKERS = userCollection("admin");

/**
 * Whether the admin who answers for a key is gone. It is asked, not stored: so a key that is made in the moment in which its
 * maker is removed is suspended as well.
 */
export async function isSuspended(store: DocumentStore, key: KeyRecord): Promise<boolean> {
  return (await suspendedOf(store, [key])).has(key.id);
}

/** The ids of those keys of which that is so. */
export async function suspendedOf(store: DocumentStore, keys: readonly KeyRecord[]): Promise<ReadonlySet<string>> {
  const made = keys.filter(({ maker }) => maker !== undefined);
  const makers = [...new Set(made.map(({ maker }) => String(maker)))];
  if (makers.length === 0) return new Set();
  const rows = await store.get(MAKERS, makers);
  const there = new Set(makers.filter((_, i) => rows[i] !== undefined));
  return new Set(made.filter(({ maker }) => !there.has(String(maker))).map(({ id }) => id));
}
