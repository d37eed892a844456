import type { Node } from "#protocol/ast";
import { Faults, GalleyError } from "#protocol/errors";
import { idFault } from "#protocol/id";
import type { AdminScope } from "../../access/authorize.ts";
import { nameOf } from "../../access/principal.ts";
import type { Write } from "../../stores/document-store.ts";
import type { AuditEvent } from "../audit/audit.ts";
import { type Decision, decideAndCommit } from "../commit.ts";
import { readAddress, readProfile } from "../inputs.ts";
import type { AccountParts } from "../parts.ts";
import { type CredentialRecord, writeCredential } from "../passwords/credentials.ts";
import { endedSessions, findPerson, newUserId } from "../people.ts";
import { type SessionInfo, sessionInfoOf, type UserInfo, userInfoOf } from "../present.ts";
import { fresh } from "../record.ts";
import type { Visit } from "../sessions/device.ts";
import { demandStanding } from "../standing.ts";
import { checkUser, findUser, readUser, type UserRecord, userCollection, writeUser } from "../users.ts";
import { mailInvite } from "./invites.ts";
import { mailReset } from "./passwords.ts";
import { endRemoval, removedPerson } from "./removal.ts";
import { type NewUserBody, readAdminsOwn, readRights, type UserChange } from "./user-input.ts";

const PAGE = 50;

/** Users as admins manage them: accounts.md 7.5. Admins never choose or see a password. */
export interface UserAdmin {
  /** By id; `q`: an id, or how an address begins. */
  list(scope: AdminScope, query: { q?: string; after?: string }): Promise<{ users: UserInfo[]; next?: string }>;
  /** Makes a user and mails an invitation. @throws GalleyError `already_exists` */
  create(scope: AdminScope, body: NewUserBody, visit: Visit): Promise<UserInfo>;
  get(scope: AdminScope, id: string): Promise<UserInfo>;
  change(scope: AdminScope, id: string, body: UserChange, visit: Visit): Promise<UserInfo>;
  remove(scope: AdminScope, id: string, visit: Visit): Promise<void>;
  /** Nobody comes in by this account, and who is in is out. */
  disable(scope: AdminScope, id: string, body: { reason?: string }, visit: Visit): Promise<UserInfo>;
  enable(scope: AdminScope, id: string, visit: Visit): Promise<UserInfo>;
  /** Ends every session, and voids every link and code that is on its way. */
  signOut(scope: AdminScope, id: string, visit: Visit): Promise<void>;
  sendReset(scope: AdminScope, id: string, visit: Visit): Promise<void>;
  sessions(scope: AdminScope, id: string): Promise<{ sessions: SessionInfo[] }>;
}

export function createUserAdmin(parts: AccountParts): UserAdmin {
  const { store, clock, random, audit, mail, secrets, sessions } = parts;

  return {
    async list(_scope, { q, after }) {
      const query = {
        collection: userCollection("user"),
        filter: filterOf(q),
        sort: [{ path: ["_id"], descending: false }],
        limit: PAGE,
        budget: { candidates: Number.POSITIVE_INFINITY, milliseconds: 10_000 },
      };
      const { rows, more } = await store.find(after === undefined ? query : { ...query, after: [after] });
      const last = rows.at(-1);
      return {
        users: rows.map((row) => userInfoOf(readUser("user", row))),
        ...(more && last && { next: last.id }),
      };
    },

    async create(scope, body, visit) {
      const faults = new Faults();
      const address = readAddress(body.email, faults);
      const rights = readRights(body, faults);
      const { name } = readProfile(body.name === undefined ? {} : { name: body.name }, faults);
      faults.throwIfAny();
      const now = clock();
      const stored = fresh(newUserId(now, random), now);
      const user: UserRecord = {
        ...stored,
        ...{ pool: "user", guest: false, data: {}, roles: [], claims: {} },
        ...rights,
        email: address.email,
        emailKey: address.key,
        ...(name !== undefined && { name }),
        ...(body.proven === true && { emailProvenAt: new Date(now) }),
      };
      const credential: CredentialRecord = { ...stored, credentialVersion: 1 };
      await demandStanding(parts.renewed, scope.principal);
      try {
        await store.commit([
          writeUser(store, user, now),
          writeCredential(store, credential, now),
          ...mailInvite(parts, { user, credential }).writes,
          audit.line({ action: "user-made", by: nameOf(scope.principal), for: user.id, visit }),
        ]);
      } catch (error) {
        if (!(error instanceof GalleyError) || error.code !== "unique_violation") throw error;
        throw new GalleyError("already_exists", "there is a user with this address", { outcome: "not_applied" });
      }
      mail.wake();
      return userInfoOf(user);
    },

    get: async (_scope, id) => userInfoOf(await stored(id)),

    async change(scope, id, body, visit) {
      const faults = new Faults();
      const profile = readProfile(body, faults);
      const rights = readRights(body, faults);
      const own = readAdminsOwn(body, faults);
      faults.throwIfAny();
      // What was made of them is for the audit log to keep: roles are rights.
      const details = { changed: Object.keys(body), ...(rights.roles && { roles: rights.roles }) };
      return changing(scope, id, { action: "user-changed", visit, details }, async (user) => {
        const { name, locale, notes, limits, ...kept } = { ...user, ...profile, ...rights, ...own };
        const changed: UserRecord = {
          ...kept,
          data: profile.data ?? user.data,
          ...(name !== undefined && { name }),
          ...(locale !== undefined && { locale }),
          ...(notes !== undefined && { notes }),
          ...(limits !== undefined && { limits }),
        };
        return { user: changed, writes: [] };
      });
    },

    async remove(scope, id, visit) {
      await barred(async () => {
        const writes = await removedPerson(parts, await stored(id));
        const line = audit.line({ action: "user-removed", by: nameOf(scope.principal), for: id, visit });
        return { writes: [...writes, line], by: scope.principal, answer: undefined };
      });
      await endRemoval(parts, id);
    },

    disable: (scope, id, { reason }, visit) =>
      changing(scope, id, { action: "user-disabled", visit }, async ({ disabledReason: _, ...user }) => ({
        user: {
          ...user,
          disabledAt: user.disabledAt ?? new Date(clock()),
          ...(reason !== undefined && { disabledReason: reason.slice(0, 500) }),
        },
        writes: [...(await endedSessions(parts, user)), ...(await secrets.voided(id))],
      })),

    enable: (scope, id, visit) =>
      changing(
        scope,
        id,
        { action: "user-enabled", visit },
        async ({ disabledAt: _, disabledReason: __, ...user }) => ({
          user,
          writes: [],
        }),
      ),

    async signOut(scope, id, visit) {
      await barred(async () => {
        const user = await stored(id);
        const writes = [...(await endedSessions(parts, user)), ...(await secrets.voided(id))];
        const line = audit.line({ action: "user-signed-out", by: nameOf(scope.principal), for: id, visit });
        // Whoever made a session or a secret meanwhile has stored the person.
        return { writes: [checkUser(user), ...writes, line], by: scope.principal, answer: undefined };
      });
    },

    async sendReset(scope, id, visit) {
      await stored(id);
      const whose = async () => {
        const person = await findPerson(parts, "user", id);
        if (person?.user.email !== undefined) return person;
        throw new GalleyError("failed_precondition", "the user is disabled, or has no address to mail to");
      };
      await mailReset(parts, "user", whose, scope.principal);
      audit.note({ action: "reset-sent", by: nameOf(scope.principal), for: id, visit });
    },

    async sessions(_scope, id) {
      const { id: user } = await stored(id);
      const all = await sessions.ofUser("user", user);
      return { sessions: all.map((session) => sessionInfoOf(session, undefined)) };
    },
  };

  async function stored(id: string): Promise<UserRecord> {
    const found = idFault(id) === undefined ? await findUser(store, "user", id) : undefined;
    if (found) return found;
    throw new GalleyError("not_found", "there is no such user", { outcome: "not_applied" });
  }

  async function changing(
    scope: AdminScope,
    id: string,
    told: Pick<AuditEvent, "action" | "visit" | "details">,
    change: (user: UserRecord) => Promise<{ user: UserRecord; writes: readonly Write[] }>,
  ): Promise<UserInfo> {
    return barred(async () => {
      const { user, writes } = await change(await stored(id));
      const line = audit.line({ ...told, by: nameOf(scope.principal), for: id });
      return {
        writes: [writeUser(store, user, clock()), ...writes, line],
        by: scope.principal,
        answer: userInfoOf(user),
      };
    });
  }

  /** Commits, and answers once every node goes by it. */
  async function barred<T>(decide: () => Promise<Decision<T>>): Promise<T> {
    const { answer, position } = await decideAndCommit(parts, decide);
    await store.barrier(position);
    return answer;
  }
}

function filterOf(q: string | undefined): Node {
  if (q === undefined || q === "") return { kind: "true" };
  const byId: Node = { kind: "compare", op: "eq", path: ["_id"], value: q };
  const byAddress: Node = { kind: "text", at: "start", path: ["emailKey"], text: q.toLowerCase() };
  return { kind: "or", of: [byId, byAddress] };
}
