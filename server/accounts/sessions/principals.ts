import type { Change, Commit, DocumentStore } from "../../stores/document-store.ts";
import { findUser, type Pool, readUser, userCollection } from "../users.ts";
import type { Bearer } from "./bearer.ts";
import { HeldRecords } from "./held-records.ts";
import { sessionEnded } from "./session-ended.ts";
import { readSession, SESSIONS } from "./session-records.ts";
import { type HeldSession, type HeldUser, heldSession, heldUser, type SignedIn } from "./signed-in.ts";

/**
 * Who is behind an access token. A token says only who someone was when it was made; this says who they are, and is kept
 * exact by the order of commits: once a change is confirmed, nobody is judged by what was before (promise P9).
 */
export interface PrincipalTable {
  /**
   * At once, without asking the store, where session and person are held.
   * @param now epoch milliseconds
   * @throws GalleyError `unauthenticated` with reason `session_ended`; `unavailable` while changes cannot be told
   */
  of(bearer: Bearer, now: number): SignedIn | Promise<SignedIn>;
  close(): void;
}

/** Sessions held, and people of each pool: enough for all who are at work at once. */
const MOST = 20_000;

export function createPrincipalTable({
  store,
  clock,
}: {
  readonly store: DocumentStore;
  readonly clock: () => number;
}): PrincipalTable {
  const sessions = new HeldRecords<HeldSession>(MOST, async (id) => {
    const [row] = await store.get(SESSIONS.name, [id]);
    return row && heldSession(readSession(row));
  });
  const peopleOf = (pool: Pool) =>
    new HeldRecords<HeldUser>(MOST, async (id) => {
      const user = await findUser(store, pool, id);
      return user && heldUser(user);
    });
  const people = { user: peopleOf("user"), admin: peopleOf("admin") };

  /** Looks into a change only if its document is held. */
  function told(change: Change): void {
    const { collection, id } = change;
    if (collection === SESSIONS.name) {
      sessions.changed(id, () => change.next && heldSession(readSession(change.next)));
    }
    for (const pool of ["user", "admin"] as const) {
      if (collection !== userCollection(pool)) continue;
      people[pool].changed(id, () => change.next && heldUser(readUser(pool, change.next)));
    }
  }

  function forget(collection?: string): void {
    if (collection === undefined || collection === SESSIONS.name) sessions.clear();
    if (collection === undefined || collection === userCollection("user")) people.user.clear();
    if (collection === undefined || collection === userCollection("admin")) people.admin.clear();
  }

  // A change reaches this, on every node, before the call that made it is answered.
  const tail = store.tail(
    undefined,
    ({ changes, dropped = [] }: Commit) => {
      for (const change of changes) told(change);
      for (const collection of dropped) forget(collection);
    },
    () => forget(),
  );

  const table: PrincipalTable = {
    of(bearer, now) {
      if (!store.nodes.inTouch) return store.nodes.touch().then(() => table.of(bearer, clock()));
      if (!bearer.settled) return look(bearer, now);
      if (now >= bearer.until) throw sessionEnded();
      return bearer;
    },
    close: () => tail.close(),
  };
  return table;

  /** Settles who it is, and reads what is not held. */
  function look(bearer: Bearer, now: number): SignedIn | Promise<SignedIn> {
    const session = sessions.get(bearer.session, bearer);
    const user = people[bearer.pool].get(bearer.user, bearer);
    if (!session || !user) return load(bearer);
    const own = session.pool === bearer.pool && session.user === bearer.user;
    if (!own || user.disabled || now >= session.until) throw sessionEnded();
    bearer.settle(session, user);
    return bearer;
  }

  async function load(bearer: Bearer): Promise<SignedIn> {
    const [ofSessions, ofPeople] = [sessions, people[bearer.pool]];
    const found = await Promise.all([
      ofSessions.get(bearer.session) ?? ofSessions.load(bearer.session),
      ofPeople.get(bearer.user) ?? ofPeople.load(bearer.user),
    ]);
    if (found.includes(undefined)) throw sessionEnded();
    // While one of the two was read, the other may have changed: only what is held is as it is now.
    return table.of(bearer, clock());
  }
}
