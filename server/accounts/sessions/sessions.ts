import { GalleyError } from "#protocol/errors";
import { attempts, commitOrLose } from "../../stores/attempts.ts";
import type { DocumentStore, Write } from "../../stores/document-store.ts";
import { fresh, recordsWhere, removeRecord } from "../record.ts";
import type { DerivedKeys } from "../secrets/derived-keys.ts";
import { findUser, type Pool } from "../users.ts";
import { deviceOf, networkOf, type Visit } from "./device.ts";
import { formatRefreshToken, isMadeOf, macOf, parseRefreshToken, type RefreshToken } from "./refresh-token.ts";
import { sessionEnded } from "./session-ended.ts";
import { isOver, readSession, SESSIONS, type SessionRecord, writeSession } from "./session-records.ts";

export { SESSIONS, type SessionRecord } from "./session-records.ts";

/** How long the sessions of a pool last, and how many a person has at once; accounts.md 5.1. */
export interface SessionLives {
  readonly idleSeconds: number;
  readonly absoluteSeconds: number;
  readonly most: number;
}

/** Someone who has just proven who they are. */
export interface SessionStart {
  readonly pool: Pool;
  readonly user: string;
  readonly visit: Visit;
  readonly deviceName?: string;
  readonly proofs: readonly string[];
  /** More sessions do not live, as the last start of one told. */
  readonly atMost?: number;
  /** Ends with this one's start. */
  readonly replaces?: SessionRecord;
  /** Every other session of the person ends as well. */
  readonly endsOthers?: true;
}

/** A new session, and what has to be stored for it. */
export interface Started {
  readonly session: SessionRecord;
  readonly writes: Write[];
  /** They end another session, so that the answer has to wait until every node goes by that. */
  readonly ends: boolean;
  /** More of the person's sessions do not live then: to be kept with the person, and told at the next start. */
  readonly atMost: number;
}

/** What works with sessions: one is one sign-in on one device. */
export interface Sessions {
  /**
   * A new session, and the writes that store it, end `replaces` and end the oldest beyond `most`. Commit them with a write
   * of the person: so of two sign-ins at once one is decided after the other, and none outlives the person's end.
   */
  start(request: SessionStart): Promise<Started>;
  /** The newest refresh token of a session. */
  refreshTokenOf(session: SessionRecord): string;
  /**
   * Takes a refresh token for its successor, by the table of accounts.md 5.2: however many present one token at once, all
   * get the same successor. One that comes too late is a copy in strange hands, and ends its session.
   *
   * @throws GalleyError `unauthenticated`: `session_ended`; `token_invalid` for what is no refresh token at all
   */
  rotate(token: string, visit: Visit): Promise<{ readonly session: SessionRecord; readonly refreshToken: string }>;
  /** Whose refresh token this is, also of an older one and of an ended session; undefined if it is nobody's. */
  holderOf(token: string): Promise<SessionRecord | undefined>;
  find(id: string): Promise<SessionRecord | undefined>;
  /** All that are stored, newest first; ended ones are for 30 days. */
  ofUser(pool: Pool, user: string): Promise<SessionRecord[]>;
  remove(session: SessionRecord): Write;
  /** Keeps the record, as ended. */
  end(session: SessionRecord): Write;
}

export interface SessionsOptions {
  readonly store: DocumentStore;
  readonly keys: DerivedKeys;
  /** That of the database; new after a restore. */
  readonly epoch: string;
  readonly clock: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly lives: (pool: Pool) => SessionLives;
  /** What to write when an outdated refresh token comes: an audit line, a mail. */
  readonly onReuse: (session: SessionRecord, visit: Visit) => readonly Write[] | Promise<readonly Write[]>;
}

const ID_BYTES = 16;
const SALT_BYTES = 32;
/** Milliseconds in which the token before the newest gets the newest again: parallel tabs, a lost reply. */
const GRACE = 30_000;
/** Milliseconds for which an ended session stays in its person's list. */
const KEPT = 30 * 24 * 60 * 60 * 1000;
/** Ended sessions kept of one person: signing in and out all day must not make the next sign-in slower and slower. */
const MOST_ENDED = 100;

export function createSessions(options: SessionsOptions): Sessions {
  const { store, epoch, clock, random, lives, onReuse } = options;
  const keys = options.keys.of("refresh");
  const text = (bytes: number) => Buffer.from(random(bytes)).toString("base64url");

  const sessions: Sessions = {
    async start({ pool, user, visit, deviceName, proofs, atMost, replaces, endsOthers }) {
      const now = clock();
      const session = begun({ pool, user, visit, deviceName, proofs }, now);
      const room = Math.max(0, lives(pool).most - 1);
      const writes = [writeSession(store, session, now)];
      const ending = replaces && replaces.endedAt === undefined ? [replaces] : [];
      // Where there is room whatever has become of the others, nobody looks for them.
      if (atMost !== undefined && atMost <= room && !endsOthers) {
        return {
          session,
          writes: [...writes, ...ending.map(sessions.end)],
          ends: ending.length > 0,
          atMost: atMost + 1,
        };
      }
      const others = (await sessions.ofUser(pool, user)).filter(({ id }) => id !== replaces?.id);
      const live = others.filter((one) => !isOver(one, now));
      const staying = endsOthers ? 0 : Math.min(live.length, room);
      ending.unshift(...live.slice(staying));
      const past = others.filter((one) => isOver(one, now)).slice(MOST_ENDED);
      writes.push(...ending.map(sessions.end), ...past.map(sessions.remove));
      return { session, writes, ends: ending.length > 0, atMost: staying + 1 };
    },

    refreshTokenOf(session) {
      const { id, generation } = session;
      return formatRefreshToken({ session: id, generation, mac: macOf(keys[0], sourceOf(session, generation)) });
    },

    async rotate(token, visit) {
      const parts = parseRefreshToken(token);
      if (!parts) throw tokenInvalid();
      const session = await attempts(random, () => succeed(parts, visit));
      return { session, refreshToken: sessions.refreshTokenOf(session) };
    },

    async holderOf(token) {
      const parts = parseRefreshToken(token);
      return parts && proven(parts);
    },

    async find(id) {
      const [row] = await store.get(SESSIONS.name, [id]);
      return row && readSession(row);
    },

    async ofUser(pool, user) {
      const rows = await recordsWhere(store, SESSIONS.name, "user", user);
      const found = rows.map(readSession).filter((session) => session.pool === pool);
      return found.sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
    },

    remove: (session) => removeRecord(SESSIONS.name, session),

    end(session) {
      const now = clock();
      return writeSession(store, { ...session, endedAt: new Date(now), expiresAt: new Date(now + KEPT) }, now);
    },
  };
  return sessions;

  function begun({ pool, user, visit, deviceName, proofs }: SessionStart, now: number): SessionRecord {
    const { idleSeconds, absoluteSeconds } = lives(pool);
    const at = new Date(now);
    const endsAt = new Date(now + absoluteSeconds * 1000);
    return {
      ...fresh(text(ID_BYTES), now),
      ...{ pool, user, generation: 1, salt: text(SALT_BYTES), proofs },
      ...{ rotatedAt: at, provedAt: at, lastUsedAt: at, endsAt },
      ...idleUntil(now + idleSeconds * 1000, endsAt),
      device: deviceOf(visit.userAgent, deviceName),
      network: networkOf(visit.address),
    };
  }

  /** One look at the table of accounts.md 5.2. @throws LostRace if somebody else was faster */
  async function succeed(parts: RefreshToken, visit: Visit): Promise<SessionRecord> {
    const now = clock();
    const session = await proven(parts);
    if (!session || isOver(session, now)) throw sessionEnded();
    // Read, not checked by the commit: what disables or removes a person ends the sessions in that same commit, so it and
    // the rotation clash in the session. And the token says who it is, never that this person may still come in.
    const user = await findUser(store, session.pool, session.user);
    if (!user || user.disabledAt) throw sessionEnded();
    const behind = session.generation - parts.generation;
    if (behind === 0) return rotated(session, visit, now);
    if (behind === 1 && now - session.rotatedAt.getTime() <= GRACE) return session;
    // Nobody has a right mac for a token that was not made yet.
    if (behind < 0) throw sessionEnded();
    const position = await commitOrLose(store, [sessions.end(session), ...(await onReuse(session, visit))]);
    await store.barrier(position);
    throw sessionEnded();
  }

  async function rotated(session: SessionRecord, visit: Visit, now: number): Promise<SessionRecord> {
    const { generation, device, endsAt } = session;
    const at = new Date(now);
    const next: SessionRecord = {
      ...session,
      ...{ generation: generation + 1, rotatedAt: at, lastUsedAt: at },
      ...idleUntil(now + lives(session.pool).idleSeconds * 1000, endsAt),
      device: { ...deviceOf(visit.userAgent), ...(device.name !== undefined && { name: device.name }) },
      network: networkOf(visit.address),
    };
    const write = writeSession(store, next, now);
    await commitOrLose(store, [write]);
    return { ...next, version: write.kind === "put" ? write.version : next.version };
  }

  /** The session of a token that was made here, whatever has become of it. */
  async function proven(token: RefreshToken): Promise<SessionRecord | undefined> {
    const session = await sessions.find(token.session);
    return session && isMadeOf(token, sourceOf(session, token.generation), keys) ? session : undefined;
  }

  function sourceOf({ id, salt }: SessionRecord, generation: number) {
    return { epoch, session: id, generation, salt };
  }
}

function idleUntil(idle: number, endsAt: Date): Pick<SessionRecord, "idleEndsAt" | "expiresAt"> {
  const end = Math.min(idle, endsAt.getTime());
  return { idleEndsAt: new Date(end), expiresAt: new Date(end + KEPT) };
}

function tokenInvalid(): GalleyError {
  return new GalleyError("unauthenticated", "expects a refresh token, as the latest sign-in or refresh answered it", {
    reason: "token_invalid",
    outcome: "not_applied",
  });
}
