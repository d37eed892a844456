import type { PasswordTry } from "../limits/limits.ts";
import type { AccountParts } from "../parts.ts";
import { networkOf, type Visit } from "../sessions/device.ts";
import type { PasswordVerdict } from "./password-hash.ts";
import { normalPassword } from "./password-policy.ts";

export interface Tried {
  /** What the account is counted under, whether there is one or not. */
  readonly account: string;
  /** Whose it is, if there is such a person. */
  readonly user: string | undefined;
  readonly password: string;
  /** Where the password stands in the body, for faults. */
  readonly at: string;
  /** A PHC string; undefined where there is none that counts. */
  readonly stored: string | undefined;
  readonly visit: Visit;
  /** A device that is known to be this account's. */
  readonly device?: string | undefined;
}

/**
 * Judges a password that somebody gives: once there is room, it is counted, and then judged (accounts.md 8.1). Whose
 * passwords it closes is told by an audit line.
 *
 * @throws GalleyError `rate_limited`, `unavailable`
 */
export async function tryPassword(
  { limits, hasher, audit }: AccountParts,
  { account, user, password, at, stored, visit, device }: Tried,
): Promise<PasswordVerdict & { readonly attempt: PasswordTry }> {
  const { address } = visit;
  limits.demand("sign-in", address);
  let attempt: PasswordTry | undefined;
  const verdict = await hasher.verify(
    normalPassword(password, at),
    stored,
    { account, network: networkOf(address) },
    async () => {
      attempt = await limits.tryPassword(account, device === undefined ? { address } : { device });
    },
  );
  if (!attempt) throw new Error("a password was judged that had not been counted");
  if (!verdict.right) limits.failed("sign-in", address);
  if (!verdict.right && attempt.closes && user !== undefined) {
    audit.note({ action: "passwords-closed", by: "anonymous", for: user, visit });
  }
  return { ...verdict, attempt };
}
