import { GalleyError } from "#protocol/errors";
import type { Write } from "../../stores/document-store.ts";
import { fresh } from "../record.ts";
import type { LimitSettings } from "../settings/settings.ts";
import { LIMITS_RECORDS, type LimitParts, limitId, oneByOne } from "./limit-records.ts";
import { limitedNetwork } from "./network-limits.ts";
import {
  failuresNow,
  isClosed,
  noFailures,
  noSuccess,
  type PasswordFailures,
  type PasswordSuccess,
  readFailures,
  readSuccess,
  type Source,
  waitOf,
  withTry,
  writeFailures,
  writeSuccess,
} from "./password-failures.ts";
import { rateLimited } from "./rate-limited.ts";

/** Where a password comes from: a device that has signed in before, or a network. */
export type TrySource = { readonly address: string } | { readonly device: string };

/** A password that may be judged now. It is counted as wrong until it proves right. */
export interface PasswordTry {
  /** Whether it was the last one: if it is wrong, passwords of this account are closed to all but known devices. */
  readonly closes: boolean;
  /**
   * For the commit of what the password proves: takes away this source's failures and, unless passwords are closed, the
   * row of them.
   *
   * No wrong guess makes that commit fail, however many there are: tries and successes are different records. Another
   * success at the same time may; then the commit is tried again, and what is asked for a second time is nothing: the
   * other one has taken the row away, and the next success of this source takes the rest.
   */
  cleared(): Write[];
}

export interface PasswordTries {
  /** @throws GalleyError `rate_limited`, `unavailable` */
  take(account: string, from: TrySource): Promise<PasswordTry>;
  /** Writes that open passwords again, for the commit of a new one. They conflict with successes only. */
  reopened(account: string): Promise<Write[]>;
}

export interface PasswordTriesOptions extends LimitParts {
  readonly settings: () => LimitSettings;
}

export function createPasswordTries(options: PasswordTriesOptions): PasswordTries {
  const { store, clock, settings } = options;

  const take = oneByOne<Source, PasswordTry>(options, async (account, sources) => {
    const limits = settings().account;
    const now = clock();
    const records = await stored(account, now);
    let failures = failuresNow(records.failures, records.success, limits, now);
    const decided = sources.map((source): GalleyError | Counted => {
      const isShut = isClosed(failures, limits);
      if (isShut && !source.known) return passwordsClosed(limits);
      const wait = waitOf(failures, source, limits, now);
      if (wait > 0) return rateLimited("too many wrong passwords came for this account", wait);
      const counted = withTry(failures, source, limits, now);
      failures = counted.failures;
      // Where passwords are closed, a known device's success opens them for nobody else.
      return {
        source: source.id,
        failures: counted.own,
        row: isShut ? 0 : failures.row,
        closes: !isShut && isClosed(failures, limits),
      };
    });
    const refusals = decided.filter((one) => one instanceof GalleyError);
    if (refusals.length === decided.length) return { verdicts: refusals, writes: [] };
    const { write, expiresAt } = writeFailures(store, failures, limits, now);
    const verdicts = decided.map((one) => (one instanceof GalleyError ? one : tryOf(one, records, expiresAt)));
    return { verdicts, writes: [write] };
  });

  async function stored(account: string, now: number): Promise<Records> {
    const [failuresId, successId] = ["password-failures", "password-success"].map((what) => limitId(what, account));
    const [failures, success] = await store.get(LIMITS_RECORDS.name, [failuresId as string, successId as string]);
    return {
      failures: failures ? readFailures(failures) : noFailures(fresh(failuresId as string, now)),
      success: success ? readSuccess(success) : noSuccess(fresh(successId as string, now)),
    };
  }

  function tryOf({ closes, ...counted }: Counted, { success }: Records, expiresAt: Date | undefined): PasswordTry {
    let asked = false;
    return {
      closes,
      cleared() {
        if (asked) return [];
        asked = true;
        return [writeSuccess(store, { ...success, ...counted, expiresAt }, clock())];
      },
    };
  }

  return {
    take: (account, from) => take(account, sourceOf(account, from)),
    async reopened(account) {
      const now = clock();
      const { failures, success } = await stored(account, now);
      if (failures.version === 0) return [];
      const { row, expiresAt } = failures;
      return [writeSuccess(store, { ...success, row, source: undefined, failures: 0, expiresAt }, now)];
    },
  };
}

interface Records {
  readonly failures: PasswordFailures;
  readonly success: PasswordSuccess;
}

/** A try that was counted, and what its success takes away. */
interface Counted extends Pick<PasswordSuccess, "row" | "source" | "failures"> {
  readonly closes: boolean;
}

function sourceOf(account: string, from: TrySource): Source {
  return "device" in from
    ? { id: limitId("device", account, from.device), known: true }
    : { id: limitId("network", account, limitedNetwork(from.address)), known: false };
}

function passwordsClosed({ longestWaitSeconds }: LimitSettings["account"]): GalleyError {
  const message =
    "too many wrong passwords came in a row: reset the password, or use a device that has signed in before";
  return rateLimited(message, longestWaitSeconds * 1000);
}
