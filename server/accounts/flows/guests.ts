import type { Node } from "#protocol/ast";
import { Faults, GalleyError } from "#protocol/errors";
import type { AccountScope } from "../../access/authorize.ts";
import { decideAndCommit } from "../commit.ts";
import { answerOf, enter, type SessionAnswer } from "../entry.ts";
import type { AccountParts } from "../parts.ts";
import { newUserId } from "../people.ts";
import { profileOf } from "../profiles.ts";
import { fresh } from "../record.ts";
import type { Visit } from "../sessions/device.ts";
import { findUser, type UserRecord, userCollection, writeUser } from "../users.ts";
import { removedPerson } from "./removal.ts";
import { signUpClosed } from "./sign-up.ts";

/** Milliseconds without a sign of life after which a guest is removed; accounts.md 6. */
const IDLE = 30 * 24 * 60 * 60 * 1000;
/** Guests looked at together, and in one sweep at most: what is left has its turn in the next. */
const AT_ONCE = 50;
const MOST = 2000;

/** Makes a guest: a user without a way to sign in, who may become somebody and keep the id. */
export async function signInAsGuest(
  parts: AccountParts,
  { principal }: AccountScope,
  body: { readonly profile?: unknown; readonly deviceName?: string },
  visit: Visit,
): Promise<SessionAnswer> {
  if (parts.settings().signUp.open !== true) throw signUpClosed();
  if (principal.kind !== "anonymous") {
    throw new GalleyError("failed_precondition", "you are signed in: sign out before you go on as a guest");
  }
  parts.limits.take("guest", visit.address);
  const faults = new Faults();
  const profile = body.profile === undefined ? undefined : parts.profiles.read(body.profile, faults);
  faults.throwIfAny();
  const { answer } = await decideAndCommit(parts, async () => {
    const now = parts.clock();
    const user: UserRecord = {
      ...fresh(newUserId(now, parts.random), now),
      ...{ pool: "user", guest: true, data: {}, roles: [], claims: {} },
      guestUntil: new Date(now + IDLE),
    };
    const entered = await enter(parts, { user, visit, proofs: ["guest"], deviceName: body.deviceName });
    return {
      writes: [...entered.writes, parts.audit.line({ action: "guest", by: user.id, visit })],
      profile: await profileOf(parts, entered, profile, principal),
      answer: entered,
    };
  });
  return answerOf(parts, answer);
}

/** What removing guests takes. */
type Sweeping = Pick<AccountParts, "store" | "clock" | "random" | "sessions" | "secrets" | "audit">;

/**
 * Looks at guests who were new, or seen last, 30 days ago, one after the other. Who was seen since is looked at again when
 * that is 30 days ago.
 *
 * @returns how many were removed
 */
export async function removeIdleGuests(parts: Sweeping, isOver: () => boolean = () => false): Promise<number> {
  let removed = 0;
  for (let seen = 0; seen < MOST && !isOver(); ) {
    const due = await dueGuests(parts);
    for (const guest of due) {
      if (isOver()) return removed;
      if (await removeIfIdle(parts, guest)) removed++;
    }
    seen += due.length;
    if (due.length < AT_ONCE) return removed;
  }
  return removed;
}

async function dueGuests({ store, clock }: Sweeping): Promise<readonly string[]> {
  const path = ["guestUntil"];
  const filter: Node = { kind: "compare", op: "lt", path, value: new Date(clock()) };
  const sort = [
    { path, descending: false },
    { path: ["_id"], descending: false },
  ];
  const budget = { candidates: Infinity, milliseconds: 60_000 };
  const { rows } = await store.find({ collection: userCollection("user"), filter, sort, limit: AT_ONCE, budget });
  return rows.map(({ id }) => id);
}

/**
 * One commit, which fails and is decided anew if the guest has become somebody meanwhile, or has been seen: then a session
 * has changed. What goes is what goes with every account; other documents are the app's to keep.
 */
async function removeIfIdle(parts: Sweeping, id: string): Promise<boolean> {
  const { store, clock, sessions, audit } = parts;
  const { answer } = await decideAndCommit(parts, async () => {
    const guest = await findUser(store, "user", id);
    const now = clock();
    if (!guest?.guest || !guest.guestUntil || guest.guestUntil.getTime() >= now) return { writes: [], answer: false };
    const all = await sessions.ofUser("user", id);
    const used = all.map(({ lastUsedAt }) => lastUsedAt.getTime());
    const until = Math.max(guest.createdAt.getTime(), ...used) + IDLE;
    if (until >= now) {
      return { writes: [writeUser(store, { ...guest, guestUntil: new Date(until) }, now)], answer: false };
    }
    const line = audit.line({ action: "guest-removed", by: "server", for: id });
    return { writes: [...(await removedPerson(parts, guest, all)), line], answer: true };
  });
  return answer;
}
