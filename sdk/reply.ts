import type { ErrorCode } from "./error.ts";
import { ApiError } from "./error.ts";
import type { ErrorBody } from "./protocol/api.ts";

type SentError = Partial<ErrorBody["error"]> & { readonly code: ErrorCode; readonly message: string };

/** The error that a reply other than 2xx stands for. */
export function errorOf({ status, headers }: Response, text: string): ApiError {
  const error = sentError(text) ?? foreignError(status);
  const wait = secondsOf(headers.get("retry-after"));
  return new ApiError(error.code, error.message, {
    status,
    details: { ...error.details, ...(wait > 0 && { retryAfter: wait }) },
    requestId: error.requestId,
  });
}

function sentError(text: string): SentError | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: SentError };
    return typeof error?.code === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}

/** A proxy answered in Galley's place. That says nothing about data: a stranger's 404 is no `not_found`. */
function foreignError(status: number): SentError {
  const code = status === 429 ? "rate_limited" : status > 501 ? "unavailable" : "internal";
  return { code, message: `HTTP ${status}, but not from Galley: is the url right?` };
}

/** Seconds to wait, from a `Retry-After` in either of its forms (RFC 9110 10.2.3): a number or a date. */
function secondsOf(header: string | null): number {
  return Number(header) || (Date.parse(`${header}`) - Date.now()) / 1000;
}
