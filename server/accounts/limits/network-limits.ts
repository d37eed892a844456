import { isIP } from "node:net";
import type { LimitSettings } from "../settings/settings.ts";
import { rateLimited } from "./rate-limited.ts";
import { type Rate, RateTable } from "./rate-table.ts";

/** What a network may do so often, whether it succeeds or not. */
export type TakenKind = "sign-up" | "guest" | "mail" | "code";
/** What a network may fail at so often; success costs nothing, since offices and carriers share an address. */
export type FailedKind = "sign-in" | "refresh" | "auth" | "key";

/** Limits of where requests come from, in this process's memory; accounts.md 8. */
export interface NetworkLimits {
  /** @throws GalleyError `rate_limited` */
  take(kind: TakenKind, address: string): void;
  /** @throws GalleyError `rate_limited` */
  demand(kind: FailedKind, address: string): void;
  failed(kind: FailedKind, address: string): void;
}

const HOUR = 3600;
const MINUTE = 60;

const RATES: Readonly<Record<TakenKind | FailedKind, (limits: LimitSettings["network"]) => Rate>> = {
  "sign-up": ({ signUpsPerHour }) => ({ times: signUpsPerHour, seconds: HOUR }),
  guest: ({ guestsPerHour }) => ({ times: guestsPerHour, seconds: HOUR }),
  mail: ({ mailsPerHour }) => ({ times: mailsPerHour, seconds: HOUR }),
  code: ({ codesPerHour }) => ({ times: codesPerHour, seconds: HOUR }),
  "sign-in": ({ signInFailuresPerMinute }) => ({ times: signInFailuresPerMinute, seconds: MINUTE }),
  refresh: ({ refreshFailuresPerMinute }) => ({ times: refreshFailuresPerMinute, seconds: MINUTE }),
  auth: ({ failuresPerMinute }) => ({ times: failuresPerMinute, seconds: MINUTE }),
  key: ({ keyFailuresPerMinute }) => ({ times: keyFailuresPerMinute, seconds: MINUTE }),
};

export function createNetworkLimits(settings: () => LimitSettings, clock: () => number): NetworkLimits {
  const tables = new Map<string, RateTable>(Object.keys(RATES).map((kind) => [kind, new RateTable()]));
  const tableOf = (kind: TakenKind | FailedKind) => tables.get(kind) as RateTable;
  const rateOf = (kind: TakenKind | FailedKind) => RATES[kind](settings().network);

  function demand(kind: TakenKind | FailedKind, address: string): void {
    const wait = tableOf(kind).wait(limitedNetwork(address), rateOf(kind), clock());
    if (wait > 0) throw rateLimited("too many requests of this kind came from your network", wait);
  }

  function count(kind: TakenKind | FailedKind, address: string): void {
    tableOf(kind).count(limitedNetwork(address), rateOf(kind), clock());
  }

  return {
    take(kind, address) {
      demand(kind, address);
      count(kind, address);
    },
    demand,
    failed: count,
  };
}

/** What is limited as one: an IPv4 address, also one that a socket shows as IPv6, or the /64 of an IPv6 one. */
export function limitedNetwork(address: string): string {
  const [bare = ""] = address.split("%");
  if (isIP(bare) === 4) return bare;
  if (isIP(bare) !== 6) return "unknown";
  // The URL standard writes each IPv6 address in one way only, also one with an IPv4 address at its end.
  const [head = [], tail = []] = new URL(`http://[${bare}]`).hostname
    .slice(1, -1)
    .split("::")
    .map((half) => half.split(":").filter(Boolean));
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
  if (groups.slice(0, 6).join(":") !== MAPPED) return groups.slice(0, 4).join(":");
  return groups
    .slice(6)
    .map((group) => Number.parseInt(group, 16))
    .flatMap((pair) => [pair >> 8, pair & 0xff])
    .join(".");
}

/** RFC 4291 2.5.5.2. */
const MAPPED = "0:0:0:0:0:ffff";
