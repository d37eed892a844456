import { GalleyError } from "#protocol/errors";
import { idFault } from "#protocol/id";
import { LIMITS } from "#protocol/limits";
import type { AdminScope } from "../../access/authorize.ts";
import { nameOf, type Principal } from "../../access/principal.ts";
import { ScopeSet } from "../../access/scopes.ts";
import type { Log } from "../../log.ts";
import { attempts, commitOrLose } from "../../stores/attempts.ts";
import type { DocumentStore, Write } from "../../stores/document-store.ts";
import { pagesOf } from "../../stores/pages.ts";
import type { Audit, AuditEvent } from "../audit/audit.ts";
import { demandFresh } from "../entry.ts";
import { keepCollections } from "../kept-collections.ts";
import type { NetworkLimits } from "../limits/network-limits.ts";
import type { Visit } from "../sessions/device.ts";
import { demandStanding, type Renewed } from "../standing.ts";
import { formatKey, hashSecret, newKeyParts } from "./key-format.ts";
import { parseKeyInput, parseOverlap } from "./key-input.ts";
import { isSuspended, suspendedOf } from "./key-makers.ts";
import { KEYS, type KeyRecord, readKey, writeKey } from "./key-records.ts";
import { createKeyVerifier } from "./key-verifier.ts";
import { createLastUse } from "./last-use.ts";

export interface ServiceKeyOptions {
  readonly store: DocumentStore;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** That many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  /** Whole keys with every right, from the configuration and for this run; never stored. */
  readonly presets: readonly string[];
  readonly limits: Pick<NetworkLimits, "demand" | "failed">;
  readonly audit: Pick<Audit, "line">;
  /** Who a principal is now. */
  readonly renewed?: Renewed | undefined;
}

/** Keys for servers: accounts.md 10. What `/v1/admin/keys` serves and what identifies a `gsk_…` token. */
export interface ServiceKeys {
  /**
   * Who a token is.
   * @throws GalleyError `unauthenticated`, the same for every reason
   */
  verify(token: string, address: string): Principal | Promise<Principal>;
  /** Who a principal of a key is now. @throws GalleyError as above */
  renew(principal: Principal): Principal | Promise<Principal>;
  /** Epoch milliseconds: until when a principal of a key may come in, unless the key is changed before. */
  endOf(principal: Principal): number;
  list(scope: AdminScope): Promise<{ keys: KeyInfo[] }>;
  /** `body`: `{name, scopes, expiresAt?, networks?}`. The secret is shown this once. */
  create(scope: AdminScope, body: unknown, visit?: Visit): Promise<{ key: KeyInfo; secret: string }>;
  /**
   * `body`: `{name?, scopes?, expiresAt?, networks?, suspended?: false}`.
   * @throws GalleyError `not_found`, as the methods below
   */
  change(scope: AdminScope, id: string, body: unknown, visit?: Visit): Promise<KeyInfo>;
  /** `body`: `{overlap?}`, seconds for which the old secret stays good, at most a day. */
  rotate(scope: AdminScope, id: string, body: unknown, visit?: Visit): Promise<{ key: KeyInfo; secret: string }>;
  remove(scope: AdminScope, id: string, visit?: Visit): Promise<void>;
  close(): void;
}

/** A key without its secret. Times are ISO 8601. */
export interface KeyInfo {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: string;
  /** Id of the admin or key that made it. */
  readonly createdBy: string;
  /** The admin who made it is gone: nobody comes in by it. */
  readonly suspended: boolean;
  /** null: never. */
  readonly expiresAt: string | null;
  /** CIDR networks it may come from; empty: any. */
  readonly networks: readonly string[];
  readonly lastUsedAt?: string;
  readonly lastUsedFrom?: string;
}

/** A year, which a key lives unless the request says otherwise. */
const DEFAULT_LIFE = 365 * 24 * 60 * 60 * 1000;

/** Opens the keys of a store. */
export async function createServiceKeys(options: ServiceKeyOptions): Promise<ServiceKeys> {
  const { store, clock, random, log, audit, renewed } = options;
  const kept = await keepCollections({ store, log, collections: [{ name: KEYS, indexes: [] }] });
  const verifier = createKeyVerifier({ ...options, onUse: createLastUse({ store, clock, log }) });

  return {
    verify: (token, address) => verifier.verify(token, address),
    renew: (principal) => verifier.renew(principal),
    endOf: (principal) => verifier.endOf(principal),

    async list() {
      const keys: KeyInfo[] = [];
      for await (const { rows } of pagesOf(store, KEYS, LIMITS.pageMax)) {
        const page = rows.map(readKey);
        const suspended = await suspendedOf(store, page);
        keys.push(...page.map((key) => infoOf(key, suspended.has(key.id))));
      }
      return { keys: keys.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1)) };
    },

    async create(scope, body, visit) {
      demandFreshAdmin(scope);
      const now = clock();
      const input = parseKeyInput(body, ["name", "scopes"], now);
      demandCover(scope, input.scopes ?? []);
      const parts = newKeyParts(random);
      const expiresAt = input.expiresAt === undefined ? new Date(now + DEFAULT_LIFE) : input.expiresAt;
      const key: KeyRecord = {
        id: parts.id,
        version: 0,
        name: input.name ?? "",
        scopes: input.scopes ?? [],
        hash: hashSecret(parts.secret),
        createdAt: new Date(now),
        createdBy: nameOf(scope.principal),
        ...makerOf(scope),
        networks: input.networks ?? [],
        ...(expiresAt ? { expiresAt } : {}),
      };
      const { name, scopes } = key;
      const line = told("key-made", scope, key.id, visit, { name, scopes });
      await demandStanding(renewed, scope.principal);
      await store.commit([writeKey(store, key, now), line]);
      log.info({ keyId: key.id, scopes, by: key.createdBy }, "service key made");
      return { key: infoOf(key, false), secret: formatKey(parts) };
    },

    async change(scope, id, body, visit) {
      const input = parseKeyInput(body, [], clock());
      // Who says that a key counts again makes one, in a way.
      if (input.suspended === false) demandFreshAdmin(scope);
      demandCover(scope, input.scopes ?? []);
      const changed = Object.keys(input);
      const line = () =>
        told("key-changed", scope, id, visit, { changed, ...(input.scopes && { scopes: input.scopes }) });
      const key = await replace(scope, id, line, (stored) => {
        const { expiresAt: before, maker, ...kept } = stored;
        const expiresAt = input.expiresAt === undefined ? before : input.expiresAt;
        return {
          ...kept,
          ...(input.suspended === false ? makerOf(scope) : maker !== undefined && { maker }),
          name: input.name ?? stored.name,
          scopes: input.scopes ?? stored.scopes,
          networks: input.networks ?? stored.networks,
          ...(expiresAt ? { expiresAt } : {}),
        };
      });
      log.info({ keyId: id, by: nameOf(scope.principal), changed }, "service key changed");
      return shown(key);
    },

    async rotate(scope, id, body, visit) {
      demandFreshAdmin(scope);
      const overlap = parseOverlap(body);
      const parts = { id, secret: newKeyParts(random).secret };
      const line = () => told("key-rotated", scope, id, visit, { overlap });
      const key = await replace(scope, id, line, ({ previous: _, ...stored }) => ({
        ...stored,
        hash: hashSecret(parts.secret),
        ...(overlap > 0 ? { previous: { hash: stored.hash, until: new Date(clock() + overlap * 1000) } } : {}),
      }));
      log.info({ keyId: id, by: nameOf(scope.principal), overlap }, "service key rotated");
      return { key: await shown(key), secret: formatKey(parts) };
    },

    async remove(scope, id, visit) {
      await attempts(random, async () => {
        const { version, name } = await stored(id);
        const line = told("key-revoked", scope, id, visit, { name });
        await demandStanding(renewed, scope.principal);
        await commit([{ kind: "delete", collection: KEYS, id, expect: version }, line]);
      });
      log.warn({ keyId: id, by: nameOf(scope.principal) }, "service key revoked");
    },

    close() {
      kept.close();
      verifier.close();
    },
  };

  function told(
    action: string,
    { principal }: AdminScope,
    id: string,
    visit: Visit | undefined,
    details: NonNullable<AuditEvent["details"]>,
  ): Write {
    return audit.line({ action, by: nameOf(principal), for: id, ...(visit && { visit }), details });
  }

  async function shown(key: KeyRecord): Promise<KeyInfo> {
    return infoOf(key, await isSuspended(store, key));
  }

  /** A secret is shown to an admin only who has lately proven who they are. */
  function demandFreshAdmin({ principal }: AdminScope): void {
    if (principal.kind === "admin") demandFresh({ clock }, principal);
  }

  /** Changes a key that lies within the caller's own scopes: a narrow key must not get at a wider one's secret. */
  async function replace(
    scope: AdminScope,
    id: string,
    line: () => Write,
    change: (key: KeyRecord) => KeyRecord,
  ): Promise<KeyRecord> {
    return attempts(random, async () => {
      const before = await stored(id);
      demandCover(scope, before.scopes);
      const key = change(before);
      await demandStanding(renewed, scope.principal);
      await commit([writeKey(store, key, clock()), line()]);
      return key;
    });
  }

  async function stored(id: string): Promise<KeyRecord> {
    const [row] = idFault(id) === undefined ? await store.get(KEYS, [id]) : [];
    if (row) return readKey(row);
    throw new GalleyError("not_found", "there is no such key", { outcome: "not_applied" });
  }

  /**
   * Stores a change, and answers when every node goes by it: then nobody comes in by what was before. A key's last use may
   * be noted at any moment; that is a race to run again.
   */
  async function commit(writes: readonly Write[]): Promise<void> {
    await store.barrier(await commitOrLose(store, writes));
  }
}

/** @throws GalleyError `permission_denied` naming the first scope beyond the caller's own */
function demandCover({ principal }: AdminScope, scopes: readonly string[]): void {
  const missing = scopes.find((text) => !("scopes" in principal && principal.scopes.covers(new ScopeSet([text]))));
  if (missing === undefined) return;
  throw new GalleyError("permission_denied", `your own scopes do not cover ${missing}`, {
    scope: missing,
    outcome: "not_applied",
  });
}

/** The admin who makes a key answers for it; a key that makes one does not. */
function makerOf({ principal }: AdminScope): Pick<KeyRecord, "maker"> {
  return principal.kind === "admin" ? { maker: principal.id } : {};
}

function infoOf(key: KeyRecord, suspended: boolean): KeyInfo {
  const { id, name, scopes, createdBy, networks, lastUsed } = key;
  return {
    ...{ id, name, scopes, createdBy, suspended, networks },
    createdAt: key.createdAt.toISOString(),
    expiresAt: key.expiresAt?.toISOString() ?? null,
    ...(lastUsed ? { lastUsedAt: lastUsed.at.toISOString(), lastUsedFrom: lastUsed.from } : {}),
  };
}
