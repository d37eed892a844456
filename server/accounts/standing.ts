import { GalleyError } from "#protocol/errors";
import type { Principal } from "../access/principal.ts";

/** Who a principal is now. @throws GalleyError `unauthenticated` if nobody any more */
export type Renewed = (principal: Principal) => Principal | Promise<Principal>;

/**
 * Asked just before a commit that a request decided: nobody keeps a right by what was under way when it ended
 * (access-rules.md 10.2).
 *
 * @throws GalleyError `unauthenticated`; `permission_denied` of admins and keys that may not do the same any more
 */
export async function demandStanding(renewed: Renewed | undefined, by: Principal): Promise<void> {
  if (!renewed) return;
  const now = await renewed(by);
  if (scopesOf(now) === scopesOf(by)) return;
  throw new GalleyError("permission_denied", "what you may do has changed meanwhile: send it again", {
    outcome: "not_applied",
  });
}

function scopesOf(principal: Principal): string {
  return "scopes" in principal ? principal.scopes.texts.join() : "";
}
