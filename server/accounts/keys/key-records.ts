import { encodeValue, type ObjectValue } from "#protocol/values";
import type { DocumentStore, Row, Write } from "../../stores/document-store.ts";

/** Where keys are stored, one document each. */
export const KEYS = "_keys";

/** A service key as it is stored: never its secret, only that secret's hash. */
export interface KeyRecord {
  readonly id: string;
  /** Version of the stored document; 0 before it is stored. */
  readonly version: number;
  readonly name: string;
  readonly scopes: readonly string[];
  /** SHA-256 of the secret, hex. */
  readonly hash: string;
  /** The secret before a rotation, good for a while. */
  readonly previous?: { readonly hash: string; readonly until: Date };
  readonly createdAt: Date;
  readonly createdBy: string;
  /** The admin who answers for it: without them it is suspended. Undefined: a key made it. */
  readonly maker?: string;
  /** Undefined: never. */
  readonly expiresAt?: Date;
  /** CIDR networks; empty: any. */
  readonly networks: readonly string[];
  readonly lastUsed?: { readonly at: Date; readonly from: string };
}

export function readKey({ id, version, value }: Row): KeyRecord {
  const { previous, expiresAt, lastUsed, maker } = value;
  return {
    id,
    version,
    name: String(value.name),
    scopes: value.scopes as readonly string[],
    hash: String(value.hash),
    createdAt: value._createdAt,
    createdBy: String(value.createdBy),
    networks: value.networks as readonly string[],
    ...(previous ? { previous: previous as unknown as NonNullable<KeyRecord["previous"]> } : {}),
    ...(expiresAt instanceof Date ? { expiresAt } : {}),
    ...(maker !== undefined ? { maker: String(maker) } : {}),
    ...(lastUsed ? { lastUsed: lastUsed as unknown as NonNullable<KeyRecord["lastUsed"]> } : {}),
  };
}

/** The write that stores a key over the version it was read with. */
export function writeKey(store: DocumentStore, key: KeyRecord, now: number): Write {
  const { id, version: expect, createdAt, name, scopes, hash, createdBy, networks } = key;
  const version = store.nextVersion(expect);
  const optional: Record<string, ObjectValue | Date | string> = {};
  if (key.previous) optional.previous = { ...key.previous };
  if (key.expiresAt) optional.expiresAt = key.expiresAt;
  if (key.maker !== undefined) optional.maker = key.maker;
  if (key.lastUsed) optional.lastUsed = { ...key.lastUsed };
  const text = encodeValue({
    _id: id,
    _v: version,
    _createdAt: createdAt,
    _updatedAt: new Date(now),
    ...{ name, scopes, hash, createdBy, networks },
    ...optional,
  });
  return { kind: "put", collection: KEYS, id, expect, version, text };
}
