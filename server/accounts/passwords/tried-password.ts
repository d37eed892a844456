import type { PasswordTry } from "../limits/limits.ts";
import type { AccountParts } from "../parts.ts";
import { networkOf, type Visit } from "../sessions/device.ts";
import type { PasswordVerdict } from "./hash-work.ts";
import { normalPassword } from "./password-policy.ts";

export interface Tried<A extends Against> {
  /** What the account is counted under, whether there is one or not. */
  readonly account: string;
  readonly password: string;
  /** Where the password stands in the body, for faults. */
  readonly at: string;
  readonly visit: Visit;
  /** Reads what the password is held against, once there is room. */
  readonly against: () => Promise<A>;
}

export interface Against {
  /** Whose it is, if there is such a person. */
  readonly user: string | undefined;
  /** A PHC string; undefined where there is none that counts. */
  readonly stored: string | undefined;
  /** A device that is known to be this account's. */
  readonly device?: string | undefined;
}

/**
 * Judges a password that somebody gives: once there is room, it is counted, and then judged (accounts.md 8.1). Whose
 * passwords it closes is told by an audit line.
 *
 * @throws GalleyError `rate_limited`, `unavailable`
 */
export async function tryPassword<A extends Against>(
  { limits, hasher, audit }: AccountParts,
  { account, password, at, visit, against }: Tried<A>,
): Promise<PasswordVerdict & { readonly attempt: PasswordTry; readonly held: A }> {
  const { address } = visit;
  limits.demand("sign-in", address);
  let tried: { readonly attempt: PasswordTry; readonly held: A } | undefined;
  const who = { account, network: networkOf(address) };
  const verdict = await hasher.verify(normalPassword(password, at), who, async () => {
    const held = await against();
    const { device } = held;
    tried = { held, attempt: await limits.tryPassword(account, device === undefined ? { address } : { device }) };
    return held.stored;
  });
  if (!tried) throw new Error("a password was judged that had not been counted");
  const { attempt, held } = tried;
  if (!verdict.right) limits.failed("sign-in", address);
  if (!verdict.right && attempt.closes && held.user !== undefined) {
    audit.note({ action: "passwords-closed", by: "anonymous", for: held.user, visit });
  }
  return { ...verdict, attempt, held };
}
