import type { Principal } from "../../access/principal.ts";
import { ROLES } from "../../access/scopes.ts";
import type { Commit, DocumentStore } from "../../stores/document-store.ts";
import { findUser, type Pool, type UserRecord, userCollection } from "../users.ts";
import type { AccessClaims } from "./access-token.ts";
import { HeldRecords } from "./held-records.ts";
import { sessionEnded } from "./session-ended.ts";
import { liveUntil, readSession, SESSIONS, type SessionRecord } from "./session-records.ts";

/** Someone who is signed in, as they are now; without the person's private data. */
export interface SignedIn {
  readonly session: SessionRecord;
  readonly user: UserRecord;
}

/**
 * Who is behind an access token. A token says only who someone was when it was made; this says who they are, and is kept
 * exact by the order of commits: once a change is confirmed, nobody is judged by what was before (promise P9).
 */
export interface PrincipalTable {
  /**
   * At once, without asking the store, where session and person are held.
   * @throws GalleyError `unauthenticated` with reason `session_ended`; `unavailable` while changes cannot be told
   */
  of(claims: AccessClaims): SignedIn | Promise<SignedIn>;
  close(): void;
}

/** What is looked at every time lies side by side: of thousands of sessions, each object elsewhere in memory takes its time. */
interface HeldSession extends Pick<SessionRecord, "pool" | "user"> {
  readonly session: SessionRecord;
  readonly until: number;
}

/** Sessions and people held, each of two generations: enough for all who are at work at once. A session is about 1 KB. */
const MOST = 10_000;
/** Of a person, whose claims are up to 4 KB, private preferences are up to 8 more, and nobody is judged by them. */
const NO_DATA = {};

export function createPrincipalTable({
  store,
  clock,
}: {
  readonly store: DocumentStore;
  readonly clock: () => number;
}): PrincipalTable {
  const sessions = new HeldRecords<HeldSession>(MOST, async (id) => {
    const [row] = await store.get(SESSIONS.name, [id]);
    const session = row && readSession(row);
    return session && { session, pool: session.pool, user: session.user, until: liveUntil(session) };
  });
  const readPerson = async (pool: Pool, id: string): Promise<UserRecord | undefined> => {
    const user = await findUser(store, pool, id);
    return user && { ...user, data: NO_DATA };
  };
  const people = {
    user: new HeldRecords(MOST, (id) => readPerson("user", id)),
    admin: new HeldRecords(MOST, (id) => readPerson("admin", id)),
  };
  const kinds = new Map<string, HeldRecords<HeldSession | UserRecord>>([
    [SESSIONS.name, sessions],
    [userCollection("user"), people.user],
    [userCollection("admin"), people.admin],
  ]);

  // A change reaches this, on every node, before the call that made it is answered.
  const tail = store.tail(
    undefined,
    ({ changes, dropped = [] }: Commit) => {
      for (const { collection, id } of changes) kinds.get(collection)?.forget(id);
      for (const collection of dropped) kinds.get(collection)?.clear();
    },
    () => {
      for (const records of kinds.values()) records.clear();
    },
  );

  const table: PrincipalTable = {
    of(claims) {
      if (!store.nodes.inTouch) return store.nodes.touch().then(() => table.of(claims));
      const held = sessions.get(claims.session);
      const user = people[claims.pool].get(claims.user);
      return held && user ? judge(claims, held, user) : load(claims);
    },
    close: () => tail.close(),
  };
  return table;

  async function load(claims: AccessClaims): Promise<SignedIn> {
    const found = await Promise.all([sessions.load(claims.session), people[claims.pool].load(claims.user)]);
    if (found.includes(undefined)) throw sessionEnded();
    // While one of the two was read, the other may have changed: only what is held is as it is now.
    return table.of(claims);
  }

  function judge(claims: AccessClaims, held: HeldSession, user: UserRecord): SignedIn {
    const own = held.pool === claims.pool && held.user === claims.user;
    if (!own || user.disabledAt || clock() >= held.until) throw sessionEnded();
    return { session: held.session, user };
  }
}

/** Who somebody is to whoever judges what they may do. */
export function principalOf({ session, user }: SignedIn, address: string, origin: string | undefined): Principal {
  const from = origin === undefined ? { address } : { address, origin };
  const common = { id: user.id, session: session.id, provedAt: session.provedAt.getTime(), ...from };
  if (user.pool === "admin") {
    const role = user.role ?? "viewer";
    return { kind: "admin", ...common, role, scopes: ROLES[role] };
  }
  const { guest, roles, claims } = user;
  return { kind: "user", ...common, guest, roles, claims, email: user.emailProvenAt && user.emailKey };
}
