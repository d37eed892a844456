/** Sessions on one or two nodes, with a clock that tests move and people that they make. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fresh, putRecord } from "../../server/accounts/record.ts";
import { deriveKeys } from "../../server/accounts/secrets/derived-keys.ts";
import {
  createSessions,
  SESSIONS,
  type SessionLives,
  type SessionStart,
  type Sessions,
} from "../../server/accounts/sessions/sessions.ts";
import { type Pool, USER_COLLECTIONS, type UserRecord, writeUser } from "../../server/accounts/users.ts";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { openMongoStore } from "../../server/stores/mongodb/store.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";
import type { Engine } from "./engines.ts";
import type { Teardown } from "./teardown.ts";

/** One node: on MongoDB each has a store of its own on one database. */
export interface SessionNode {
  readonly store: DocumentStore;
  readonly sessions: Sessions;
}

/** What nodes have in common. */
interface SessionSetting {
  readonly time: { now: number };
  readonly epoch: string;
  readonly lives: SessionLives;
  /** What was told of outdated tokens. */
  readonly reuses: { readonly session: string; readonly address: string }[];
}

export type SessionNodes = Awaited<ReturnType<typeof openNodes>>;

export const VISIT = { address: "192.0.2.1", userAgent: "curl/8.5.0", requestId: "r1" };
const NOTES = "_audit";
const random = (bytes: number) => randomBytes(bytes);
const DAY = 24 * 60 * 60;

/** Opens two nodes; on the embedded engine, which has but one, the two share it. */
export async function openNodes(t: Teardown, engine: Engine) {
  const folder = mkdtempSync(join(tmpdir(), "galley-sessions-"));
  const url = engine.env(folder).GALLEY_MONGODB_URL;
  const open = async () => {
    const clock = Date.now;
    if (url === undefined) return openSqliteStore({ folder, clock });
    const store = await openMongoStore({ url, clock, random, warn: () => {} });
    await store.opened;
    return store;
  };
  const store = await open();
  const other = url === undefined ? store : await open();
  t.teardown(async () => {
    await store.close();
    if (other !== store) await other.close();
    rmSync(folder, { recursive: true, maxRetries: 5 });
  });
  const notes = { name: NOTES, indexes: [{ paths: ["session"] }] };
  for (const collection of [...USER_COLLECTIONS, SESSIONS, notes]) await store.ensureCollection(collection);
  const secrets = ["the newer secret of the tests, over 32 bytes", "the older secret of the tests, over 32 bytes"];
  const setting: SessionSetting = {
    time: { now: Date.UTC(2026, 0, 31, 10) },
    epoch: "e1",
    lives: { idleSeconds: 30 * DAY, absoluteSeconds: 90 * DAY, most: 5 },
    reuses: [],
  };
  return {
    ...setting,
    ...{ store, other, secrets, keys: deriveKeys(secrets) },
    first: startNode(setting, store, secrets),
    second: startNode(setting, other, secrets),
    /** How many notes of outdated tokens are stored. */
    notes: async () => (await store.stats(NOTES))?.documents,
  };
}

/** A node on a store, with its own idea of the server's secrets. */
export function startNode(
  { time, epoch, lives, reuses }: SessionSetting,
  store: DocumentStore,
  secrets: readonly string[],
): SessionNode {
  const clock = () => time.now;
  const sessions = createSessions({
    ...{ store, clock, random, epoch, keys: deriveKeys(secrets), lives: () => lives },
    onReuse({ id: session }, { address }) {
      reuses.push({ session, address });
      return [putRecord(store, NOTES, fresh(randomBytes(9).toString("hex"), clock()), { session }, clock())];
    },
  });
  return { store, sessions };
}

/** A person, stored. */
export async function addUser(
  { store, time }: Pick<SessionNodes, "store" | "time">,
  fields: Partial<UserRecord> & { readonly pool?: Pool } = {},
): Promise<UserRecord> {
  const person = { ...fresh(randomBytes(9).toString("hex"), time.now), pool: "user", guest: false } as const;
  const user: UserRecord = { ...person, data: {}, roles: [], claims: {}, ...fields };
  return storedAs(store, user);
}

/** Stores a person as they now are. */
export async function storedAs(store: DocumentStore, user: UserRecord): Promise<UserRecord> {
  const write = writeUser(store, user, 0);
  await store.commit([write]);
  return { ...user, version: write.kind === "put" ? write.version : 0 };
}

/** A session of a person on the first node, stored, and its refresh token. */
export async function signIn(
  { first }: Pick<SessionNodes, "first">,
  { pool, id: user }: Pick<UserRecord, "pool" | "id">,
  more: Pick<SessionStart, "replaces" | "endsOthers"> = {},
) {
  const request = { pool, user, visit: VISIT, deviceName: "desk", proofs: ["password"], ...more };
  const { session, writes } = await first.sessions.start(request);
  await first.store.commit(writes);
  const stored = await first.sessions.find(session.id);
  if (!stored) throw new Error("expects the session to be stored");
  return { session: stored, token: first.sessions.refreshTokenOf(stored) };
}
