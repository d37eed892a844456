import type { Log } from "../log.ts";
import type { DocumentStore } from "../stores/document-store.ts";
import type { Audit } from "./audit/audit.ts";
import type { AdminNetworks } from "./limits/admin-networks.ts";
import type { Limits } from "./limits/limits.ts";
import type { Mail } from "./mail/mail.ts";
import type { PasswordHasher } from "./passwords/password-hash.ts";
import type { Profiles } from "./profiles.ts";
import type { Secrets } from "./secrets/secrets.ts";
import type { DeviceTokens } from "./sessions/device-token.ts";
import type { KnownTokens } from "./sessions/known-tokens.ts";
import type { Sessions } from "./sessions/sessions.ts";
import type { Settings } from "./settings/settings.ts";
import type { Renewed } from "./standing.ts";

/** What the ways in and out of accounts are built from; accounts.ts makes them, in order. */
export interface AccountParts {
  readonly store: DocumentStore;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** That many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  readonly profiles: Profiles;
  readonly settings: () => Settings;
  readonly secrets: Secrets;
  readonly sessions: Sessions;
  readonly tokens: Pick<KnownTokens, "issue">;
  readonly devices: DeviceTokens;
  readonly hasher: PasswordHasher;
  readonly limits: Limits;
  readonly adminNetworks: AdminNetworks;
  readonly mail: Mail;
  readonly audit: Audit;
  /** Who a principal is now. */
  readonly renewed: Renewed | undefined;
  /** Where links lead, without a slash at the end; never made of what a request says. */
  readonly publicUrl: () => string;
}
