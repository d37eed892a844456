import { Faults, GalleyError } from "#protocol/errors";
import type { OwnScope } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import { decideAndCommit } from "../commit.ts";
import { demandFresh } from "../entry.ts";
import { type ProfileBody, readProfile } from "../inputs.ts";
import type { AccountParts } from "../parts.ts";
import { liveSessions } from "../people.ts";
import { type Me, meOf, type SessionInfo, sessionInfoOf } from "../present.ts";
import type { Visit } from "../sessions/device.ts";
import { sessionEnded } from "../sessions/session-ended.ts";
import type { SessionRecord } from "../sessions/sessions.ts";
import { findUser, type UserRecord, writeUser } from "../users.ts";
import { endRemoval, removedPerson } from "./removal.ts";

/** The caller as stored. */
export async function readMe(parts: AccountParts, scope: OwnScope): Promise<Me> {
  return meOf(await self(parts, scope));
}

/** Changes what people say of themselves. */
export async function changeMe(parts: AccountParts, scope: OwnScope, body: ProfileBody): Promise<Me> {
  const faults = new Faults();
  const profile = readProfile(body, faults);
  faults.throwIfAny();
  const { answer } = await decideAndCommit(parts, async () => {
    const { name, locale, ...user } = await self(parts, scope);
    const given = {
      name: "name" in profile ? profile.name : name,
      locale: "locale" in profile ? profile.locale : locale,
      data: profile.data ?? user.data,
    };
    const changed: UserRecord = {
      ...user,
      data: given.data,
      ...(given.name !== undefined && { name: given.name }),
      ...(given.locale !== undefined && { locale: given.locale }),
    };
    return { writes: [writeUser(parts.store, changed, parts.clock())], by: scope.principal, answer: changed };
  });
  return meOf(answer);
}

/**
 * Removes the caller's account: person, credentials, sessions, secrets and the public profile go in one commit. Other
 * documents are the app's to keep.
 */
export async function deleteMe(parts: AccountParts, scope: OwnScope, visit: Visit): Promise<void> {
  demandFresh(parts, scope.principal);
  if (scope.principal.kind === "admin") {
    throw new GalleyError("failed_precondition", "an owner removes admins, under settings");
  }
  const { position } = await decideAndCommit(parts, async () => {
    const user = await self(parts, scope);
    return {
      writes: [
        ...(await removedPerson(parts, user)),
        parts.audit.line({ action: "account-deleted", by: user.id, visit }),
      ],
      by: scope.principal,
      answer: undefined,
    };
  });
  await parts.store.barrier(position);
  await endRemoval(parts, scope.principal.id);
}

/** The caller's devices, this one marked. */
export async function listSessions(parts: AccountParts, { principal }: OwnScope): Promise<{ sessions: SessionInfo[] }> {
  const sessions = await parts.sessions.ofUser(principal.kind, principal.id);
  return { sessions: sessions.map((session) => sessionInfoOf(session, principal.session)) };
}

/** Ends one of the caller's sessions; another than this one only if the caller has proven lately who they are. */
export async function endSession(
  parts: AccountParts,
  { principal }: OwnScope,
  id: string,
  visit: Visit,
): Promise<void> {
  if (id !== principal.session) demandFresh(parts, principal);
  const ended = async () => {
    const session = await parts.sessions.find(id);
    const own = session?.pool === principal.kind && session.user === principal.id && !session.endedAt;
    if (!own) throw new GalleyError("not_found", "you have no such session", { outcome: "not_applied" });
    return [session];
  };
  await ending(parts, visit, ended, principal);
}

/** Ends all of the caller's sessions but this one. */
export async function endOtherSessions(parts: AccountParts, scope: OwnScope, visit: Visit): Promise<void> {
  const { principal } = scope;
  demandFresh(parts, principal);
  const ended = async () => liveSessions(parts, await self(parts, scope), principal.session);
  await ending(parts, visit, ended, principal);
}

/** Ends the session of the caller, or of the refresh token that came; of what has ended already there is nothing to end. */
export async function signOut(
  parts: AccountParts,
  principal: Principal,
  refreshToken: string | undefined,
  visit: Visit,
): Promise<void> {
  const carried = "session" in principal ? principal.session : undefined;
  await ending(parts, visit, async () => {
    const found: (SessionRecord | undefined)[] = [
      carried === undefined ? undefined : await parts.sessions.find(carried),
      refreshToken === undefined ? undefined : await parts.sessions.holderOf(refreshToken),
    ];
    const live = found.filter((session) => session !== undefined && !session.endedAt) as SessionRecord[];
    return [...new Map(live.map((session) => [session.id, session])).values()];
  });
}

/** Ends sessions, and answers once every node goes by that. */
async function ending(
  parts: AccountParts,
  visit: Visit,
  ended: () => Promise<readonly SessionRecord[]>,
  by?: Principal,
): Promise<void> {
  const { position } = await decideAndCommit(parts, async () => {
    const writes = (await ended()).flatMap((session) => [
      parts.sessions.end(session),
      parts.audit.line({ action: "session-ended", by: session.user, visit, details: { session: session.id } }),
    ]);
    return { writes, ...(by && { by }), answer: undefined };
  });
  await parts.store.barrier(position);
}

/** @throws GalleyError `session_ended` if the caller is nobody any more */
async function self({ store }: AccountParts, { principal }: OwnScope): Promise<UserRecord> {
  const user = await findUser(store, principal.kind, principal.id);
  if (user && !user.disabledAt) return user;
  throw sessionEnded();
}
