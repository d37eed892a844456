import { ID_RANDOM_BYTES, newId } from "#protocol/id";
import type { Write } from "../stores/document-store.ts";
import type { AccountParts } from "./parts.ts";
import { type CredentialRecord, findCredential } from "./passwords/credentials.ts";
import { secretInvalid } from "./secrets/secrets.ts";
import type { SessionRecord } from "./sessions/sessions.ts";
import { findUser, type Pool, type UserRecord } from "./users.ts";

/** A person with what proves that someone is this person. */
export interface Person {
  readonly user: UserRecord;
  readonly credential: CredentialRecord;
}

/** An id that nobody has: what is looked up in place of a person where there is none, so that the work is the same. */
export const NOBODY = "nobody";

/** An id for a person. None is used twice: it holds the time and 74 random bits. */
export function newUserId(now: number, random: (bytes: number) => Uint8Array): string {
  return newId(now, random(ID_RANDOM_BYTES));
}

/** A person who may sign in; undefined if there is none, or not any more. */
export async function findPerson({ store }: AccountParts, pool: Pool, id: string): Promise<Person | undefined> {
  const [user, credential] = [await findUser(store, pool, id), await findCredential(store, id)];
  return user && credential && !user.disabledAt ? { user, credential } : undefined;
}

/** Whose secret it is, if it was made under the credentials of today. @throws GalleyError `secret_invalid` */
export async function personOf(
  parts: AccountParts,
  secret: { readonly pool: Pool; readonly user?: string; readonly credentialVersion?: number },
): Promise<Person> {
  const person = secret.user === undefined ? undefined : await findPerson(parts, secret.pool, secret.user);
  if (!person || person.credential.credentialVersion !== secret.credentialVersion) throw secretInvalid();
  return person;
}

/** A person's sessions that have not ended, all or all but one. */
export async function liveSessions(
  { sessions }: AccountParts,
  { pool, id }: UserRecord,
  but?: string,
): Promise<SessionRecord[]> {
  const all = await sessions.ofUser(pool, id);
  return all.filter((session) => session.endedAt === undefined && session.id !== but);
}

/** Writes that end a person's sessions, all or all but one, where no new one starts. */
export async function endedSessions(parts: AccountParts, user: UserRecord, but?: string): Promise<Write[]> {
  return (await liveSessions(parts, user, but)).map((session) => parts.sessions.end(session));
}
