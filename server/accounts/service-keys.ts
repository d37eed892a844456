import type { AdminScope } from "../access/authorize.ts";
import type { Principal } from "../access/principal.ts";
import type { Log } from "../log.ts";
import type { DocumentStore } from "../stores/document-store.ts";

export interface ServiceKeyOptions {
  readonly store: DocumentStore;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** That many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  /** Whole keys with every right, from the configuration and for this run; never stored. */
  readonly presets: readonly string[];
}

/** Keys for servers: accounts.md 10. What `/v1/admin/keys` serves and what identifies a `gsk_…` token. */
export interface ServiceKeys {
  /**
   * Who a token is.
   * @throws GalleyError `unauthenticated`, the same for every reason
   */
  verify(token: string, address: string): Promise<Principal>;
  list(scope: AdminScope): Promise<{ keys: KeyInfo[] }>;
  /** `body`: `{name, scopes, expiresAt?, networks?}`. The secret is shown this once. */
  create(scope: AdminScope, body: unknown): Promise<{ key: KeyInfo; secret: string }>;
  /** `body`: `{name?, scopes?, expiresAt?, networks?}`. @throws GalleyError `not_found`, as the methods below */
  change(scope: AdminScope, id: string, body: unknown): Promise<KeyInfo>;
  /** `body`: `{overlap?}`, seconds for which the old secret stays good, at most a day. */
  rotate(scope: AdminScope, id: string, body: unknown): Promise<{ key: KeyInfo; secret: string }>;
  remove(scope: AdminScope, id: string): Promise<void>;
  close(): void;
}

/** A key without its secret. Times are ISO 8601. */
export interface KeyInfo {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: string;
  /** Id of the key that made it. */
  readonly createdBy: string;
  /** null: never. */
  readonly expiresAt: string | null;
  /** CIDR networks it may come from; empty: any. */
  readonly networks: readonly string[];
  readonly lastUsedAt?: string;
  readonly lastUsedFrom?: string;
}

export declare function createServiceKeys(options: ServiceKeyOptions): Promise<ServiceKeys>;
