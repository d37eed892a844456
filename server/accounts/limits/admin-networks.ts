import { GalleyError } from "#protocol/errors";
import type { Settings } from "../settings/settings.ts";
import { inNetworks } from "./networks.ts";

/** Refuses admins who come from elsewhere than owners have said they may; accounts.md 7.4. */
export interface AdminNetworks {
  /**
   * Whoever it is: nothing of what they bring is judged before.
   * @throws GalleyError `permission_denied`
   */
  demand(address: string): void;
  /** Whether there is such a list at all. */
  readonly limited: boolean;
}

export function createAdminNetworks(settings: () => Settings): AdminNetworks {
  let known: readonly string[] | undefined;
  let admits: (address: string) => boolean = () => true;
  return {
    get limited() {
      return settings().admins.networks.length > 0;
    },
    demand(address) {
      const { networks } = settings().admins;
      if (networks.length === 0) return;
      if (networks !== known) {
        known = networks;
        admits = inNetworks(networks);
      }
      if (!admits(address)) {
        const message = "admins may come from some networks only, and yours is none of them";
        throw new GalleyError("permission_denied", message, { outcome: "not_applied" });
      }
    },
  };
}
