import type { StoredCollection, Write } from "../../stores/document-store.ts";
import { pagesOf } from "../../stores/pages.ts";
import { decideAndCommit } from "../commit.ts";
import type { AccountParts } from "../parts.ts";
import { findCredential, removeCredential } from "../passwords/credentials.ts";
import { fresh, putRecord, removeRecord } from "../record.ts";
import type { SessionRecord } from "../sessions/sessions.ts";
import { removeUser, type UserRecord } from "../users.ts";

/**
 * Removing a person, whoever does it:
 *
 *     the person, credential, sessions, secrets and public profile go, and a mark comes, in one commit
 *       └─▶ every node goes by that: nothing follows that was allowed before
 *             └─▶ a profile that was made in between goes with the mark
 *
 * Where the process ends in between, or has no caller who waits, the mark is found by the next sweep of any node.
 */
type Removing = Pick<AccountParts, "store" | "clock" | "random" | "secrets" | "sessions">;

/** Of people whose removal has its last step still before it, one record each, by their ids. */
export const REMOVED: StoredCollection = { name: "_removed", indexes: [] };
const PROFILES = "users";
const PAGE = 500;

/**
 * Writes that remove a person and everything that proves or shows them.
 * @param known the person's sessions, where something was decided by them: then it holds only as long as they are those
 */
export async function removedPerson(
  { store, clock, secrets, sessions }: Omit<Removing, "random">,
  user: UserRecord,
  known?: readonly SessionRecord[],
): Promise<Write[]> {
  const [credential, [profile], all] = await Promise.all([
    findCredential(store, user.id),
    store.get(PROFILES, [user.id]),
    known ?? sessions.ofUser(user.pool, user.id),
  ]);
  const writes: Write[] = [removeUser(user), ...all.map((session) => sessions.remove(session))];
  if (credential) writes.push(removeCredential(credential));
  if (user.pool === "user") {
    // Also where there is none: one that is made in the same moment must not outlive its person.
    const expected = { collection: PROFILES, id: user.id, expect: profile?.version ?? 0 };
    writes.push({ kind: profile ? "delete" : "check", ...expected });
    writes.push(putRecord(store, REMOVED.name, fresh(user.id, clock()), {}, clock()));
  }
  return [...writes, ...(await secrets.voided(user.id))];
}

/**
 * The last step of a user's removal, past the barrier of its commit: removes the profile that was made by someone who was
 * just being removed, and the mark.
 */
export async function endRemoval(parts: Pick<Removing, "store" | "random">, id: string): Promise<void> {
  const { store } = parts;
  const { answer: late, position } = await decideAndCommit(parts, async () => {
    const [[profile], [mark]] = await Promise.all([store.get(PROFILES, [id]), store.get(REMOVED.name, [id])]);
    const writes: Write[] = mark ? [removeRecord(REMOVED.name, mark)] : [];
    if (profile) writes.push({ kind: "delete", collection: PROFILES, id, expect: profile.version });
    return { writes, answer: profile !== undefined };
  });
  if (late) await store.barrier(position);
}

/** Ends the removals that nobody has ended. @returns how many there were */
export async function endRemovals(
  parts: Pick<Removing, "store" | "random">,
  isOver: () => boolean = () => false,
): Promise<number> {
  const { store } = parts;
  let ended = 0;
  for await (const { rows, position } of pagesOf(store, REMOVED.name, PAGE)) {
    if (rows.length > 0) await store.barrier(position);
    for (const { id } of rows) {
      if (isOver()) return ended;
      await endRemoval(parts, id);
      ended++;
    }
  }
  return ended;
}
