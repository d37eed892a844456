import type { ApiError } from "./error.ts";

/** How often a request is sent again at most. */
export const RETRIES = 3;
const FIRST_WAIT = 200;

/** Whether sending again may help: no answer, a busy or restarting server, a lost race; sdk.md 5.3. */
export function mayRetry({ retryable, code }: ApiError): boolean {
  // A full disk is not emptied in a second.
  return retryable && code !== "storage_full";
}

/** Milliseconds to wait before retry `n` (from 0): full jitter, so that clients spread, and no less than the server asks. */
export function waitBefore(n: number, { details }: ApiError): number {
  return Math.max(Math.random() * FIRST_WAIT * 2 ** n, Number(details.retryAfter ?? 0) * 1000);
}
