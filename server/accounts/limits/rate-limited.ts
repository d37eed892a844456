import { GalleyError } from "#protocol/errors";

/**
 * The refusal of what comes too often; accounts.md 8.
 * @param milliseconds after which it may be tried again; told in whole seconds, one at least
 */
export function rateLimited(message: string, milliseconds: number): GalleyError {
  const retryAfter = Math.max(1, Math.ceil(milliseconds / 1000));
  return new GalleyError("rate_limited", `${message}: try again in ${retryAfter} s`, {
    retryAfter,
    outcome: "not_applied",
  });
}
