import { GalleyError } from "#protocol/errors";
import type { Principal } from "../../access/principal.ts";
import type { LimitSettings } from "../settings/settings.ts";
import { limitedNetwork } from "./network-limits.ts";
import { rateLimited } from "./rate-limited.ts";
import { RateTable } from "./rate-table.ts";

/**
 * How often callers may ask for data where an admin has set a limit: people, of whom one may have a limit of its own, and
 * networks of those who are nobody. Service keys and admins are not limited. In this process's memory, so no request costs the store anything (http-api.md "Time and
 * load").
 */
export interface RequestLimits {
  /** Counts a request. @throws GalleyError `rate_limited` */
  take(principal: Principal): void;
  /**
   * Counts the operations of a batch, of which its request was the first.
   * @throws GalleyError `rate_limited`; `payload_too_large` if there are more than are allowed in a minute
   */
  takeBatch(principal: Principal, operations: number): void;
}

const MINUTE = 60;

export function createRequestLimits(settings: () => LimitSettings, clock: () => number): RequestLimits {
  const networks = new RateTable();
  const people = new RateTable();

  /** Requests a minute; null: any. */
  function allowed(principal: Principal): number | null {
    if (principal.kind === "user") return principal.requestsPerMinute ?? settings().user;
    return principal.kind === "anonymous" ? settings().anonymous : null;
  }

  function take(principal: Principal, requests: number): void {
    const times = allowed(principal);
    if (times === null) return;
    const rate = { times, seconds: MINUTE };
    const isUser = principal.kind === "user";
    const [table, key] = isUser ? [people, principal.id] : [networks, limitedNetwork(principal.address)];
    const now = clock();
    const wait = table.wait(key, rate, now, requests);
    if (wait > 0) throw rateLimited(isUser ? OF_USER : OF_NETWORK, wait);
    table.count(key, rate, now, requests);
  }

  return {
    take: (principal) => take(principal, 1),
    takeBatch(principal, operations) {
      const times = allowed(principal);
      // One that never fits is told so: to come again would not help.
      if (times !== null && operations > times) throw tooLargeBatch(times);
      if (operations > 1) take(principal, operations - 1);
    },
  };
}

const OF_USER = "you send too many requests";
const OF_NETWORK = "too many requests came from your network without an account";

function tooLargeBatch(times: number): GalleyError {
  const message = `operations: expects at most ${times}, as many as you may send in a minute`;
  return new GalleyError("payload_too_large", message, { outcome: "not_applied" });
}
