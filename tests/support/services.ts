import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AdminScope,
  type Authorizer,
  authorizeAdmin,
  createAuthorizer,
  type Scope,
} from "../../server/access/authorize.ts";
import { NO_RULES } from "../../server/access/parsing/rules.ts";
import type { Principal } from "../../server/access/principal.ts";
import { createRights } from "../../server/access/rights.ts";
import type { RuleSet } from "../../server/access/rule-tree.ts";
import { ScopeSet } from "../../server/access/scopes.ts";
import { createCollectionService } from "../../server/documents/collections.ts";
import type { IdempotencyRequest } from "../../server/documents/contract.ts";
import { openDefinitions } from "../../server/documents/definitions.ts";
import { createDocumentService } from "../../server/documents/service.ts";
import type { Log } from "../../server/log.ts";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";

export interface ServiceSetting {
  readonly folder?: string;
  readonly development?: boolean;
  /** None by default: everything is closed to users. */
  readonly rules?: () => RuleSet;
  /** Who a principal is now; the same by default. */
  readonly renewed?: (principal: Principal) => Principal;
  readonly secrets?: readonly string[];
  /** Stands between the services and the store, for faults and counts. */
  readonly between?: (store: DocumentStore) => DocumentStore;
}

export type Services = Awaited<ReturnType<typeof startServices>>;

/** The document services on an embedded store of their own, without transport, with a clock that tests move. */
export async function startServices(setting: ServiceSetting = {}) {
  const folder = setting.folder ?? mkdtempSync(join(tmpdir(), "galley-services-"));
  const time = { now: Date.UTC(2026, 0, 31, 10) };
  const clock = () => time.now;
  const random = (bytes: number) => randomBytes(bytes);
  const lines: { event: object; message: string }[] = [];
  const note = (event: object, message: string) => void lines.push({ event, message });
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const embedded = await openSqliteStore({ folder, clock });
  const store = setting.between?.(embedded) ?? embedded;
  const definitions = await openDefinitions({ store, clock, log });
  const secrets = setting.secrets ?? ["a secret for tests, at least 32 bytes"];
  const development = setting.development ?? false;
  const { rules = () => NO_RULES, renewed = (principal) => principal } = setting;
  const rights = createRights({ store, clock, rules, renewed });
  const access = createAuthorizer(rights);
  const grantsRights = (collection: string) => rules().rightsCollections.has(collection);
  const common = { store, definitions, clock, random, log };
  const documents = await createDocumentService({ ...common, secrets, development, grantsRights });
  const collections = createCollectionService({ ...common, access, demandStanding: async () => {} });
  return {
    ...{
      folder,
      time,
      clock,
      random,
      log,
      lines,
      embedded,
      store,
      definitions,
      documents,
      collections,
      access,
      rights,
    },
    /** Ends everything; the folder goes too unless the test brought its own. */
    async close() {
      await documents.close();
      rights.close();
      definitions.close();
      await embedded.close();
      if (setting.folder === undefined) rmSync(folder, { recursive: true, maxRetries: 5 });
    },
  };
}

export function keyPrincipal(scopes: readonly string[] = ["*"], id = "k1"): Principal {
  return { kind: "key", id, scopes: new ScopeSet(scopes), address: "127.0.0.1" };
}

/** Where no rule opens anything, and none reads the store. */
const NO_STORE = { tail: () => ({ close() {} }) } as unknown as DocumentStore;
export const CLOSED: Authorizer = createAuthorizer(
  createRights({ store: NO_STORE, clock: Date.now, rules: () => NO_RULES, renewed: (principal) => principal }),
);

/** What a key with these scopes may do in a collection; everything by default. */
export function scopeOf(collection: string, scopes?: readonly string[], id?: string): Scope {
  return CLOSED.scope(keyPrincipal(scopes, id), collection);
}

export function adminScope(scopes?: readonly string[]): AdminScope {
  return authorizeAdmin(keyPrincipal(scopes), "collections", "write");
}

/** An idempotency key as transport hands it on. */
export function keyed(key: string, body: unknown = {}, route = "POST /v1/documents/posts"): IdempotencyRequest {
  return { key, route, bodyHash: createHash("sha256").update(JSON.stringify(body)).digest("hex") };
}
