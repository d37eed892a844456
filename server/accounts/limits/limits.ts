import type { Write } from "../../stores/document-store.ts";
import { secretInvalid } from "../secrets/secrets.ts";
import type { LimitSettings } from "../settings/settings.ts";
import type { LimitParts } from "./limit-records.ts";
import { createNetworkLimits, type NetworkLimits } from "./network-limits.ts";
import { createPasswordTries, type PasswordTry, type TrySource } from "./password-tries.ts";
import { rateLimited } from "./rate-limited.ts";
import { type Rate, RateTable } from "./rate-table.ts";
import { createRecentTimes } from "./recent-times.ts";

export { LIMITS_RECORDS } from "./limit-records.ts";
export type { PasswordTry } from "./password-tries.ts";

/**
 * What is limited, by where it comes from and by whom it concerns; accounts.md 8. Networks and sessions are counted in this
 * process's memory, accounts in the store, for all processes and before anything is judged.
 *
 * An account is told by a hash, whether there is one or not: the work is the same.
 */
export interface Limits extends NetworkLimits {
  /** Counts a password before it is judged. @throws GalleyError `rate_limited`, `unavailable` */
  tryPassword(account: string, from: TrySource): Promise<PasswordTry>;
  /**
   * Counts a code before it is judged. A known device is counted apart, so that strangers cannot use up its codes.
   * @throws GalleyError `secret_invalid`, as of a wrong code (accounts.md 4.4); `unavailable`
   */
  tryCode(account: string, device: string | undefined): Promise<void>;
  /** Writes for the commit of what a code proves: the tries before it were its owner's. */
  codeWorked(account: string, device: string | undefined): Promise<Write[]>;
  /** Writes for the commit of a new password: passwords are open again, and what was counted is gone. */
  reopened(account: string): Promise<Write[]>;
  /** Counts a mail that somebody asks for. @throws GalleyError `rate_limited`, `unavailable` */
  takeMail(account: string): Promise<void>;
  /** Writes that change nothing, for a commit that is to cost what one that stores a person costs. */
  touchedMails(account: string): Promise<Write[]>;
  /** @throws GalleyError `rate_limited` */
  demandRefresh(session: string): void;
  /** Counts a refresh that was right: who makes tokens up keeps nobody from refreshing theirs. */
  refreshed(session: string): void;
}

export interface LimitsOptions extends LimitParts {
  readonly settings: () => LimitSettings;
}

const MINUTE = 60;
const HOUR = 3600;
const DAY = 24 * HOUR;

export function createLimits(options: LimitsOptions): Limits {
  const { settings, clock } = options;
  const passwords = createPasswordTries(options);
  const codes = createRecentTimes({
    ...options,
    what: "codes",
    rates: () => [{ times: settings().account.wrongCodesPerDay, seconds: DAY }],
    refusal: secretInvalid,
  });
  const mails = createRecentTimes({
    ...options,
    what: "mails",
    rates: () => [
      { times: settings().account.mailsPerMinute, seconds: MINUTE },
      { times: settings().account.mailsPerHour, seconds: HOUR },
    ],
    refusal: (wait) => rateLimited("too many mails were asked for to this address", wait),
  });
  const refreshes = new RateTable();

  return {
    ...createNetworkLimits(settings, clock),
    tryPassword: passwords.take,
    reopened: passwords.reopened,
    tryCode: (account, device) => codes.take(coded(account, device)),
    codeWorked: (account, device) => codes.forgotten(coded(account, device)),
    takeMail: mails.take,
    touchedMails: mails.touched,
    demandRefresh(session) {
      const wait = refreshes.wait(session, refreshRate(), clock());
      if (wait > 0) throw rateLimited("this session refreshes its token too often", wait);
    },
    refreshed: (session) => refreshes.count(session, refreshRate(), clock()),
  };

  function refreshRate(): Rate {
    return { times: settings().session.refreshesPerMinute, seconds: MINUTE };
  }
}

/** Whose codes are counted together. */
function coded(account: string, device: string | undefined): string {
  return device === undefined ? account : JSON.stringify([account, device]);
}
