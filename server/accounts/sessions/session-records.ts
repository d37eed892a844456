import type { DocumentStore, Row, StoredCollection, Write } from "../../stores/document-store.ts";
import { putRecord, type Stored, storedOf } from "../record.ts";
import type { Pool } from "../users.ts";
import type { Device } from "./device.ts";

/** One sign-in on one device; accounts.md 5. No token is stored: salt and generation are what the newest is computed from. */
export interface SessionRecord extends Stored {
  readonly pool: Pool;
  readonly user: string;
  /** Which refresh token is the newest, from 1. */
  readonly generation: number;
  /** When the newest was made. */
  readonly rotatedAt: Date;
  /** 256 random bits. */
  readonly salt: string;
  readonly device: Device;
  /** Of the latest sign of life. */
  readonly network: string;
  /** When its person proved last who they are, in this session. */
  readonly provedAt: Date;
  /** By what: `password`, `email` … */
  readonly proofs: readonly string[];
  readonly lastUsedAt: Date;
  /** When it ends unless it is refreshed before; never after `endsAt`. */
  readonly idleEndsAt: Date;
  /** When it ends in any case. */
  readonly endsAt: Date;
  readonly endedAt?: Date;
  /** When the record is removed: some time after it ended, or would have, so that its person can look it up. */
  readonly expiresAt: Date;
}

export const SESSIONS: StoredCollection = {
  name: "_sessions",
  indexes: [{ paths: ["user"] }, { paths: ["expiresAt"] }],
};

export function readSession(row: Row): SessionRecord {
  const { value } = row;
  return {
    ...storedOf(row),
    pool: value.pool as Pool,
    user: String(value.user),
    generation: Number(value.generation),
    rotatedAt: value.rotatedAt as Date,
    salt: String(value.salt),
    device: value.device as unknown as Device,
    network: String(value.network),
    provedAt: value.provedAt as Date,
    proofs: value.proofs as readonly string[],
    lastUsedAt: value.lastUsedAt as Date,
    idleEndsAt: value.idleEndsAt as Date,
    endsAt: value.endsAt as Date,
    expiresAt: value.expiresAt as Date,
    ...(value.endedAt instanceof Date && { endedAt: value.endedAt }),
  };
}

/** The write that stores a session over the version that was read. */
export function writeSession(
  store: Pick<DocumentStore, "nextVersion">,
  { id, version, createdAt, device, ...fields }: SessionRecord,
  now: number,
): Write {
  return putRecord(store, SESSIONS.name, { id, version, createdAt }, { ...fields, device: { ...device } }, now);
}

/** Until when it counts, in epoch milliseconds: 0 if it was ended, whatever the clock of the node that ended it said. */
export function liveUntil({ endedAt, idleEndsAt }: SessionRecord): number {
  return endedAt ? 0 : idleEndsAt.getTime();
}

/** Whether it has ended, also by mere time. */
export function isOver(session: SessionRecord, now: number): boolean {
  return now >= liveUntil(session);
}
