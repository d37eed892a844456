import { GalleyError } from "#protocol/errors";
import type { Principal } from "../access/principal.ts";
import type { Write } from "../stores/document-store.ts";
import type { AccountParts } from "./parts.ts";
import { type Me, meOf } from "./present.ts";
import type { Visit } from "./sessions/device.ts";
import type { SessionRecord } from "./sessions/sessions.ts";
import type { Pool, UserRecord } from "./users.ts";
import { writeUser } from "./users.ts";

/** How a sign-in ends: accounts.md 6. */
export interface SessionAnswer {
  readonly id: string;
  readonly user: Me;
  readonly accessToken: string;
  /** Seconds for which the access token holds. */
  readonly expiresIn: number;
  readonly refreshToken: string;
  readonly deviceToken: string;
}

/** What is asked for before anybody is signed in. */
export interface Next {
  readonly kind: "email";
  readonly challenge: string;
  readonly expiresAt: string;
}

/** Someone who has just proven who they are. */
export interface Entry {
  readonly user: UserRecord;
  readonly visit: Visit;
  readonly proofs: readonly string[];
  readonly deviceName?: string | undefined;
  /** The session that the request carried; it ends with this one's start. */
  readonly carried?: SessionRecord | undefined;
  /** Every other session of the person ends as well. */
  readonly endsOthers?: true;
}

/** A new session, the writes that make it, and the person as they are then. */
export interface Entered {
  readonly user: UserRecord;
  readonly session: SessionRecord;
  readonly writes: readonly Write[];
  /** Whether they end another session: then the answer waits until every node goes by that. */
  readonly ends: boolean;
}

/** Starts the session of someone who has just proven who they are: every way in ends here. */
export async function enter(parts: AccountParts, entry: Entry): Promise<Entered> {
  const { store, clock, sessions } = parts;
  const { visit, proofs, deviceName, carried, endsOthers } = entry;
  const now = clock();
  const { pool, id, sessions: atMost } = entry.user;
  const started = await sessions.start({
    pool,
    user: id,
    ...(atMost !== undefined && { atMost }),
    visit,
    proofs,
    ...(deviceName !== undefined && { deviceName }),
    ...(carried?.pool === pool && { replaces: carried }),
    ...(endsOthers && { endsOthers }),
  });
  const user = { ...entry.user, lastSignInAt: new Date(now), sessions: started.atMost };
  const writes = [writeUser(store, user, now), ...started.writes];
  return { user, session: started.session, writes, ends: started.ends };
}

/** The tokens of a session, made after its commit. */
export async function answerOf(parts: AccountParts, { user, session }: Entered): Promise<SessionAnswer> {
  const { accessSeconds } = parts.settings().sessions;
  const { pool, id } = user;
  return {
    id: session.id,
    user: meOf(user),
    accessToken: await parts.tokens.issue({ pool, user: id, session: session.id }, accessSeconds),
    expiresIn: accessSeconds,
    refreshToken: parts.sessions.refreshTokenOf(session),
    deviceToken: parts.devices.issue(user),
  };
}

/** The session that a request carried, if it is one of this pool. */
export async function carriedBy(
  { sessions }: AccountParts,
  principal: Principal,
  pool: Pool,
): Promise<SessionRecord | undefined> {
  return principal.kind === pool ? sessions.find(principal.session) : undefined;
}

/** Wrong address, wrong password, no password, closed account: whoever asks is told one thing. */
export function badCredentials(): GalleyError {
  return new GalleyError("unauthenticated", "the address or the password is not right", {
    reason: "bad_credentials",
    outcome: "not_applied",
  });
}

/** Milliseconds for which a proof counts as fresh; accounts.md 5.4. */
const FRESH = 15 * 60 * 1000;

/** @throws GalleyError `reauth_required` unless the caller has proven lately who they are */
export function demandFresh({ clock }: Pick<AccountParts, "clock">, { provedAt }: { readonly provedAt: number }): void {
  if (clock() - provedAt <= FRESH) return;
  throw new GalleyError("unauthenticated", "prove again who you are: sign in once more, then repeat this", {
    reason: "reauth_required",
    outcome: "not_applied",
  });
}
