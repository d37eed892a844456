import type { DocumentStore, Row, StoredCollection, Write } from "../../stores/document-store.ts";
import { putRecord, removeRecord, type Stored, storedOf } from "../record.ts";

/**
 * What proves that someone is a person of `_users` or `_admins`, under the same id. Nothing shows this to anybody. Whoever
 * stores one stores its person in the same commit: a sign-in expects the person alone.
 */
export interface CredentialRecord extends Stored {
  /** A PHC string; undefined: no password, as of guests. */
  readonly password?: string;
  /** Raised whenever what was proven before must not count any more; a secret names the one it was made under. */
  readonly credentialVersion: number;
}

const COLLECTION = "_credentials";
export const CREDENTIALS: StoredCollection = { name: COLLECTION, indexes: [] };

export async function findCredential(store: DocumentStore, user: string): Promise<CredentialRecord | undefined> {
  const [row] = await store.get(COLLECTION, [user]);
  return row && readCredential(row);
}

function readCredential(row: Row): CredentialRecord {
  const { value } = row;
  return {
    ...storedOf(row),
    credentialVersion: Number(value.credentialVersion),
    ...(value.password !== undefined && { password: String(value.password) }),
  };
}

export function writeCredential(
  store: Pick<DocumentStore, "nextVersion">,
  { id, version, createdAt, ...fields }: CredentialRecord,
  now: number,
): Write {
  return putRecord(store, COLLECTION, { id, version, createdAt }, fields, now);
}

export function removeCredential(credential: CredentialRecord): Write {
  return removeRecord(COLLECTION, credential);
}
