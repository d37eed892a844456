import type { Commit } from "../../stores/document-store.ts";
import { ADMIN_SETTINGS } from "../sessions/identity.ts";
import type { Session } from "../sessions/session.ts";
import type { SessionIndex } from "../sessions/session-index.ts";
import type { LiveLookups } from "./live-lookups.ts";

/** Whose documents say what somebody may do. */
const PRINCIPALS: ReadonlySet<string> = new Set(["_users", "_admins", "_sessions", "_keys", ADMIN_SETTINGS]);

export interface LiveRightsOptions {
  readonly lookups: Pick<LiveLookups, "commit">;
  readonly index: SessionIndex<Session>;
}

/**
 * Stops what a commit took the right to, before any window is told of it: those whom it concerns send nothing until they
 * are judged anew. A sign-in, or a write to a collection that lookups read, costs nothing for all others.
 */
export function followRights({ lookups, index }: LiveRightsOptions): (commit: Commit) => void {
  return (commit) => {
    lookups.commit(commit);
    const { position, changes, dropped = [] } = commit;
    for (const { collection, id } of changes) {
      if (!PRINCIPALS.has(collection)) continue;
      const record = collection === ADMIN_SETTINGS ? ADMIN_SETTINGS : `${collection}/${id}`;
      for (const session of [...index.of(record)]) void session.principalChanged(position);
    }
    if (!dropped.some((collection) => PRINCIPALS.has(collection))) return;
    for (const session of [...index.all()]) void session.principalChanged(position);
  };
}
