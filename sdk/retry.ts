import type { ApiError } from "./error.ts";

/** How often a request is sent again at most. */
export const RETRIES = 3;
const FIRST_WAIT = 200;
const STATUSES = new Set([429, 502, 503, 504]);

/** Whether sending again may help: no answer, a busy or restarting server, a lost race; sdk.md 5.3. */
export function mayRetry(error: ApiError): boolean {
  return error.code === "network" || error.code === "contention" || STATUSES.has(error.status);
}

/** Milliseconds to wait before retry `n` (from 0): full jitter, so that clients spread; never less than the server asks. */
export function waitBefore(n: number, error: ApiError): number {
  return Math.max(Math.random() * FIRST_WAIT * 2 ** n, Number(error.details.retryAfter ?? 0) * 1000);
}

/** Resolves after a time, or as soon as the signal aborts. */
export function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done);
    if (signal?.aborted) done();
  });
}
