import type { ObjectValue } from "#protocol/values";
import type { AdminRole } from "../access/scopes.ts";
import type { DocumentStore, Row, StoredCollection, Write } from "../stores/document-store.ts";
import { putRecord, recordWhere, removeRecord, type Stored, storedOf } from "./record.ts";

/** Who signs in: people of the app, or those who run it. The two never meet; accounts.md 7. */
export type Pool = "user" | "admin";

/** A person; accounts.md 1. What proves that someone is this person lies in `_credentials`. */
export interface UserRecord extends Stored {
  readonly pool: Pool;
  /** As it was given; undefined for guests and for who never had one. */
  readonly email?: string;
  /** What makes addresses equal (email.ts); unique in its pool. */
  readonly emailKey?: string;
  readonly emailProvenAt?: Date;
  readonly guest: boolean;
  /** Of guests only: when it is looked at whether they are still about. */
  readonly guestUntil?: Date;
  readonly name?: string;
  readonly locale?: string;
  /** Private preferences of the person. */
  readonly data: ObjectValue;
  readonly roles: readonly string[];
  readonly claims: ObjectValue;
  /** Of admins only. */
  readonly role?: AdminRole;
  readonly disabledAt?: Date;
  readonly disabledReason?: string;
  /** What admins note down, for each other. */
  readonly notes?: string;
  /** In place of the settings for everybody. */
  readonly limits?: UserLimits;
  readonly lastSignInAt?: Date;
  /** At least as many as its sessions that live: those of when they were looked through last, and those begun since. */
  readonly sessions?: number;
  /** Raised when the devices that were known before are known no more (device-token.ts). */
  readonly devices?: number;
}

/** How much one user may do. */
export interface UserLimits {
  /** Requests for data; null: as the settings say. */
  readonly requestsPerMinute: number | null;
}

const COLLECTION: Readonly<Record<Pool, string>> = { user: "_users", admin: "_admins" };

/** An address is taken once in each pool. */
const BY_ADDRESS = { paths: ["emailKey"], unique: true };

/** The collections that this file owns. */
export const USER_COLLECTIONS: readonly StoredCollection[] = [
  { name: COLLECTION.user, indexes: [BY_ADDRESS, { paths: ["guestUntil"] }] },
  { name: COLLECTION.admin, indexes: [BY_ADDRESS] },
];

export function userCollection(pool: Pool): string {
  return COLLECTION[pool];
}

export function readUser(pool: Pool, row: Row): UserRecord {
  const { value } = row;
  return {
    ...storedOf(row),
    pool,
    guest: value.guest === true,
    data: (value.data ?? {}) as ObjectValue,
    roles: (value.roles ?? []) as readonly string[],
    claims: (value.claims ?? {}) as ObjectValue,
    ...(value.email !== undefined && { email: String(value.email), emailKey: String(value.emailKey) }),
    ...(value.emailProvenAt instanceof Date && { emailProvenAt: value.emailProvenAt }),
    ...(value.guestUntil instanceof Date && { guestUntil: value.guestUntil }),
    ...(value.name !== undefined && { name: String(value.name) }),
    ...(value.locale !== undefined && { locale: String(value.locale) }),
    ...(value.role !== undefined && { role: value.role as AdminRole }),
    ...(value.disabledAt instanceof Date && { disabledAt: value.disabledAt }),
    ...(value.disabledReason !== undefined && { disabledReason: String(value.disabledReason) }),
    ...(value.notes !== undefined && { notes: String(value.notes) }),
    ...(value.limits !== undefined && { limits: value.limits as unknown as UserLimits }),
    ...(value.lastSignInAt instanceof Date && { lastSignInAt: value.lastSignInAt }),
    ...(value.sessions !== undefined && { sessions: Number(value.sessions) }),
    ...(value.devices !== undefined && { devices: Number(value.devices) }),
  };
}

/** The write that stores a person over the version that was read. Who has become somebody is swept away no more. */
export function writeUser(store: Pick<DocumentStore, "nextVersion">, user: UserRecord, now: number): Write {
  const { id, version, createdAt, pool, guestUntil, ...fields } = user;
  const limits = user.limits && { ...user.limits };
  const kept = { ...fields, limits, guestUntil: user.guest ? guestUntil : undefined };
  return putRecord(store, COLLECTION[pool], { id, version, createdAt }, kept, now);
}

export async function findUser(store: DocumentStore, pool: Pool, id: string): Promise<UserRecord | undefined> {
  const [row] = await store.get(COLLECTION[pool], [id]);
  return row && readUser(pool, row);
}

export async function findUserByEmail(store: DocumentStore, pool: Pool, key: string): Promise<UserRecord | undefined> {
  const row = await recordWhere(store, COLLECTION[pool], "emailKey", key);
  return row && readUser(pool, row);
}

export function removeUser({ pool, id, version }: UserRecord): Write {
  return removeRecord(COLLECTION[pool], { id, version });
}

/** Fails the commit it is part of if the person has changed. */
export function checkUser({ pool, id, version: expect }: UserRecord): Write {
  return { kind: "check", collection: COLLECTION[pool], id, expect };
}
