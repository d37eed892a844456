import { Faults, GalleyError } from "#protocol/errors";
import type { AdminScope } from "../../access/authorize.ts";
import { nameOf } from "../../access/principal.ts";
import type { AdminRole } from "../../access/scopes.ts";
import type { DocumentStore, Write } from "../../stores/document-store.ts";
import { pagesOf } from "../../stores/pages.ts";
import { decideAndCommit } from "../commit.ts";
import { demandFresh } from "../entry.ts";
import { readAddress } from "../inputs.ts";
import type { AccountParts } from "../parts.ts";
import { type CredentialRecord, findCredential, writeCredential } from "../passwords/credentials.ts";
import { newUserId } from "../people.ts";
import { fresh } from "../record.ts";
import type { Visit } from "../sessions/device.ts";
import { demandStanding } from "../standing.ts";
import {
  checkUser,
  findUser,
  findUserByEmail,
  readUser,
  type UserRecord,
  userCollection,
  writeUser,
} from "../users.ts";
import { LIVES, mailSecret } from "./email-secrets.ts";
import { mailInvite } from "./invites.ts";
import { removedPerson } from "./removal.ts";
import { ownerMark } from "./set-up.ts";

/** An admin as owners see one. Times are ISO 8601. */
export interface AdminInfo {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: AdminRole;
  /** Whether the invitation is still open. */
  readonly invited: boolean;
  readonly createdAt: string;
  readonly lastSignInAt: string | null;
}

/** Who runs this Galley: accounts.md 7.4. For owners who have lately proven who they are, and full service keys. */
export interface Admins {
  list(scope: AdminScope): Promise<{ admins: AdminInfo[] }>;
  /** Mails an invitation. A service key, which the machine's own commands use, is also shown its link. */
  invite(
    scope: AdminScope,
    body: { readonly email: string; readonly role: AdminRole },
    visit: Visit,
  ): Promise<{ admin: AdminInfo; link?: string }>;
  change(scope: AdminScope, id: string, body: { readonly role: AdminRole }, visit: Visit): Promise<AdminInfo>;
  remove(scope: AdminScope, id: string, visit: Visit): Promise<void>;
  /** A link by which an admin who lost the password sets a new one; for full service keys only, so on the machine. */
  reset(scope: AdminScope, body: { readonly email: string }, visit: Visit): Promise<{ link: string }>;
}

export function createAdmins(parts: AccountParts): Admins {
  const { store, clock, random, audit, mail } = parts;

  return {
    async list(scope) {
      demandOwner(scope);
      const admins: AdminInfo[] = [];
      for (const admin of await everyAdmin(store)) admins.push(await infoOf(admin));
      return { admins };
    },

    async invite(scope, body, visit) {
      demandFreshOwner(scope);
      const faults = new Faults();
      const address = readAddress(body.email, faults);
      faults.throwIfAny();
      const now = clock();
      const stored = fresh(newUserId(now, random), now);
      const user: UserRecord = {
        ...stored,
        ...{ pool: "admin", guest: false, data: {}, roles: [], claims: {}, role: body.role },
        email: address.email,
        emailKey: address.key,
      };
      const credential: CredentialRecord = { ...stored, credentialVersion: 1 };
      const { writes, link } = mailInvite(parts, { user, credential });
      await demandStanding(parts.renewed, scope.principal);
      try {
        await store.commit([
          writeUser(store, user, now),
          writeCredential(store, credential, now),
          ...writes,
          audit.line({
            action: "admin-invited",
            by: nameOf(scope.principal),
            for: user.id,
            visit,
            details: { role: body.role },
          }),
        ]);
      } catch (error) {
        if (!(error instanceof GalleyError) || error.code !== "unique_violation") throw error;
        throw new GalleyError("already_exists", "there is an admin with this address", { outcome: "not_applied" });
      }
      mail.wake();
      const admin = await infoOf(user);
      return scope.principal.kind === "key" ? { admin, link } : { admin };
    },

    async change(scope, id, { role }, visit) {
      demandFreshOwner(scope);
      const { answer, position } = await decideAndCommit(parts, async () => {
        const admin = await stored(id);
        const line = audit.line({
          action: "admin-changed",
          by: nameOf(scope.principal),
          for: id,
          visit,
          details: { role },
        });
        const changed = { ...admin, role };
        const kept = admin.role === "owner" && role !== "owner" ? await otherOwner(admin) : [];
        const mark = role === "owner" && hasEntered(admin) ? await ownerMark(parts, changed) : [];
        return {
          writes: [writeUser(store, changed, clock()), ...kept, ...mark, line],
          by: scope.principal,
          answer: changed,
        };
      });
      await store.barrier(position);
      return infoOf(answer);
    },

    async remove(scope, id, visit) {
      demandFreshOwner(scope);
      const { position } = await decideAndCommit(parts, async () => {
        const admin = await stored(id);
        const kept = admin.role === "owner" ? await otherOwner(admin) : [];
        const line = audit.line({ action: "admin-removed", by: nameOf(scope.principal), for: id, visit });
        return {
          writes: [...(await removedPerson(parts, admin)), ...kept, line],
          by: scope.principal,
          answer: undefined,
        };
      });
      await store.barrier(position);
    },

    async reset(scope, body, visit) {
      if (scope.principal.kind !== "key") {
        throw new GalleyError("permission_denied", "this is done on the machine: galley admin reset");
      }
      demandOwner(scope);
      const faults = new Faults();
      const address = readAddress(body.email, faults);
      faults.throwIfAny();
      const { answer } = await decideAndCommit(parts, async () => {
        const admin = await findUserByEmail(store, "admin", address.key);
        const credential = admin && (await findCredential(store, admin.id));
        if (!admin || !credential) throw noSuchAdmin();
        const { credentialVersion } = credential;
        const { link, writes } = mailSecret(
          parts,
          {
            ...{ kind: "password-reset", pool: "admin", user: admin.id, credentialVersion, data: {} },
            lifeSeconds: LIVES.reset,
          },
          // The link is shown, not mailed.
          { kind: "reset", to: {}, page: "password-reset" },
        );
        const line = audit.line({ action: "admin-reset", by: nameOf(scope.principal), for: admin.id, visit });
        const older = await parts.secrets.voided(admin.id, ["password-reset"]);
        // Stored as they are: as in `mailReset`, no secret outlasts what was to void it.
        return {
          writes: [writeUser(store, admin, clock()), ...older, ...writes, line],
          by: scope.principal,
          answer: link,
        };
      });
      return { link: answer };
    },
  };

  async function stored(id: string): Promise<UserRecord> {
    const found = await findUser(store, "admin", id);
    if (!found) throw noSuchAdmin();
    return found;
  }

  /**
   * What keeps another owner in their place while one goes: of two who remove each other at once, one loses.
   * @throws GalleyError `failed_precondition` if there is no other
   */
  async function otherOwner({ id }: UserRecord): Promise<Write[]> {
    const other = (await everyAdmin(store)).find(
      (admin) => admin.role === "owner" && admin.id !== id && hasEntered(admin),
    );
    if (other) return [checkUser(other)];
    throw new GalleyError("failed_precondition", "this is the last owner: make another one first", {
      outcome: "not_applied",
    });
  }

  async function infoOf(admin: UserRecord): Promise<AdminInfo> {
    const credential = await findCredential(store, admin.id);
    return {
      id: admin.id,
      email: admin.email ?? "",
      name: admin.name ?? null,
      role: admin.role ?? "viewer",
      invited: credential?.password === undefined,
      createdAt: admin.createdAt.toISOString(),
      lastSignInAt: admin.lastSignInAt?.toISOString() ?? null,
    };
  }

  /** @throws GalleyError `permission_denied` unless the caller may do everything */
  function demandOwner({ principal }: AdminScope): void {
    const everything = "scopes" in principal && principal.scopes.texts.includes("*");
    if (!everything) throw new GalleyError("permission_denied", "this needs an owner", { scope: "*" });
  }

  function demandFreshOwner(scope: AdminScope): void {
    demandOwner(scope);
    if (scope.principal.kind === "admin") demandFresh(parts, scope.principal);
  }
}

/** Whether an owner has ever been here: one who was only invited does not keep the house. */
function hasEntered({ lastSignInAt, emailProvenAt }: UserRecord): boolean {
  return lastSignInAt !== undefined || emailProvenAt !== undefined;
}

async function everyAdmin(store: DocumentStore): Promise<UserRecord[]> {
  const admins: UserRecord[] = [];
  for await (const { rows } of pagesOf(store, userCollection("admin"), 500)) {
    admins.push(...rows.map((row) => readUser("admin", row)));
  }
  return admins;
}

function noSuchAdmin(): GalleyError {
  return new GalleyError("not_found", "there is no such admin", { outcome: "not_applied" });
}
